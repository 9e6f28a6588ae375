"""A run that was interrupted and resumed is the uninterrupted one: weights, optimizers, average and log, bit for bit."""

import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from helpers.forked_processes import killed_when
from helpers.run_equality import assert_equal, assert_same_run, log_of

from regen.core import checkpoint

# 100 images in batches of 16: passes end in the middle of iterations 7, 13 and 19
RUN = ("data.subset=100", "data.batch_size=16", "regularizer=[l2,r1,spectral_norm,diffaugment]", "evaluate_every=8")
LAST = 20


@pytest.fixture(scope="module")
def whole(train_once) -> Path:
    """The uninterrupted run."""
    return train_once(*RUN, f"max_iterations={LAST}", folder="whole")


def test_interrupted_at_any_iteration_and_resumed_equals_uninterrupted(train, whole) -> None:
    part = train(*RUN, "max_iterations=1")
    for boundary in (5, 7, 8, 13, 19, LAST):
        train(f"resume={part}", f"max_iterations={boundary}", smoke=False)
    assert_same_run(whole, part, LAST)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 0)])
def test_number_of_workers_and_a_change_of_workers_change_nothing(train, whole, before: int, after: int) -> None:
    part = train(*RUN, "max_iterations=7", f"data.workers={before}", folder="part")
    train(f"resume={part}", f"max_iterations={LAST}", f"data.workers={after}", smoke=False)
    assert_same_run(whole, part, LAST)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(train, tmp_path: Path) -> None:
    run = [*RUN, "save_every=40", "evaluate_every=9999999"]
    part = tmp_path / "part"
    saved = lambda: len(list(part.glob("checkpoints/iteration_*"))) == 2  # noqa: E731
    killed_when(saved, lambda: train(*run, "max_iterations=4000", folder="part"))
    reached = checkpoint.newest(part / "checkpoints")["iteration"]
    train(f"resume={part}", f"max_iterations={reached + 30}", smoke=False)
    whole = train(*run, f"max_iterations={reached + 30}", folder="whole")
    assert_same_run(whole, part, reached + 30)


def test_a_signal_ends_the_run_between_iterations_with_a_checkpoint(train) -> None:
    def send() -> None:
        while not list(folder.glob("checkpoints/iteration_*")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    folder = train(*RUN, "max_iterations=1", folder="first").parent / "run"
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    train(*RUN, "max_iterations=1000000", "save_every=10", status=75)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "interrupted"
    assert result["reason"] == "SIGTERM received"
    assert checkpoint.newest(folder / "checkpoints")["iteration"] == result["iteration"]
    last = result["iteration"] + 7
    train(f"resume={folder}", f"max_iterations={last}", smoke=False)
    whole = train(*RUN, "save_every=10", f"max_iterations={last}", folder="whole")
    assert_same_run(whole, folder, last)


def test_damaged_checkpoint_is_noticed_and_the_previous_checkpoint_used(train, whole) -> None:
    part = train(*RUN, "max_iterations=12", folder="part")
    newest = part / "checkpoints/iteration_000000012.ckpt"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    train(f"resume={part}", f"max_iterations={LAST}", smoke=False)
    assert_same_run(whole, part, LAST)


@pytest.fixture(scope="module")
def short(train_once) -> tuple[Path, Path]:
    """Of one command: the uninterrupted run, and one that ended at iteration 7."""
    run = (*RUN[:2], "regularizer=r1")
    return train_once(*run, f"max_iterations={LAST}"), train_once(*run, "max_iterations=7", folder="part")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["trainer=gpu"], "torch finds no GPU"),
        (["lambda_g=0.5"], "lambda_g=0.5: no chosen regularizer has that strength"),
        (["network.generator.hidden=[9]"], r"network\.generator\.hidden was \[[\d,]+\] and is \[9\]\. Leave them out"),
    ],
    ids=str,
)
def test_refused_request_to_resume_leaves_the_run_unchanged(short, train, tmp_path, capsys, typed, words) -> None:
    part = shutil.copytree(short[1], tmp_path / "part")
    result = (part / "result.json").read_text()
    train(f"resume={part}", *typed, f"max_iterations={LAST}", smoke=False, status=78)
    assert re.search(words, capsys.readouterr().err)
    assert (part / "result.json").read_text() == result
    train(f"resume={part}", f"max_iterations={LAST}", smoke=False)
    assert_same_run(short[0], part, LAST)


def test_resumed_run_keeps_the_figures_when_interrupted_again(train) -> None:
    part = train(*RUN, "evaluate_every=4", "max_iterations=9", "save_every=9")  # evaluated at iterations 4, 8 and 9
    figures = checkpoint.newest(part / "checkpoints")["figures"]
    assert figures["val/fd"] > 0
    train(f"resume={part}", "max_iterations=10", "evaluate_every=999999", smoke=False)
    assert checkpoint.newest(part / "checkpoints")["figures"] == figures


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["loss=hinge"], "loss was Nonsaturating and is Hinge"),
        (["data=shapes"], "data was digits and is shapes"),
        (["regularizer=l2"], r"regularizer was \[r1\] and is \[l2\]"),
        (["lambda_d=0.5"], r"regularizer\.r1\.lambda_d was 10\.0 and is 0\.5"),
        (["seed=1"], "seed was 0 and is 1"),
        (
            ["data.subset=99", "data.fold=1", "data.folds=3"],
            "data.subset was 100 and is 99, data.folds was null and is 3, ",
        ),
        (["model.optimizer_d.lr=0.007"], "model.optimizer_d.lr was 0.0004 and is 0.007"),
        (["metrics/features=imagenet"], "metrics.features was Auto and is ImageNet"),
        (["trainer.precision=bf16-mixed"], "trainer.precision was 32-true and is bf16-mixed"),
        (["data.batch_size=8"], "16 images an iteration"),
    ],
    ids=str,
)
def test_settings_that_make_another_run_are_refused_by_name(short, train, capsys, typed, words) -> None:
    train(f"resume={short[1]}", *typed, f"max_iterations={LAST}", smoke=False, status=78)
    assert re.search(words, capsys.readouterr().err)


def test_settings_that_do_not_make_another_run_may_change(short, train, tmp_path) -> None:
    part = shutil.copytree(short[1], tmp_path / "part")
    changed = (
        "log_every=50",
        "save_every=3",
        "patience=9",
        "name=x",
        "tags=[y]",
        "iterations_per_call=2",
        "evaluation_samples=50",
    )
    typed = (*changed, "metrics=[frechet]", "monitor=val/fd", "trainer.threads=1", "data.workers=1")
    train(f"resume={part}", *typed, f"max_iterations={LAST}", smoke=False)
    states = [checkpoint.load(folder / f"checkpoints/iteration_{LAST:09d}.ckpt") for folder in (short[0], part)]
    assert_equal(*(state["model"] for state in states))


def test_a_finished_run_is_not_trained_again(train) -> None:
    part = train(*RUN, "max_iterations=6")
    before = log_of(part)
    train(f"resume={part}", smoke=False)
    assert log_of(part) == before
    assert json.loads((part / "result.json").read_text())["status"] == "finished"


def test_a_shorter_length_on_resuming_reports_the_iterations_that_were_trained(train, capsys) -> None:
    part = train(*RUN, "max_iterations=6")
    train(f"resume={part}", "max_iterations=2", smoke=False)
    assert "has trained 6 iterations: type max_iterations=N, N > 6" in capsys.readouterr().out
