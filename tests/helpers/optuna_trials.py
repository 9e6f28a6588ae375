"""Studies without training: jobs whose results are written by hand."""

import json
from pathlib import Path

import optuna

from regen.runs.folder import Folder
from regen.sweeps.search.study import open_study
from regen.sweeps.search.trials import Claim, Trials


def study_in(folder: Path, higher: bool = False) -> optuna.Study:
    folder.mkdir(exist_ok=True)
    return open_study(folder, None, ["seed=0"], lambda: higher)


def trials_in(folder: Path, wanted: int = 3, sampler=None, higher: bool = False) -> Trials:
    """As a command has them that searches x between 0 and 1."""
    make = sampler or (lambda number: optuna.samplers.RandomSampler(number))
    draw = lambda trial: [f"x={trial.suggest_float('x', 0, 1)}"]  # noqa: E731
    return Trials(study_in(folder, higher), folder, wanted, draw, make)


def done(
    trials: Trials,
    claim: Claim,
    status: str = "finished",
    value: float | str = 1.0,
    kind: str = "generalizes",
) -> None:
    """The claim's job ends so."""
    job = Folder(trials.folder / f"job_{claim.trial.number}")
    job.path.mkdir(exist_ok=True)
    job.result.write_text(
        json.dumps({"status": status, "monitor": "val/fd", "val/fd": value, "diagnosis": {"kind": kind}})
    )
    if status == "failed":
        (job.path / "error.txt").write_text("RuntimeError")
    trials.report(claim, job)
    claim.lock.release()
