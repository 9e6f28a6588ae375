"""What measuring costs: python benchmarks/evaluation_cost.py [data.root=FOLDER] [KEY=VALUE ...]

Trains an MNIST generator for an iteration, lets src/evaluate.py measure 10,000 of its samples by all metrics, and prints how
long that took, start included, and how much memory it needed at most. The features of the data set are learnt and those of
real images computed in the first of two evaluations; the second finds them.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS, MEMORY = 60, 2000  # goals, for two cores; MB
SCRIPTS = Path(__file__).parent


def main(given: list[str]) -> int:
    """Print a line for each evaluation; 1 if a goal was missed."""
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        chosen = ["data=mnist", "network=dcgan", "logger=csv", "trainer=smoke", "max_iterations=1", *given]
        _type("train.py", *chosen, f"hydra.run.dir={folder}/run")
        for kind in ("first", "again"):
            began = time.perf_counter()
            said = _type("evaluate.py", f"run={folder}/run", "samples=10000")
            seconds = time.perf_counter() - began
            megabytes = int(re.search(r"peak memory ([\d,]+) MB", said).group(1).replace(",", ""))
            missed |= seconds > SECONDS or megabytes > MEMORY
            print(f"{kind:6} {seconds:6.1f} s (goal {SECONDS}), {megabytes:,} MB (goal {MEMORY:,})", flush=True)
    return int(missed)


def _type(script: str, *overrides: str) -> str:
    """What the script printed."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / script), *overrides], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
