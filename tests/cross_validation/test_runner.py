"""Which fits are run: batches for idle workers, until the answer is clear or time is up, and finer around the best."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest

from regen.cross_validation.candidate import Axis, Candidate
from regen.cross_validation.fits import Failed
from regen.cross_validation.runner import CandidateRunner, Raced, Rules, count_fits_left, overrides
from regen.cross_validation.score_table import Fit, Round, Table

R1 = Candidate("r1", ("data=ring",), (Axis("lambda_d", (0.0, 0.1, 1.0, 10.0)),), whole=True)
ROUNDS = tuple(Round(seed, seed) for seed in range(10))
RULES = Rules(ROUNDS, folds=5, level=0.05, stop_early=True, n_jobs=1, refine_rounds=0, higher=False)
FULL = replace(RULES, stop_early=False)
FIT = 7.0  # seconds


class Launcher:
    """Represents Hydra's launcher: the result of a fit is 1 + log10(λ)² and a little by round; its best strength is 1.

    sign     of the result; monitor: its name
    copied   the override with which runs memorize
    """

    sign, monitor, copied = 1, "val/fd", None

    def __init__(self, folder: Path) -> None:
        self.folder, self.batches = folder, []

    def __call__(self, jobs: list[list[str]]) -> list[Path]:
        self.batches.append(jobs)
        return [self.train(job) for job in jobs]

    def train(self, job: list[str]) -> Path:
        typed = dict(override.split("=") for override in job)
        strength, seed = float(typed.get("lambda_d", 0)), int(typed["seed"])
        value = 1 + (math.log10(strength) ** 2 if strength else 9) + 0.1 * seed
        folder = self.folder / "_".join(job)
        folder.mkdir(exist_ok=True)
        result = {
            "status": "finished",
            "monitor": self.monitor,
            self.monitor: self.sign * value,
            "diagnosis": {"kind": "memorizes" if self.copied in job else "generalizes"},
            "iteration": 25,
            "images_seen": 100,
            "images_per_second": 20,
            "seconds": FIT,
        }
        (folder / "result.json").write_text(json.dumps(result))
        return folder


def raced(rules: Rules, launcher: Launcher, candidate: Candidate = R1) -> Raced:
    return CandidateRunner(candidate, rules, launcher).run()


def strengths(found: Raced) -> list[float]:
    return [value for (value,) in found.candidate.strengths]


def scores(found: Raced) -> dict[Fit, str]:
    return {fit: repr(score) for fit, score in found.scores.items()}  # nan is not nan


def test_the_lower_half_of_the_strengths_is_dropped_and_a_clear_answer_ends_the_rounds(tmp_path):
    found = raced(RULES, Launcher(tmp_path))
    rounds = {one: sum(fit.strength == (one,) for fit in found.scores) for one in strengths(found)}
    assert found.dropped == {(10.0,): 3}
    assert rounds == {0.0: 7, 0.1: 7, 1.0: 7, 10.0: 3} and found.rounds == 10
    assert found.ended == "the claim is made after 7 of 10 rounds" and found.level < 0.05


def test_costs_are_seconds_of_training_and_fits_have_lengths(tmp_path):
    trained = raced(RULES, Launcher(tmp_path)).trained.values()
    assert {(fit.score.cost, fit.seconds, fit.iterations) for fit in trained} == {(5.0, FIT, 25)}


def test_without_stopping_early_all_strengths_get_all_rounds(tmp_path):
    found = raced(FULL, Launcher(tmp_path))
    assert len(found.scores) == 40 and found.level == 0.05


@pytest.mark.parametrize("n_jobs", [2, 3, 5, 7])
def test_scores_are_the_same_for_any_number_of_workers_and_batches_are_filled(n_jobs, tmp_path):
    alone, launcher = raced(RULES, Launcher(tmp_path)), Launcher(tmp_path)
    several = raced(replace(RULES, n_jobs=n_jobs), launcher)
    assert scores(several) == scores(alone)
    assert (several.dropped, several.ended, several.level) == (alone.dropped, alone.ended, alone.level)
    assert len(launcher.batches[0]) == 4  # what cannot be trained fails there
    assert all(len(batch) % n_jobs == 0 for batch in launcher.batches[1:])


def test_no_fit_is_run_twice(tmp_path):
    launcher = Launcher(tmp_path)
    raced(replace(RULES, n_jobs=3, refine_rounds=2), launcher)
    jobs = ["_".join(job) for batch in launcher.batches for job in batch]
    assert len(jobs) == len(set(jobs))


def test_after_each_batch_the_runner_is_passed_to_the_caller(tmp_path):
    seen = []
    runner = CandidateRunner(R1, RULES, Launcher(tmp_path), lambda runner: seen.append(runner.race.done))
    assert runner.most_fits_left == 10 + 3 * 3 + 2 * 4 + 3 * 1
    runner.run()
    assert seen == list(range(1, 8)) and runner.most_fits_left == 0 and runner.seconds == FIT


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_deadline_that_no_batch_can_meet_ends_the_race_with_complete_rounds(n_jobs, tmp_path):
    launcher = Launcher(tmp_path)
    rules = replace(FULL, n_jobs=n_jobs, deadline=time.monotonic() + FIT)  # 4 fits take 4 or 2 times as long
    found = raced(rules, launcher)
    assert len(launcher.batches) == 1 and len(found.scores) == 4
    assert Table(found.scores).complete.all()
    assert found.ended == "the budget ended the rounds after 1 of 10"


def test_deadline_within_a_round_leaves_out_the_scores_of_that_round(tmp_path):
    class Slow(Launcher):
        def __call__(self, jobs):
            time.sleep(max(0.0, deadline - time.monotonic()) if len(self.batches) == 1 else 0)
            return super().__call__(jobs)

    deadline = time.monotonic() + 0.5
    found = raced(replace(FULL, n_jobs=7, deadline=deadline + FIT - 0.3), Slow(tmp_path))
    table = Table(found.scores)
    assert table.complete.all() and (len(found.scores), len(found.trained)) == (8, 11)


def test_a_deadline_in_the_past_runs_nothing(tmp_path):
    launcher = Launcher(tmp_path)
    found = raced(replace(RULES, deadline=time.monotonic() - 1), launcher)
    assert not launcher.batches and not found.scores
    assert found.ended == "the budget ended the rounds after 0 of 10"


def test_the_result_so_far_is_known_after_an_interruption(tmp_path):
    class Interrupted(Launcher):
        def __call__(self, jobs):
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().__call__(jobs)

    runner = CandidateRunner(R1, RULES, Interrupted(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    assert len(runner.raced.scores) == 8 and runner.raced.ended is None


def test_refinement_adds_strengths_around_the_best_and_keeps_finished_fits(tmp_path):
    found = raced(replace(RULES, refine_rounds=1), Launcher(tmp_path))
    assert strengths(found) == [0, 0.1, 0.32, 1, 3.2, 10]


def test_where_more_is_better_the_same_strengths_are_dropped_and_refined(tmp_path):
    class Negative(Launcher):
        sign, monitor = -1, "val/generalization"

    rules = replace(RULES, refine_rounds=1)
    lower, higher = raced(rules, Launcher(tmp_path)), raced(replace(rules, higher=True), Negative(tmp_path))
    assert higher.dropped == lower.dropped and strengths(higher) == strengths(lower) == [0, 0.1, 0.32, 1, 3.2, 10]
    signed = {fit: -score.held_out for fit, score in higher.scores.items()}
    assert signed == {fit: score.held_out for fit, score in lower.scores.items()}


def test_a_memorizing_strength_is_dropped_first_and_not_refined(tmp_path):
    class Copying(Launcher):
        copied = "lambda_d=1"

    found = raced(RULES, Copying(tmp_path))
    assert found.dropped == {(1.0,): 3}
    assert all(trained.score.memorizes == (fit.strength == (1.0,)) for fit, trained in found.trained.items())
    finer = raced(replace(RULES, refine_rounds=1), Copying(tmp_path))
    assert strengths(finer) == [0, 0.01, 0.1, 0.32, 1, 10]  # around 0.1, the best of the others


def test_a_failed_fit_is_no_score(tmp_path):
    class Failing(Launcher):
        def train(self, job):
            folder = super().train(job)
            if "lambda_d=1" in job:
                words = "Traceback\nregen.errors.ConfigError: data.batch_size=9 is too large\n"
                (folder / "error.txt").write_text(words)
            return folder

    with pytest.raises(Failed, match=r"data\.batch_size=9 is too large"):
        raced(RULES, Failing(tmp_path))


def test_overrides_of_a_fit_hold_strength_fold_and_seed():
    typed = overrides(R1, Fit((0.1,), fold=2, seed=7), 5)
    assert typed == ["data=ring", "regularizer=r1", "lambda_d=0.1", "data.folds=5", "data.fold=2", "seed=7"]
    assert overrides(R1, Fit((0.0,), 0, 7), None) == ["data=ring", "regularizer=none", "seed=7"]


def test_fits_at_0_that_candidates_share_are_left_once(tmp_path):
    rules = replace(RULES, rounds=tuple(Round(seed, seed) for seed in range(8)))
    norm = Candidate("spectral_norm", (), (Axis("", (0.0, 1.0)),), whole=True)
    launcher = Launcher(tmp_path)
    first, second = CandidateRunner(R1, rules, launcher), CandidateRunner(norm, rules, launcher)
    assert count_fits_left([first, second]) == first.most_fits_left + 8
    first.run()
    assert count_fits_left([first, second]) == second.most_fits_left - first.race.done
