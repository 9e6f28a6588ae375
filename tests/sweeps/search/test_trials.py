"""Commands in one folder share the trials of a study; none is lost, and none is made twice."""

import math
import os
import time
from pathlib import Path

import optuna
import pytest
from helpers.forked_processes import killed_when
from helpers.optuna_trials import done, study_in, trials_in
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

from regen.errors import ConfigError
from regen.sweeps.search.samplers import Grid, quasi_random
from regen.sweeps.search.study import JOURNAL, JournalLock, home, open_study, storage


def states(folder) -> list[str]:
    return [trial.state.name for trial in study_in(folder).trials]


def test_two_commands_draw_different_trials_and_as_many_as_are_wanted(tmp_path) -> None:
    one, other = (trials_in(tmp_path, wanted=3) for _ in range(2))
    claims = [*one.claim(2), *other.claim(2)]
    assert [claim.trial.number for claim in claims] == [0, 1, 2]
    assert len({tuple(claim.overrides) for claim in claims}) == 3
    assert other.others_train() and not other.claim(2)
    for trials, claim in zip((one, one, other), claims, strict=True):
        done(trials, claim)
    assert not other.others_train()
    assert states(tmp_path) == ["COMPLETE"] * 3


def test_trial_of_a_dead_command_is_taken_over_with_the_settings(tmp_path) -> None:
    (left,) = trials_in(tmp_path).claim(1)
    left.lock.release()  # as the end of a process does
    (taken,) = trials_in(tmp_path).claim(1)
    assert (taken.trial.number, taken.overrides) == (left.trial.number, left.overrides)


def test_a_command_takes_a_trial_over_once(tmp_path) -> None:
    trials = trials_in(tmp_path, wanted=1)
    (claim,) = trials.claim(1)
    done(trials, claim, "interrupted")  # its job was killed, not the command
    assert states(tmp_path) == ["RUNNING"]
    assert not trials.claim(1) and not trials.others_train()
    assert len(trials_in(tmp_path, wanted=1).claim(1)) == 1


def test_trial_abandoned_while_drawing_is_drawn(tmp_path) -> None:
    study_in(tmp_path).ask()
    (claim,) = trials_in(tmp_path).claim(1)
    assert claim.trial.number == 0 and claim.overrides[0].startswith("x=")


@pytest.mark.parametrize(
    ("status", "value", "state", "reported"),
    [
        ("finished", 2.5, "COMPLETE", 2.5),
        ("finished", "nan", "COMPLETE", math.inf),
        ("diverged", 2.5, "COMPLETE", math.inf),
        ("pruned", 2.5, "PRUNED", None),
        ("failed", 2.5, "FAIL", None),
    ],
)
def test_study_gets_the_value_of_a_job(tmp_path, status, value, state, reported) -> None:
    trials = trials_in(tmp_path)
    (claim,) = trials.claim(1)
    done(trials, claim, status, value)
    (trial,) = study_in(tmp_path).trials
    assert (trial.state.name, trial.value) == (state, reported)
    assert trial.user_attrs["status"] == status


def test_diverged_trial_ranks_worst_where_higher_is_better(tmp_path) -> None:
    trials = trials_in(tmp_path, higher=True)
    for claim, status in zip(trials.claim(2), ("diverged", "finished"), strict=True):
        done(trials, claim, status)
    assert study_in(tmp_path).best_trial.number == 1


def test_the_next_command_tries_failed_trials_again_and_once(tmp_path) -> None:
    trials = trials_in(tmp_path, wanted=2)
    first, second = trials.claim(2)
    done(trials, first, "failed")
    done(trials, second)
    again = trials_in(tmp_path, wanted=2)
    again.try_failed_again()
    (claim,) = again.claim(2)
    assert claim.overrides == first.overrides
    (tmp_path / f"job_{claim.trial.number}").mkdir()
    done(again, claim)
    assert states(tmp_path) == ["FAIL", "COMPLETE", "COMPLETE"]
    last = trials_in(tmp_path, wanted=2)
    last.try_failed_again()
    assert not last.claim(1)


def test_a_grid_is_gone_through_once_by_all_commands_together(tmp_path) -> None:
    def grid(number: int) -> Grid:
        return Grid(lambda most: {"x": [i / (most - 1) for i in range(most)]}, sequence_seed=7, points=3)

    one, other = (trials_in(tmp_path, wanted=99, sampler=grid) for _ in range(2))
    claims = [*one.claim(2), *other.claim(2)]
    assert sorted(claim.overrides[0] for claim in claims) == ["x=0.0", "x=0.5", "x=1.0"]
    for claim in claims:
        done(one, claim)
    assert one.wanted == 3 and not one.claim(1)


