"""Searches on the command line: draws, pruning, results and continuation."""

import csv
import os
import shlex
import statistics
import sys
import time
from pathlib import Path

import optuna
import pytest
from helpers.forked_processes import forked
from helpers.searches import JOB, best, table

from regen.sweeps.search.study import storage
from regen.utils.json_files import read_json
from regen.utils.project import ROOT

R1 = ("regularizer=r1", "lambda_d=tag(log,interval(0.1,100))")


def study(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name=folder.name, storage=storage(folder, None))


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}


def test_without_a_space_the_default_strengths_are_searched_and_the_best_can_be_typed(
    search, train, capsys, caplog
) -> None:
    folder = search("regularizer=r1")
    strengths = [float(row["lambda_d"]) for row in table(folder)]
    assert len(set(strengths)) == 3 and all(0.1 <= one <= 100 for one in strengths)
    answer, values = best(folder), {float(row["value"]): row["lambda_d"] for row in table(folder)}
    assert answer["value"] == min(values) and f"lambda_d={values[min(values)]}" in answer["overrides"]
    assert answer["trials"] == {"finished": 3} and "best val/fd" in capsys.readouterr().out
    assert (folder / "compare.html").exists()
    again = train(*shlex.split(answer["command"])[2:], "report=false", folder="again", smoke=False)
    assert read_json(again / "result.json")["val/fd"] == answer["value"]


def test_the_same_command_trains_nothing_again_and_a_larger_number_goes_on(search) -> None:
    whole = search(*R1, n=2, folder="whole")
    folder = search(*R1, n=1)
    before = written(folder)
    assert written(search(*R1, n=1)) == before
    assert {path: when for path, when in written(search(*R1, n=2)).items() if path in before} == before
    drawn = [[trial.params for trial in study(one).trials] for one in (folder, whole)]
    assert drawn[0] == drawn[1]


def test_a_signal_ends_a_search_and_the_same_command_goes_on(search, bomb) -> None:
    folder = search(*bomb("signal"), n=2, status=75)
    assert [row["status"] for row in table(folder)] == ["interrupted"]
    assert [trial.state.name for trial in study(folder).trials] == ["RUNNING"]
    whole = search(*bomb(""), n=2, folder="whole")
    tried = [[(trial.params, trial.value) for trial in study(one).trials] for one in (search(*bomb(""), n=2), whole)]
    assert tried[0] == tried[1] and len(tried[0]) == 2


def test_each_regularizer_is_searched_over_the_declared_range(search) -> None:
    folder = search("regularizer=r1,weight_clipping,none", "hydra/sweeper/sampler=random", n=3)
    drawn = [trial.params for trial in study(folder).trials]
    named = {"r1": "regularizer.r1.lambda_d", "weight_clipping": "regularizer.weight_clipping.limit"}
    for params in drawn:
        assert set(params) == {"regularizer", *filter(None, [named.get(params["regularizer"])])}
    assert len({params["regularizer"] for params in drawn}) > 1


def curve(job: Path) -> list[float]:
    with open(job / "metrics.csv", newline="") as file:
        return [float(row["val/fd"]) for row in csv.DictReader(file) if row.get("val/fd")]


def is_ruled_out(own: list[float], others: list[list[float]]) -> bool:
    """The median rule in other words: its best so far is above the median of finished trials' figures at that evaluation."""
    return bool(others) and min(own) > statistics.median(other[len(own) - 1] for other in others)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_trials_worse_than_the_median_are_pruned(search, launcher, monkeypatch) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]))
    early = [f"hydra.sweeper.pruner.n_{name}=1" for name in ("startup_trials", "warmup_steps", "min_trials")]
    side_by_side = () if launcher == "basic" else ("hydra.launcher.n_jobs=1", "hydra/launcher=joblib")
    grid = ("regularizer=r1", "lambda_d=0.1,1,10,100", "hydra/sweeper/sampler=grid")
    folder = search(*grid, *early, *side_by_side, n=9)
    trials, finished = study(folder).trials, []
    for trial in trials:
        own = curve(folder / trial.user_attrs["folder"])
        pruned = trial.state.name == "PRUNED"
        assert list(trial.intermediate_values.values()) == own
        assert len(own) < 3 if pruned else len(own) == 3
        for seen in range(1, 3):
            assert len(own) < seen or is_ruled_out(own[:seen], finished) == (pruned and seen == len(own))
        finished += [] if pruned else [own]
    assert 0 < len(finished) < len(trials) == 4
    row = next(row for row in table(folder) if row["status"] == "pruned")
    assert row["reason"] == f"other trials were better at iteration {row['iteration']}"
    before = written(folder)
    search(*grid, *early, *side_by_side, n=9)
    assert written(folder) == before


