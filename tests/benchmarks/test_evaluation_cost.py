"""The cost of an evaluation is measured with the programs of src/."""

import evaluation_cost
import pytest

pytestmark = pytest.mark.slow


def test_first_and_second_evaluation_are_reported(capsys):
    evaluation_cost.main(["data=digits"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["first", "again"]
    assert all("MB" in line for line in lines)