def test_grid_has_no_axis_besides_the_declared_axes(tmp_path) -> None:
    trials = trials_in(tmp_path, sampler=lambda number: Grid(lambda most: {"y": [1, 2]}, sequence_seed=0, points=2))
    with pytest.raises(ConfigError, match="same axes for all jobs: type x"):
        trials.claim(1)


def test_processes_draw_from_a_common_sequence(tmp_path) -> None:
    one, other = (trials_in(tmp_path, wanted=9, sampler=lambda number: quasi_random(7, "sobol")) for _ in range(2))
    drawn = []
    for trials in (one, other) * 4:
        (claim,) = trials.claim(1)
        drawn.append(claim.trial.params["x"])
        done(trials, claim)
    assert len({int(x * 8) for x in drawn[1:]}) >= 6  # the first is drawn at random; seven of eight intervals, say


def test_a_line_that_was_not_finished_is_cut_off(tmp_path) -> None:
    study_in(tmp_path).ask()
    with open(tmp_path / JOURNAL, "ab") as file:
        file.write(b'{"op_code": 4, "wor')
    assert states(tmp_path) == ["RUNNING"]
    study_in(tmp_path).ask()
    assert states(tmp_path) == ["RUNNING", "RUNNING"]


def test_a_killed_process_lets_go_of_the_journal(tmp_path) -> None:
    study_in(tmp_path)

    def hold() -> None:
        JournalLock(tmp_path / JOURNAL).acquire()
        (tmp_path / "held").touch()
        time.sleep(60)

    killed_when((tmp_path / "held").exists, hold)
    study_in(tmp_path).ask()  # within the test's time


def test_study_answers_a_single_question(tmp_path) -> None:
    study_in(tmp_path)
    with pytest.raises(ConfigError, match=r"it was seed=0 and is data.subset=9 seed=1\. Type another sweep="):
        open_study(tmp_path, None, ["seed=1", "data.subset=9"], lambda: False)


def test_a_database_is_shared_by_folders_that_do_not_judge_each_others_trials(tmp_path) -> None:
    url, folders = f"sqlite:///{tmp_path}/study.db", [tmp_path / place / "mine" for place in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    studies = [open_study(folder, url, [], lambda: False) for folder in folders]
    from regen.sweeps.search.trials import Trials

    def trials(at: int) -> Trials:
        draw = lambda trial: [f"x={trial.suggest_float('x', 0, 1)}"]  # noqa: E731
        return Trials(studies[at], folders[at], 2, draw, lambda n: optuna.samplers.RandomSampler(n), home(folders[at]))

    (claim,) = trials(0).claim(1)
    claim.lock.release()
    (other,) = trials(1).claim(2)  # a new one: whether the first still trains cannot be known here
    assert (claim.trial.number, other.trial.number) == (0, 1)
    assert [one.trial.number for one in trials(0).claim(2)] == [0]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files")
def test_a_database_is_let_go_of_between_two_questions(tmp_path) -> None:
    study = open_study(tmp_path, f"sqlite:///{tmp_path}/study.db", [], lambda: False)
    study.ask().report(1.0, step=1)
    opened = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [one for one in opened if one.endswith("study.db")]


def test_tables_that_another_command_creates_at_the_same_time_are_used(tmp_path) -> None:
    url, created = f"sqlite:///{tmp_path}/study.db", []

    def create_before(connection, cursor, statement: str, *_: object) -> None:
        if statement.lstrip().startswith("CREATE TABLE") and not created:
            created.append(statement)
            storage(tmp_path, url)

    event.listen(Engine, "before_cursor_execute", create_before)
    try:
        assert optuna.get_all_study_names(storage(tmp_path, url)) == []
    finally:
        event.remove(Engine, "before_cursor_execute", create_before)
    assert created


def test_a_database_that_cannot_be_opened_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.storage: "):
        storage(tmp_path, "nothing://here")


def test_infinity_survives_the_journal(tmp_path) -> None:
    study = study_in(tmp_path)
    study.tell(study.ask(), math.inf)
    assert study_in(tmp_path).trials[0].value == math.inf and study_in(tmp_path).trials[0].state == TrialState.COMPLETE
