"""Signals end a run in good order wherever it is: start-up, training, evaluation; alone or as a process group."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import RING
from helpers.forked_processes import forked_command, status_of, wait_until
from omegaconf import OmegaConf

from regen.cli import entry_point
from regen.cli import train as script
from regen.core import checkpoint
from regen.training import training_process as training  # noqa: F401 - imported once, for all copies
from regen.utils import signals

RUN = (*RING, "metrics=[frechet]", "monitor=val/fd", "regularizer=none", "evaluation_samples=50")
ENDLESS = (*RUN, "max_iterations=1000000", "save_every=10", "evaluate_every=99999999", "log_every=5")


def command(folder: Path, *overrides: str):
    """The command as a call, without a test's checks of its exit status."""

    def call() -> None:
        sys.argv = ["train.py", *overrides, f"hydra.run.dir={folder}"]
        os.environ["HYDRA_FULL_ERROR"] = "1"
        entry_point.run(script.main)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("name", "workers"), [*((name, 2) for name in signals.NAMES), ("SIGINT", 0)])
def test_signal_to_the_process_group_in_training_leaves_a_checkpoint_and_status_75(tmp_path, name, workers) -> None:
    run, output = tmp_path / "run", tmp_path / "output"
    child = forked_command(command(run, *ENDLESS, f"data.workers={workers}"), output)
    wait_until(lambda: list(run.glob("checkpoints/*.ckpt")))
    os.killpg(child, getattr(signal, name))
    assert status_of(child) == 75
    result = json.loads((run / "result.json").read_text())
    assert (result["status"], result["reason"]) == ("interrupted", f"{name} received")
    assert checkpoint.newest(run / "checkpoints")["iteration"] == result["iteration"]
    assert "Traceback" not in output.read_text()


def test_second_interrupt_ends_the_process_at_once_with_130(tmp_path) -> None:
    ready = tmp_path / "ready"

    def stuck() -> None:
        with signals.handled():
            signals.defer()
            ready.touch()
            while True:
                time.sleep(0.01)

    child = forked_command(stuck, tmp_path / "output")
    wait_until(ready.exists)
    os.kill(child, signal.SIGINT)
    time.sleep(0.1)
    os.kill(child, signal.SIGINT)
    assert status_of(child) == 130
    assert (tmp_path / "output").read_text() == ""


def test_signal_during_start_up_exits_with_128_plus_number_and_names_the_signal(tmp_path) -> None:
    run, output = tmp_path / "run", tmp_path / "output"

    def slow_start() -> None:
        script.validate.check = lambda cfg: time.sleep(60)
        command(run, *ENDLESS)()

    child = forked_command(slow_start, output)
    wait_until(run.exists)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    assert status_of(child) == 128 + signal.SIGTERM
    assert output.read_text().strip() == "SIGTERM received: ended"


def test_signal_before_hydra_has_chosen_the_run_folder_exits_with_130_and_a_single_line(tmp_path) -> None:
    output = tmp_path / "output"

    def interrupted_start() -> None:
        OmegaConf.register_new_resolver("interrupt", lambda: os.kill(os.getpid(), signal.SIGINT))
        sys.argv = ["train.py", *ENDLESS, "hydra.run.dir=${interrupt:}"]
        entry_point.run(script.main)

    assert status_of(forked_command(interrupted_start, output)) == 130
    assert output.read_text().strip() == "SIGINT received: ended"


def test_signal_during_an_evaluation_saves_and_the_resumed_run_repeats_that_evaluation(tmp_path, train) -> None:
    run, output = tmp_path / "run", tmp_path / "output"
    lengths = ("max_iterations=12", "evaluate_every=6", "save_every=50", "log_every=3", "data.batch_size=64")

    def interrupted() -> None:
        from regen.metrics.evaluator import Evaluator

        measure = Evaluator.measure
        Evaluator.measure = lambda *given: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(60), measure(*given))
        command(run, *RUN, *lengths)()

    child = forked_command(interrupted, output)
    assert status_of(child) == 75
    assert checkpoint.newest(run / "checkpoints")["iteration"] == 6
    train(f"resume={run}", smoke=False)
    whole = train(*RUN, *lengths, folder="whole", smoke=False)
    from helpers.run_equality import assert_same_run

    assert_same_run(whole, run, 12)


def test_failing_cleanup_of_a_library_does_not_hide_the_signal(capsys) -> None:
    with pytest.raises(SystemExit) as left, signals.handled(), entry_point.report_errors():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            raise AttributeError  # as OmegaConf's flags do when they are restored half-way
    assert left.value.code == 128 + signal.SIGTERM
    assert "SIGTERM received: ended" in capsys.readouterr().err
