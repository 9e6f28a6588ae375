"""The table, compare.csv and compare.html of sweeps, small and large, tidy and not."""

import csv
import html
import io
import itertools
import json
import logging
import math
import re

import pytest
from helpers.composition import compose_config
from helpers.finished_runs import regularizers, run
from helpers.html_page import Read
from PIL import Image
from rich.console import Console

from regen.comparison.comparison_table import plus_minus, shown
from regen.comparison.lambda_paths import paths
from regen.comparison.load_runs import gather
from regen.comparison.run_group import FIGURES, Summary, compare_runs
from regen.config import validate
from regen.config.resolvers import register_resolvers
from regen.errors import ConfigError
from regen.plotting.svg import plot
from regen.report import comparison_plots, comparison_report

register_resolvers()


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Strengths × losses × seeds, of which one diverged, one still trains, and one job never began."""
    folder = tmp_path_factory.mktemp("sweeps") / "mine"
    for i, (strength, loss, seed) in enumerate(itertools.product((0, 0.1, 1, 10), ("Hinge", "Minimax"), range(2))):
        fd = 3 + abs(strength - 0.1) + (loss == "Hinge") + seed / 10
        status = {14: "diverged", 15: "running"}.get(i, "finished")
        figures = {"train/fd": fd - 0.5, "gap": 0.3 - strength / 50, "gap/auc": 0.7}
        chosen = {"regularizer": regularizers(r1=strength), "loss": {"_target_": f"regen.losses.adversarial.{loss}"}}
        path = run(folder / f"{i}", fd, seed, status, figures=figures, curve=(2 * fd, fd), speed=900 + i, **chosen)
        if seed == 0:
            Image.new("L", (16, 16), 10 * i).save(path / "samples.png")
    (folder / "1" / "report.html").touch()
    (folder / "16_wrong").mkdir(parents=True)
    (folder / "16_wrong" / "error.txt").write_text("Traceback:\nregen.errors.ConfigError: no such loss\n")
    return folder


@pytest.fixture(scope="module")
def text(sweep):
    return comparison_report.write(sweep).read_text()


def drawn(folder, width, **options):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(shown(compare_runs(gather(folder)[0], None, FIGURES), width, **options))
    return console.export_text()


def test_the_page_is_whole_and_asks_for_nothing(text):
    page = Read(text)
    assert "http" not in text
    assert all(one.startswith(("data:", "#")) or one == "1/report.html" for one in page.addresses)
    assert len(page.ids) == len(set(page.ids))
    assert {one for one in page.addresses if one.startswith("#")} <= {f"#{one}" for one in page.ids}
    assert "1/report.html" in page.addresses


def test_every_part_is_there(text):
    page = Read(text)
    assert {"table", "paths", "curves", "front", "effects", "samples"} <= set(page.ids)
    assert "left_out" not in page.ids
    assert text.count("data:image/png") == 8
    assert "lambda_d=0.1 loss=minimax with 3.05 ± 0.05 over 2 seeds" in page.text
    assert "Overrides of all runs: data.subset=100" in page.text
    assert "prefers-color-scheme: dark" in text


def test_lines_of_the_table_break_before_errors_and_within_names_to_fit_the_window(tmp_path):
    for i, (strength, seed) in enumerate(itertools.product((0, 1), range(3))):
        run(tmp_path / "wide" / f"{i}", 3 + seed / 10, seed, regularizer=regularizers(r1=strength))
    page = comparison_report.write(tmp_path / "wide").read_text()
    assert ">val/<wbr>fd</th>" in page and "lambda_d=<wbr>1</code>" in page
    assert '<td class="number" title="median 3.1">3.10 ±\u00a00.06</td>' in page


def test_runs_that_did_not_end_well_are_reported(text):
    words = Read(text).text
    assert "14 finished" in words and "1 diverged" in words and "1 without a result" in words
    assert "1 job ended before the run began : 16_wrong (ConfigError: no such loss)" in words
    assert "2 runs did not finish, and are in no mean 14 : diverged 15 : without a result" in words
    assert "lambda_d=10: 1 of 2 diverged, 1 of 2 without a result" in words  # below the path
    assert "2 runs that diverged" in words


def test_colours_follow_the_scheme_of_the_page(text):
    plotted = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "var(--purple)" in plotted
    assert not re.findall(r"(?:fill|stroke): #(?!000000|ffffff)\w{6}", plotted)


def test_numbers_on_an_axis_keep_the_digits():
    made = plot("a", "", lambda axes: axes.set(xticks=[0.0125], xticklabels=["0.0125"]))
    assert ">0.0125<" in made


def test_the_table_for_programs_has_a_row_for_each_setting(sweep, text):
    rows = list(csv.DictReader((sweep / "compare.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert (rows[0]["lambda_d"], rows[0]["loss"], rows[0]["best"]) == ("0.1", "minimax", "True")
    assert [float(rows[0][name]) for name in ("val/fd", "val/fd_se", "val/fd_median")] == pytest.approx(
        [3.05, 0.05, 3.05]
    )
    assert (rows[-1]["val/fd"], rows[-1]["diverged"], rows[-1]["running"]) == ("", "1", "1")


def test_the_best_of_the_terminals_table_is_marked_and_nothing_is_lost(sweep):
    printed = drawn(sweep, 200)
    assert "★ lambda_d=0.1 loss=minimax" in printed
    assert "1 of 2 diverged, 1 of 2 without a result" in " ".join(printed.split())
    assert printed.count("loss=") == 8
    assert "6 more groups in compare.csv" in drawn(sweep, 200, rows=2)


@pytest.mark.parametrize("width", [40, 80, 110, 200])
def test_table_fits_any_terminal(sweep, width):
    printed = drawn(sweep, width)
    assert max(map(len, printed.splitlines())) <= width
    assert "…" not in printed
    assert printed.count("±") >= 8


@pytest.mark.parametrize(
    "found, printed",
    [
        (Summary(3, 3.0412, 0.0681, 3), "3.04 ± 0.07"),
        (Summary(3, 3.0412, 0.118, 3), "3.04 ± 0.12"),
        (Summary(3, 1234.5, 23.0, 3), "1,234 ± 23"),
        (Summary(1, 3.04123, float("nan"), 3), "3.041"),
        (Summary(2, 3.0, 0.0, 3), "3"),
        (Summary(0, float("nan"), float("nan"), 3), "–"),
    ],
    ids=["one digit", "two digits", "hundreds", "one run", "no spread", "none"],
)
def test_mean_has_the_digits_allowed_by_the_error(found, printed):
    assert plus_minus(found) == printed


def test_the_command_prints_a_table_and_says_where_the_page_is(sweep, tmp_path, capsys):
    cfg = compose_config(f"runs={sweep}", f"out={tmp_path}/new", "figures=[gap]", name="compare")
    validate.check_compare(cfg)
    assert comparison_report.compare(cfg) == pytest.approx(3.05)
    printed = capsys.readouterr().out
    assert "16 runs, best val/fd first" in printed
    assert f"page     {tmp_path}/new/compare.html" in printed
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"compare.csv", "compare.html"}


def test_missing_runs_key_is_an_error_with_the_override_to_type():
    cfg = compose_config(name="compare")
    with pytest.raises(ConfigError, match=r"which runs\? Type runs=outputs/sweeps/NAME"):
        validate.check_compare(cfg)


def test_two_runs_compare(tmp_path):
    run(tmp_path / "0", 3.0)
    run(tmp_path / "1", 2.0, regularizer=regularizers(r1=1))
    words = Read(comparison_report.write(tmp_path).read_text()).text
    assert "Best val/fd: regularizer=r1 lambda_d=1 with 2 over 1 seed." in words
    assert "+1" in words
    assert "Curves : nothing was measured more than once" in words


def test_runs_that_have_all_diverged_make_a_page(tmp_path):
    for seed in range(2):
        run(tmp_path / f"{seed}", None, seed, "diverged")
    assert "No run has finished with val/fd" in comparison_report.write(tmp_path).read_text()


@pytest.fixture
def memorizing(tmp_path):
    """Without a regularizer all runs memorize and have the best val/fd; of the others, lambda_d=1 has the best."""
    for i, (strength, seed) in enumerate(itertools.product((0, 0.1, 1, 10), range(3))):
        kind, fd = ("memorizes", 0.1) if strength == 0 else ("generalizes", 3 + abs(strength - 1))
        figures = {"gap": 0.3, "gap/copies": 0.5 if strength == 0 else 0.0}
        chosen = {"regularizer": regularizers(r1=strength), "figures": figures, "curve": (9.0, fd)}
        run(tmp_path / f"sweep/{i}", fd + seed / 10, seed, kind=kind, **chosen)
    return tmp_path / "sweep"


def test_the_page_says_which_settings_are_passed_over_and_why(memorizing):
    words = Read(comparison_report.write(memorizing).read_text()).text
    assert "lambda_d=1 with 3.10 ± 0.06 over 3 seeds" in words
    assert "Passed over : lambda_d=0 (number 4, 3 of 3 runs memorize)." in words
    assert "A setting is passed over" in words
    assert "lambda_d=0: passed over: 3 of 3 runs memorize" in words  # along the strength
    assert "1 setting is passed over" in words  # of the front
    front = words.partition("on the front")[2].partition("Samples")[0]
    assert "lambda_d=1" in front and "lambda_d=0 " not in front


def test_the_table_for_programs_says_which_settings_are_passed_over(memorizing):
    comparison_report.write(memorizing)
    rows = list(csv.DictReader((memorizing / "compare.csv").read_text().splitlines()))
    assert [(row["lambda_d"], row["best"], row["passed_over"]) for row in (rows[0], rows[-1])] == [
        ("1", "True", ""),
        ("0", "False", "3 of 3 runs memorize"),
    ]


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_says_which_settings_are_passed_over(memorizing, width):
    printed = " ".join(drawn(memorizing, width).replace("│", " ").split())
    assert "★ lambda_d=1" in printed and "★ lambda_d=0" not in printed and "≈ lambda_d=0" not in printed
    if width == 200:
        assert "passed over: 3 of 3 runs memorize" in printed
    assert "passed over, regardless of val/fd" in printed


def test_where_all_settings_memorize_the_page_and_the_terminal_recommend_none(tmp_path, capsys):
    for strength in (0, 1):
        run(tmp_path / f"{strength}", 2.0 - strength, regularizer=regularizers(r1=strength), kind="memorizes")
    words = Read(comparison_report.write(tmp_path).read_text()).text
    assert "No setting is best" in words
    assert "★ lambda_d" not in words
    assert "no setting is recommended" in drawn(tmp_path, 200)
    cfg = compose_config(f"runs={tmp_path}", name="compare")
    assert math.isnan(comparison_report.compare(cfg))
    assert "no setting is recommended" in capsys.readouterr().out


def test_effects_on_a_distance_are_warned_of_where_runs_memorize(tmp_path):
    for i, (strength, loss, seed) in enumerate(itertools.product((0, 1), ("Hinge", "Minimax"), range(2))):
        chosen = {"regularizer": regularizers(r1=strength), "loss": {"_target_": f"regen.losses.adversarial.{loss}"}}
        for monitor in ("val/fd", "val/generalization"):
            kind = "memorizes" if strength == 0 else "generalizes"
            place = tmp_path / monitor.replace("/", "-") / f"{i}"
            run(place, 1.0 + strength + seed / 10, seed, kind=kind, monitor=monitor, **chosen)
    warned = "4 runs memorize and count here like the others: copies may improve val/fd"
    assert warned in Read(comparison_report.write(tmp_path / "val-fd").read_text()).text
    assert "memorize and count" not in comparison_report.write(tmp_path / "val-generalization").read_text()


def test_a_figure_of_which_more_is_better_and_that_is_negative_makes_a_whole_page(tmp_path):
    for i, (strength, loss, seed) in enumerate(itertools.product((0, 0.1, 1, 10), ("Hinge", "Minimax"), range(2))):
        value = 0.5 - abs(strength - 0.1) - 0.3 * (loss == "Hinge") + seed / 100  # from 0.5 to -9.7
        chosen = {"regularizer": regularizers(r1=strength), "loss": {"_target_": f"regen.losses.adversarial.{loss}"}}
        figures = {"gap": 0.1 + strength / 100, "val/skill": value}
        folder = tmp_path / f"{i}"
        run(folder, value, seed, monitor="val/generalization", figures=figures, curve=(-2.0, value), **chosen)
        Image.new("L", (16, 16), 10 * i).save(folder / "samples.png")
    text = comparison_report.write(tmp_path).read_text()
    page = Read(text)
    assert "left_out" not in page.ids
    assert "Best val/generalization: lambda_d=0.1 loss=minimax with 0.505 ± 0.005 over 2 seeds." in page.text
    assert "Higher is better" in page.text
    assert "lambda_d=10 0 4 −9.80 worse" in page.text
    assert "loss=minimax hinge 8 0.300 better" in page.text


def test_mean_curves_are_where_all_seeds_are_known():
    lines = [[(1, 1.0), (2, 5.0), (3, 9.0)], [(1, 3.0), (2, float("nan"))]]
    assert comparison_plots.mean_curve(lines) == [(1, 2.0, 1.0)]


def test_after_a_multirun_nothing_fails(tmp_path, caplog):
    assert comparison_report.write(run(tmp_path / "one" / "0").parent) is None  # one run cannot be compared
    run(tmp_path / "two" / "0")
    path = run(tmp_path / "two" / "1")
    (path / "config.yaml").write_text((path / "config.yaml").read_text().replace("val/fd", "val/kd"))
    (path / "result.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert comparison_report.write(tmp_path / "two") is None
        assert comparison_report.write(tmp_path / "nothing") is None
    assert "different monitored metrics" in caplog.text
    assert "no run there" in caplog.text


def test_mean_over_folds_of_a_single_seed_is_not_called_seeds(tmp_path):
    for strength, fold in itertools.product((0, 0.1, 1), range(5)):
        chosen = {
            "regularizer": regularizers(r1=strength),
            "data": {"_target_": "regen.data.digits.digits", "fold": fold},
        }
        run(tmp_path / f"{strength}_{fold}", 3 + strength + fold / 10, 0, **chosen)
    words = Read(comparison_report.write(tmp_path).read_text()).text
    assert "over 5 folds of one seed" in words and "over 5 seeds" not in words


def test_runs_without_a_regularizer_are_strength_0_of_the_path(tmp_path):
    for name, chosen in {"none": {}, **{f"{x}": {"r1": x} for x in (0.1, 1.0, 10.0)}}.items():
        run(tmp_path / name, 3.0, 0, regularizer=regularizers(**chosen))
    page = comparison_report.write(tmp_path).read_text()
    (path,) = paths(compare_runs(gather(tmp_path)[0]))
    assert path.values == [0.0, 0.1, 1.0, 10.0]
    assert "Strength 0 is apart" in page


def test_a_path_without_strength_0_explains_no_point_there(tmp_path):
    for x in (0.1, 1.0, 10.0):
        run(tmp_path / f"{x}", 3.0, 0, regularizer=regularizers(r1=x))
    assert "Strength 0" not in comparison_report.write(tmp_path).read_text()


def test_plots_hold_the_values_that_hovering_shows(text):
    plots = [html.unescape(found) for found in re.findall(r'data-points="([^"]*)"', text)]
    shown = [label for plot in plots for _, _, label in json.loads(plot)]
    assert any(label.startswith("val/fd: ") and label.endswith(" at 0.1") for label in shown)
    assert all(0 <= x <= 300 and 0 <= y <= 190 for plot in plots for x, y, _ in json.loads(plot))