def test_grid_without_search_resumes_pruned_jobs(search, train) -> None:
    folder = search(*R1, "hydra/sweeper/pruner=hyperband", n=1)
    (result,) = folder.glob("*/result.json")
    result.write_text(result.read_text().replace('"finished"', '"pruned"'))
    (strength,) = (one for one in best(folder)["overrides"] if one.startswith("lambda_d="))
    train("-m", "sweep=mine", *JOB, "regularizer=r1", strength, f"hydra.sweep.dir={folder}", smoke=False)
    assert [row["status"] for row in table(folder)] == ["finished"] and list(folder.glob("*/result.json")) == [result]


def test_failed_trials_are_retried_and_diverged_trials_rank_worst(search, bomb) -> None:
    folder = search(*bomb("raise"), n=1, status=1)
    assert best(folder)["trials"] == {"failed": 1} and "value" not in best(folder)
    search(*bomb("nan"), n=1)
    search(*bomb(""), n=2)
    assert [row["status"] for row in table(folder)].count("diverged") == 1
    assert [trial.state.name for trial in study(folder).trials] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert best(folder)["trial"] == 2 and best(folder)["trials"] == {"diverged": 1, "finished": 1}


@pytest.mark.slow
def test_killed_worker_of_a_shared_study_loses_no_trial(search, bomb, tmp_path, train) -> None:
    typed = (*bomb(""), "lambda_d=tag(log,interval(0.1,10))")

    def killing() -> None:
        (tmp_path / "conf/action").write_text(str(os.getpid()))  # its first job is to kill it at iteration 4
        search(*typed, n=4)

    worker = forked(killing)
    while not (tmp_path / "mine/.trials/0.lock").exists():
        time.sleep(0.02)
        assert os.waitpid(worker, os.WNOHANG) == (0, 0), "the worker ended before it had a trial"
    folder = search(*typed, n=4)
    assert os.WIFSIGNALED(os.waitpid(worker, 0)[1])
    trials = study(folder).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    lost = read_json(folder / trials[0].user_attrs["folder"] / "result.json")
    assert any(one.startswith("resume=") for one in lost["command"])  # from the checkpoint of iteration 2 or 4
    strength = next(one for one in lost["command"] if one.startswith("lambda_d="))
    alone = train(*bomb(""), strength, *JOB, folder="alone", smoke=False)
    assert read_json(alone / "result.json")["val/fd"] == lost["val/fd"] == trials[0].value


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("regularizer=none",), "nothing to search: regularizer=none"),
        (("regularizer=r1", "seed=0,1"), "the luckiest seed"),
        (("regularizer=r1", "monitor=val/no"), "monitor=val/no: expected one of gap, "),
        ((*R1, "hydra.sweeper.n_trials=0"), "hydra.sweeper.n_trials must be"),
        ((*R1, "hydra.sweeper.sampler.n_start=3"), "unknown key hydra.sweeper.sampler.n_start"),
        (("regularizer=r1", "model.latent_dmi=interval(1,2)"), "model.latent_dmi (did you mean model.latent_dim"),
        ((*R1, "hydra/sweeper/sampler=tep"), "sampler=tep (did you mean tpe?)"),
    ],
    ids=["nothing", "seed", "monitor", "number", "setting", "key", "sampler"],
)
def test_unsearchable_spaces_are_refused_before_the_start(search, capsys, typed, words) -> None:
    folder = search(*typed, status=78)
    assert words in capsys.readouterr().err
    assert not list(folder.glob("*/result.json"))


def test_another_question_under_the_same_name_is_refused(search, capsys) -> None:
    search(*R1, n=1)
    search(*R1, "data.batch_size=9", n=2, status=78)
    assert "it is data.batch_size=9" in capsys.readouterr().err
    search("regularizer=r1", "lambda_d=1,10", n=2, status=78)
    assert "lambda_d is searched over one of 1, 10" in capsys.readouterr().err
    search("regularizer=r1", "+hydra.sweeper.params.lambda_d='tag(log,interval(1,1000))'", n=1)  # as a yaml may
    assert "searching lambda_d: 1 to 1000 on a logarithmic scale" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("hydra/sweeper=optuna", "regularizer=r1"), "multirun: type -m"),
        (
            ("-m", "lambda_d=interval(0.1,1)", "regularizer=r1"),
            "type hydra/sweeper=optuna",
        ),
    ],
    ids=["single", "interval"],
)
def test_search_is_a_multirun_with_a_sweeper(train, capsys, typed, words) -> None:
    train(*typed, status=78)
    assert words in capsys.readouterr().err


def test_missing_optuna_is_an_error_with_the_command_to_install(search, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    search(*R1, status=78)
    assert "pip install 'regen[search]'" in capsys.readouterr().err
