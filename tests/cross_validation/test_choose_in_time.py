"""src/choose.py states its plan and its progress, keeps a budget, and answers when it is interrupted."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers.cross_validation_runs import FIT, chosen, typed
from helpers.forked_processes import forked

R1 = ("regularizer=r1", "lambda_d=0,1", "n_jobs=1", "folds=2")


def results(folder: Path) -> list[Path]:
    return list(folder.glob("*/result.json"))


@pytest.mark.slow
def test_interrupted_choice_prints_the_result_so_far_and_continues_when_typed_again(
    tmp_path, monkeypatch, capsys
) -> None:
    folder, text = tmp_path / "sweep", tmp_path / "said"
    command = (*FIT, *R1, "rounds=3", f"hydra.sweep.dir={folder}")

    def run() -> None:
        with open(text, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            typed(monkeypatch, *command, status=75)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    child = forked(run)
    while len(results(folder)) < 3:
        time.sleep(0.01)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), text.read_text()
    os.kill(child, signal.SIGINT)
    os.waitpid(child, 0)
    said = text.read_text()
    assert "Interrupted. The answer so far" in said
    assert "python src/train.py data=ring" in said
    before = {path: path.stat().st_mtime_ns for path in results(folder)}
    rounds = chosen(folder)["answers"][0]["rounds"]
    assert 1 <= len(rounds) < 3
    typed(monkeypatch, *command)
    finished = chosen(folder)["answers"][0]
    assert finished["rounds"][: len(rounds)] == rounds and len(finished["rounds"]) > len(rounds)
    unchanged = [path for path, stamp in before.items() if path.stat().st_mtime_ns == stamp]
    assert len(unchanged) >= 2 * len(rounds)


@pytest.mark.slow
def test_budget_is_planned_from_short_trainings_and_the_choice_ends_with_a_result(
    tmp_path, monkeypatch, capsys
) -> None:
    folder = tmp_path / "sweep"
    typed(monkeypatch, *FIT, *R1, "rounds=2", "budget=10min", f"hydra.sweep.dir={folder}")
    shown = capsys.readouterr().out
    plan, first, second = (
        shown.index(words) for words in ("Plan: r1 lambda_d in 0, 1", "r1, 1 of at most 2", "r1, 2 of")
    )
    assert plan < first < second < shown.index("The final model")
    assert "4 fits of 4 iterations at most, 1 at once" in shown
    assert re.search(
        r"1 of at most 2 rounds: \S+ leads \(mean rank 1\.0.*still in: 0, 1; at most 2 fits and .* left", shown
    )
    assert re.search(r"Measured: about \d+ s a fit, \d+ \w+ for all at most; budget 10min", shown)
    assert "Nothing is cut" in shown and "The final model" in shown
    assert len(results(folder)) == 4 and not (folder / ".probe").exists()
    assert chosen(folder)["settings"]["budget"] == "10min"


@pytest.mark.slow
def test_untrainable_configuration_is_reported_while_time_is_measured(tmp_path, monkeypatch, capsys) -> None:
    folder = tmp_path / "sweep"
    typed(monkeypatch, *FIT, *R1, "data.batch_size=999", "budget=1min", f"hydra.sweep.dir={folder}", status=78)
    assert "data.batch_size=999 is larger" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["budget=0", "budget=30", "budget=later"])
def test_budgets_that_are_not_durations_are_refused(words, monkeypatch, capsys) -> None:
    typed(monkeypatch, *FIT, *R1, words, status=78)
    assert f"{words}: expected a duration, like budget=30min" in capsys.readouterr().err
