"""The board of a terminal: a row for each figure, a column for each place."""

from rich.console import Console

from regen.board import board


def shown(figures: dict[str, float], monkeypatch, width: int = 80) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    console = Console(width=width)
    with console.capture() as capture:
        console.print(board("a run", figures))
    return capture.get().splitlines()


def test_figures_stand_side_by_side_with_their_errors_and_intervals(monkeypatch) -> None:
    figures = {"gap": 0.1, "val/kd": 3.14159, "val/kd_se": 0.2, "train/kd": 2.5, "real/kd": 0.0}
    figures |= {"gap/nearest": 0.98, "gap/nearest_low": 0.95, "gap/nearest_high": 1.01, "fake/spread": 41.0}
    lines = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in shown(figures, monkeypatch, 100) if "│" in line
    ]
    assert lines == [
        ["gap", "", "", "0.1", "", ""],
        ["kd", "3.14 ± 0.2", "2.5", "", "0", ""],
        ["nearest", "", "", "0.98 [0.95–1.01]", "", ""],
        ["spread", "", "", "", "", "41"],
    ]


def test_in_a_narrow_terminal_names_stay_whole_and_errors_stand_below(monkeypatch) -> None:
    figures = {f"{place}/classifier_score": 3.78123 for place in ("val", "train", "gap", "real", "fake")}
    figures |= {f"{name}_se": 0.0954 for name in list(figures)}
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown(figures, monkeypatch) if "│" in line]
    assert cells == [["classifier_score", *["3.78"] * 5], ["", *["± 0.095"] * 5]]


def test_large_numbers_are_written_whole(monkeypatch) -> None:
    lines = shown({"val/elbo_nats": -2571.26, "val/elbo_nats_se": 113.4, "train/elbo_nats": 460.2}, monkeypatch, 100)
    assert any("-2,571 ± 113" in line and " 460.2 " in line for line in lines)


def test_a_wide_terminal_has_room_for_words(monkeypatch) -> None:
    assert any("kernel distance" in line for line in shown({"val/kd": 1.0}, monkeypatch, width=150))
    assert not any("kernel distance" in line for line in shown({"val/kd": 1.0}, monkeypatch, width=90))
