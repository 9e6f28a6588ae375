"""Short trainings before the first fit, which measure what a fit costs on the machine that trains the fits."""

import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.config.command_line import options_of_single_run
from regen.cross_validation.fits import Failed, FitRunner
from regen.cross_validation.plan import Cost
from regen.sweeps import isolation
from regen.utils import program
from regen.utils.json_files import read_json

FRACTION = 20  # a short training has a twentieth of the iterations
SELDOM = ("trainer.progress_bar=false", "save_every=1000000", "evaluate_every=1000000000")
FEWEST = 20  # iterations: the first ones are slower


def measure_cost(
    fits: FitRunner, jobs: Sequence[Sequence[str]], n_jobs: int, evaluations: int, iterations: int, folder: Path
) -> Cost:
    """Return the cost of the most expensive of these fits, which are trained briefly, as many at once as later.

    A first training of two iterations fills the caches, so that what is done once counts for no fit.

    fits        runs the trainings if it sends fits to other machines; else they are processes of this one
    jobs        overrides of src/train.py
    n_jobs      fits at once
    evaluations of a fit
    iterations  of a fit
    folder      for the short trainings; it is removed

    Raises Failed with the last line of what a training says if it fails.
    """
    short = min(iterations, max(FEWEST, iterations // FRACTION))
    try:
        _train(fits, [jobs[0]], 2, folder / "first")
        groups = [jobs[place : place + n_jobs] for place in range(0, len(jobs), n_jobs)]
        parts = [_train(fits, group, short, folder / f"group_{place}") for place, group in enumerate(groups)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    costs = [_cost(result, evaluations, short) for results in parts for result in results]
    return max(costs, key=lambda cost: cost.seconds(iterations))


def _train(fits: FitRunner, jobs: Sequence[Sequence[str]], iterations: int, folder: Path) -> list[dict[str, Any]]:
    """Return the result.json of short trainings, which show, save and measure nothing before their end."""
    jobs = [[*job, f"max_iterations={iterations}", *SELDOM] for job in jobs]
    if not fits.is_remote:
        return _train_here([[*job, *fits.shared[1:]] for job in jobs], folder)  # not the name of the sweep
    distinct = [[*job, f"seed={number}"] for number, job in enumerate(jobs)]  # repeated jobs would share a folder
    results = [read_json(place / "result.json") for place in fits.with_folder(folder).run(distinct)]
    _check(results, [""] * len(results))
    return results


def _train_here(jobs: Sequence[Sequence[str]], folder: Path) -> list[dict[str, Any]]:
    folders = [folder / str(number) for number in range(len(jobs))]
    running = [_start(job, place) for job, place in zip(jobs, folders, strict=True)]
    try:
        errors = [process.communicate()[1] for process in running]
    finally:
        for process in running:
            process.kill()
    results = [read_json(place / "result.json") for place in folders]
    _check(results, errors)
    return results


def _check(results: Sequence[dict[str, Any]], errors: Sequence[str]) -> None:
    """Raise Failed with the last line of what a training printed if it failed."""
    for error, result in zip(errors, results, strict=True):
        if result.get("status") not in ("finished", "diverged") or not result.get("seconds"):
            said = (error.strip().splitlines() or [result.get("reason") or "it has no result"])[-1]
            raise Failed(f"\n  a short training that measures the time failed: {said}")


def _start(job: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    options = options_of_single_run(sys.argv[1:])
    command = [*program.process_arguments("train"), *options, *job, f"hydra.run.dir={folder}"]
    ends = isolation.kill_with_parent
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=ends)


def _cost(result: dict[str, Any], evaluations: int, iterations: int) -> Cost:
    images = result["images_seen"] / max(1, result["iteration"])
    speed = float(result.get("images_per_second") or math.inf)
    an_iteration = images / speed if speed > 0 else 0.0
    evaluation = float(result.get("seconds_an_evaluation") or 0.0)
    start = max(0.0, float(result["seconds"]) - iterations * an_iteration - evaluation)
    return Cost(an_iteration, evaluation, evaluations, start)
