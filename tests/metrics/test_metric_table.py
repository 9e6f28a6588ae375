"""The metric table of a terminal: a row for each figure, columns for held-out, training, real and generated images."""

import re

import pytest
from rich.console import Console

from regen.metrics.metric_table import metric_table

DEFAULT = {
    "gap": -0.178,
    "gap_se": 0.259,
    "val/generalization": 0.774,
    "val/generalization_se": 0.069,
    "val/fd": 2.876,
    "val/fd_se": 0.466,
    "train/fd": 4.934,
    "gap/fd": -0.745,
    "gap/fd_se": 1.087,
    "real/fd": 0.616,
    "real/fd_se": 0.43,
    "val/kd": 0.0332,
    "val/kd_se": 0.0093,
    "train/kd": 0.0659,
    "gap/kd": -0.0192,
    "gap/kd_se": 0.0293,
    "real/kd": -0.0134,
    "real/kd_se": 0.0106,
    "val/skill": 0.774,
    "val/skill_se": 0.069,
    "fake/copies": 0.0,
    "real/copies": 0.0,
    "gap/copies": 0.0,
    "gap/copies_low": -0.014,
    "gap/copies_high": 0.0019,
    "gap/attraction": -0.094,
    "gap/attraction_se": 0.076,
    "val/ndb": 0.2,
    "fake/spread": 48.7,
    "real/spread": 58.6,
}


def shown(figures: dict[str, float], monkeypatch, width: int = 80) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    console = Console(width=width)
    with console.capture() as capture:
        console.print(metric_table("a run", figures))
    return [line.rstrip() for line in capture.get().splitlines()]


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


def test_rows_hold_figures_with_errors_and_intervals_the_most_important_first(monkeypatch) -> None:
    lines = shown(DEFAULT, monkeypatch, 100)
    assert [cells(line) for line in lines[1:-1]] == [
        ["held out", "training", "gap", "real", "generated"],
        ["generalization", "0.774 ± 0.069"],
        ["skill", "0.774 ± 0.069"],
        ["copies", "0.0% [−1.4, 0.2]", "0.0%", "0.0%"],
        ["attraction", "−0.094 ± 0.076"],
        ["gap", "−0.18 ± 0.26"],
        ["fd", "2.88 ± 0.47", "4.93", "−0.7 ± 1.1", "0.62 ± 0.43"],
        ["kd", "0.0332 ± 0.0093", "0.0659", "−0.019 ± 0.029", "−0.013 ± 0.011"],
    ]
    assert lines[0] == "a run" and lines[-1] == "In result.json as well: ndb, spread"


def test_table_of_default_metrics_fits_into_80_characters_with_a_line_for_each_figure(monkeypatch) -> None:
    lines = shown(DEFAULT, monkeypatch)
    assert len(lines) == 10 and max(map(len, lines)) <= 80
    assert cells(lines[-2]) == ["kd", "0.033±0.009", "0.0659", "−0.02±0.03", "−0.013±0.011"]


def test_in_a_narrow_terminal_names_stay_whole_and_errors_stand_below(monkeypatch) -> None:
    figures = {f"{place}/classifier_score": 3.78123 for place in ("val", "train", "gap", "real", "fake")}
    figures |= {f"{name}_se": 0.0954 for name in list(figures)}
    lines = shown(figures, monkeypatch, 63)
    assert [cells(line) for line in lines[2:]] == [["classifier_score", *["3.8"] * 5], ["± 0.1"] * 5]


def test_minor_figures_are_shown_if_there_are_no_others(monkeypatch) -> None:
    assert any(cells(line) == ["spread", "41.0"] for line in shown({"fake/spread": 41.0}, monkeypatch))


def test_large_numbers_are_written_whole(monkeypatch) -> None:
    lines = shown({"val/elbo_nats": -2571.26, "val/elbo_nats_se": 113.4, "train/elbo_nats": 460.2}, monkeypatch, 100)
    assert any(cells(line) == ["elbo_nats", "−2,571 ± 113", "460"] for line in lines)


def test_table_without_figures_prints_title_on_one_line_and_says_so(monkeypatch) -> None:
    assert shown({}, monkeypatch) == ["a run", "", "no figures"]


def test_title_longer_than_columns_stays_on_one_line(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    console = Console(width=80)
    title = "diverged after 2,000 iterations of training"
    with console.capture() as capture:
        console.print(metric_table(title, {"val/kd": 1.0}))
    assert capture.get().splitlines()[0].rstrip() == title


@pytest.mark.parametrize(("width", "has_titles"), [(150, True), (90, False)])
def test_a_wide_terminal_has_room_for_titles(monkeypatch, width: int, has_titles: bool) -> None:
    assert any("kernel distance" in line for line in shown({"val/kd": 1.0}, monkeypatch, width)) == has_titles
