"""best.json and its table: the best trial that does not memorize, in either direction."""

import pytest
from helpers.optuna_trials import done, trials_in

from regen.sweeps.search import search_result
from regen.sweeps.search.trials import Trials
from regen.utils.json_files import read_json


def searched(folder, *jobs: tuple[float, str], higher: bool = False) -> Trials:
    """A search whose trials ended with these values and diagnoses."""
    trials = trials_in(folder, wanted=len(jobs), higher=higher)
    for claim, (value, kind) in zip(trials.claim(len(jobs)), jobs, strict=True):
        done(trials, claim, value=value, kind=kind)
    search_result.write(trials)
    return trials


@pytest.mark.parametrize(
    ("higher", "values", "best"),
    [(False, (-1.0, 2.0, 3.0), 1), (True, (0.9, -0.5, 0.4), 2)],
    ids=["lower is better", "higher is better"],
)
def test_best_trial_does_not_memorize(tmp_path, capsys, higher, values, best) -> None:
    kinds = ("memorizes", "generalizes", "inconclusive")
    searched(tmp_path, *zip(values, kinds, strict=True), higher=higher)
    answer = read_json(tmp_path / "best.json")
    assert (answer["trial"], answer["value"], answer["higher_is_better"]) == (best, values[best], higher)
    (passed_over,) = answer["passed_over"]
    assert (passed_over["trial"], passed_over["value"], passed_over["reason"]) == (0, values[0], "its run memorizes")
    search_result.show(tmp_path / "best.json")
    printed = " ".join(capsys.readouterr().out.split())
    assert f"passed over │ trial 0 ({values[0]:.4g}): its run memorizes" in printed
    assert f"{values[best]:.4g}, trial {best}" in printed and "again python src/train.py" in printed


def test_where_all_trials_memorize_none_is_recommended(tmp_path, capsys) -> None:
    searched(tmp_path, (1.0, "memorizes"), (2.0, "memorizes"))
    answer = read_json(tmp_path / "best.json")
    assert "value" not in answer and "command" not in answer and len(answer["passed_over"]) == 2
    search_result.show(tmp_path / "best.json")
    printed = " ".join(capsys.readouterr().out.split())
    assert "trial 0 (1), trial 1 (2): their runs memorize" in printed
    assert "every finished trial memorizes" in printed and "train.py" not in printed


def test_recorded_path_locates_the_folder_of_a_job_on_another_machine(tmp_path) -> None:
    trials = searched(tmp_path, (1.0, "memorizes"), (2.0, "generalizes"))
    for result in tmp_path.glob("job_*/result.json"):
        result.unlink()
    search_result.write(trials)
    assert read_json(tmp_path / "best.json")["trial"] == 1


def test_study_gets_the_figure_of_a_memorizing_trial_unchanged(tmp_path) -> None:
    assert [trial.value for trial in searched(tmp_path, (1.0, "memorizes")).study.trials] == [1.0]
