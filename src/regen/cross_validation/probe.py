"""Short trainings before the first fit, which measure what a fit costs."""

import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from regen.config.command_line import options_of_single_run
from regen.cross_validation.fits import Failed
from regen.cross_validation.plan import Cost
from regen.utils import program
from regen.utils.json_files import read_json

FRACTION = 20  # a short training has a twentieth of the iterations
FEWEST = 20  # iterations: the first ones are slower


def measure_cost(jobs: Sequence[Sequence[str]], n_jobs: int, evaluations: int, iterations: int, folder: Path) -> Cost:
    """Return the cost of the most expensive of these fits, which are trained briefly, as many at once as later.

    A first training of two iterations fills the caches, so that what is done once counts for no fit.

    jobs        overrides of src/train.py
    n_jobs      fits at once
    evaluations of a fit
    iterations  of a fit
    folder      for the short trainings; it is removed

    Raises Failed with the last line of what a training says if it fails.
    """
    short = min(iterations, max(FEWEST, iterations // FRACTION))
    try:
        _train([jobs[0]], 2, folder / "first")
        groups = [jobs[place : place + n_jobs] for place in range(0, len(jobs), n_jobs)]
        results = [one for place, group in enumerate(groups) for one in _train(group, short, folder / f"group_{place}")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return max((_cost(one, evaluations, short) for one in results), key=lambda one: one.seconds(iterations))


def _train(jobs: Sequence[Sequence[str]], iterations: int, folder: Path) -> list[dict[str, Any]]:
    """The result.json of short trainings. Raises Failed with the last line of what a training says if it fails."""
    folders = [folder / str(number) for number in range(len(jobs))]
    running = [_start(job, iterations, place) for job, place in zip(jobs, folders, strict=True)]
    try:
        errors = [one.communicate()[1] for one in running]
    finally:
        for one in running:
            one.kill()
    results = [read_json(place / "result.json") for place in folders]
    for error, result in zip(errors, results, strict=True):
        if result.get("status") not in ("finished", "diverged") or not result.get("seconds"):
            said = (error.strip().splitlines() or ["?"])[-1]
            raise Failed(f"\n  a short training that measures the time failed: {said}")
    return results


def _start(job: Sequence[str], iterations: int, folder: Path) -> subprocess.Popen[str]:
    """Start a training of this many iterations that shows, saves and measures nothing before its end."""
    seldom = ["trainer.progress_bar=false", "save_every=1000000", "evaluate_every=1000000000"]
    options = options_of_single_run(sys.argv[1:])
    words = [*options, *job, f"max_iterations={iterations}", *seldom, f"hydra.run.dir={folder}"]
    command = [*program.process_arguments("train"), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _cost(result: dict[str, Any], evaluations: int, iterations: int) -> Cost:
    images = result["images_seen"] / max(1, result["iteration"])
    speed = float(result.get("images_per_second") or math.inf)
    an_iteration = images / speed if speed > 0 else 0.0
    evaluation = float(result.get("seconds_an_evaluation") or 0.0)
    start = max(0.0, float(result["seconds"]) - iterations * an_iteration - evaluation)
    return Cost(an_iteration, evaluation, evaluations, start)
