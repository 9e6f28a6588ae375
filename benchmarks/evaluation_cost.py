"""Time and memory of an evaluation: python benchmarks/evaluation_cost.py [data.root=FOLDER] [KEY=VALUE ...]

Trains an MNIST generator for an iteration, evaluates 10,000 of its samples by all metrics with src/evaluate.py, and prints
the seconds that this took, start included, and its peak memory. The first of two evaluations trains the feature network and
computes the results of real images; the second reads them from the cache.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS, MEMORY = 60, 2000  # goals, for two cores; MB
SCRIPTS = Path(__file__).resolve().parent.parent / "src"


def main(given: list[str]) -> int:
    """Print a line for each evaluation; return 1 if a goal was missed."""
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        overrides = ["data=mnist", "network=dcgan", "logger=csv", "trainer=smoke", "max_iterations=1", *given]
        _run("train.py", *overrides, f"hydra.run.dir={folder}/run")
        for kind in ("first", "again"):
            start = time.perf_counter()
            output = _run("evaluate.py", f"run={folder}/run", "samples=10000")
            seconds = time.perf_counter() - start
            megabytes = int(re.search(r"peak memory ([\d,]+) MB", output).group(1).replace(",", ""))
            missed |= seconds > SECONDS or megabytes > MEMORY
            print(f"{kind:6} {seconds:6.1f} s (goal {SECONDS}), {megabytes:,} MB (goal {MEMORY:,})", flush=True)
    return int(missed)


def _run(script: str, *overrides: str) -> str:
    """Return what the script printed."""
    command = [sys.executable, str(SCRIPTS / script), *overrides]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
