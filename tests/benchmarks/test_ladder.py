"""The ladder: images of which the truth is known get the right diagnosis, in its short form."""

import pytest
import run_ladder as script
from ladder import table
from ladder.climb import Cell, climb
from ladder.rungs import rungs

from regen.utils.project import ROOT


@pytest.fixture(scope="module")
def cells(features) -> list[Cell]:
    return list(climb(table.chosen_rungs(None, None, short=True), features, samples=500, short=True))


def test_nearly_all_diagnoses_are_right_and_the_default_monitor_prefers_nothing_worse(cells):
    assert len(cells) >= 18
    wrong = [(cell.rung, cell.truth.name, cell.diagnosis.kind) for cell in cells if not cell.is_right]
    assert len(wrong) <= 0.05 * len(cells), wrong
    assert table.is_passed(cells)


def test_shares_of_copies_are_within_three_points_of_the_truth(cells):
    shares = {(cell.rung, cell.truth.name): cell.figures["gap/copies"] - cell.truth.copies for cell in cells}
    images = {name: error for name, error in shares.items() if "digits" in name[0] and "image" not in name[1]}
    assert images and all(abs(error) <= 0.03 for error in images.values()), images


def test_table_lists_every_set_and_marks_wrong_diagnoses(cells, tmp_path):
    page = tmp_path / "verdicts.md"
    page.write_text(f"before\n{table.BEGIN}\n{table.END}\nafter\n")
    table.write(cells, page)
    text = page.read_text()
    assert text.startswith("before") and text.rstrip().endswith("after")
    assert all(f"| {cell.truth.name} |" in text for cell in cells)
    assert text.count("**") == 2 * sum(not cell.is_right for cell in cells)


def test_page_of_the_documentation_has_a_place_for_the_table():
    text = (ROOT / table.PAGE).read_text()
    assert text.count(table.BEGIN) == text.count(table.END) == 1


def test_data_sets_that_are_not_given_are_left_out():
    assert [rung.name for rung in rungs(None, None)] == ["digits, 1,257", "digits, 300", "digits, 100", "grid"]


def test_help_lists_the_options(capsys):
    with pytest.raises(SystemExit):
        script.main(["--help"])
    assert "--photos FOLDER" in capsys.readouterr().out
