"""Which fits are run: round by round, filled up for idle workers, without what is ruled out, and finer around the best."""

import json
import math
from pathlib import Path

import pytest

from regen.cross_validation.candidate import Axis, Candidate
from regen.cross_validation.fits import Failed
from regen.cross_validation.runner import Raced, Rules, overrides, raced
from regen.cross_validation.score_table import Fit

R1 = Candidate("r1", ("data=ring",), (Axis("lambda_d", (0.0, 0.1, 1.0, 10.0)),), whole=True)
RULES = Rules(folds=tuple(range(5)), seeds=(0, 1), prune=0.05, n_jobs=1, refine=0, higher=False)


class Launcher:
    """Stands for Hydra's launcher: a fit's result is 1 + log10(λ)² and a little by round, its best is 1.

    sign     of the result; monitor: its name
    copied   the override with which runs memorize
    """

    sign, monitor, copied = 1, "val/fd", None

    def __init__(self, folder: Path) -> None:
        self.folder, self.batches = folder, []

    def __call__(self, jobs: list[list[str]]) -> list[Path]:
        self.batches.append(jobs)
        return [self.one(job) for job in jobs]

    def one(self, job: list[str]) -> Path:
        told = dict(one.split("=") for one in job)
        strength, fold, seed = float(told.get("lambda_d", 0)), int(told["data.fold"]), int(told["seed"])
        value = 1 + (math.log10(strength) ** 2 if strength else 9) + 0.1 * fold + 0.01 * seed
        folder = self.folder / "_".join(job)
        folder.mkdir(exist_ok=True)
        result = {
            "status": "finished",
            "monitor": self.monitor,
            self.monitor: self.sign * value,
            "verdict": {"kind": "memorizes" if self.copied in job else "generalizes"},
            "images_seen": 100,
            "images_per_second": 10,
        }
        (folder / "result.json").write_text(json.dumps(result))
        return folder


def strengths(found: Raced) -> list[float]:
    return [axis for (axis,) in found.candidate.strengths]


def test_strengths_that_are_ruled_out_get_no_further_rounds_and_0_gets_all(tmp_path):
    found = raced(R1, RULES, Launcher(tmp_path))
    rounds = {one: sum(fit.strength == (one,) for fit in found.scores) for one in strengths(found)}
    assert rounds == {0.0: 10, 0.1: 5, 1.0: 10, 10.0: 5}
    assert found.dropped == {(0.1,): 5, (10.0,): 5}
    assert all(one.score.cost == 10 for one in found.trained.values())


def test_without_pruning_all_get_all(tmp_path):
    found = raced(R1, RULES.__class__(**{**vars(RULES), "prune": None}), Launcher(tmp_path))
    assert len(found.scores) == 40


def test_however_many_workers_there_are_the_scores_are_the_same(tmp_path):
    one = raced(R1, RULES, Launcher(tmp_path))
    launcher = Launcher(tmp_path)
    many = raced(R1, RULES.__class__(**{**vars(RULES), "n_jobs": 3}), launcher)
    told = [{fit: repr(score) for fit, score in found.scores.items()} for found in (one, many)]  # nan is not nan
    assert told[0] == told[1]
    assert all(len(batch) % 3 == 0 for batch in launcher.batches[:-1])


def test_the_first_round_is_run_alone_and_then_all_until_one_may_be_dropped(tmp_path):
    launcher = Launcher(tmp_path)
    raced(R1, RULES, launcher)
    assert [len(batch) for batch in launcher.batches] == [4, 16, 2, 2, 2, 2, 2]


def test_a_refinement_adds_strengths_around_the_best_and_keeps_what_was_run(tmp_path):
    launcher = Launcher(tmp_path)
    found = raced(R1, RULES.__class__(**{**vars(RULES), "refine": 1}), launcher)
    assert strengths(found) == [0, 0.1, 0.32, 1, 3.2, 10]
    jobs = ["_".join(job) for batch in launcher.batches for job in batch]
    assert len(jobs) == len(set(jobs))


def test_where_more_is_better_the_same_strengths_are_ruled_out_and_refined(tmp_path):
    class Negative(Launcher):
        sign, monitor = -1, "val/generalization"

    rules = RULES.__class__(**{**vars(RULES), "refine": 1})
    lower, higher = (
        raced(R1, rules, Launcher(tmp_path)),
        raced(R1, RULES.__class__(**{**vars(rules), "higher": True}), Negative(tmp_path)),
    )
    assert higher.dropped == lower.dropped and strengths(higher) == strengths(lower) == [0, 0.1, 0.32, 1, 3.2, 10]
    signed = {fit: -score.held_out for fit, score in higher.scores.items()}
    assert signed == {fit: score.held_out for fit, score in lower.scores.items()}


def test_a_memorizing_strength_rules_out_no_other_and_is_not_refined(tmp_path):
    class Copying(Launcher):
        copied = "lambda_d=1"

    found = raced(R1, RULES, Copying(tmp_path))
    rounds = {one: sum(fit.strength == (one,) for fit in found.scores) for one in (0.1, 1.0, 10.0)}
    assert rounds == {0.1: 10, 1.0: 10, 10.0: 10}
    assert all(trained.score.memorizes == (fit.strength == (1.0,)) for fit, trained in found.trained.items())
    finer = raced(R1, RULES.__class__(**{**vars(RULES), "refine": 1}), Copying(tmp_path))
    assert strengths(finer) == [0, 0.01, 0.1, 0.32, 1, 10]  # around 0.1, the best of the others


def test_a_failed_unit_is_no_score(tmp_path):
    class Failing(Launcher):
        def one(self, job):
            folder = super().one(job)
            if "lambda_d=1" in job:
                (folder / "error.txt").write_text(
                    "Traceback\nregen.errors.ConfigError: data.batch_size=9 is too large\n"
                )
            return folder

    with pytest.raises(Failed, match=r"data\.batch_size=9 is too large"):
        raced(R1, RULES, Failing(tmp_path))


def test_a_unit_is_told_its_strength_its_fold_and_its_seed():
    told = overrides(R1, Fit((0.1,), fold=2, seed=7), range(5))
    assert told == ["data=ring", "regularizer=r1", "lambda_d=0.1", "data.folds=5", "data.fold=2", "seed=7"]
    assert overrides(R1, Fit((0.0,), 0, 7), (None,)) == ["data=ring", "regularizer=none", "seed=7"]
