"""What starting and ending cost: python benchmarks/start_time.py [--rounds N]

Python processes in turn that import what training needs and end: as train.py does it (regen.utils.lazy_imports), and plainly.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "as train.py does": "from regen.utils.lazy_imports import loading\nwith loading(): import regen.training.training_process",
    "plainly": "import regen.training.training_process",
}


def main(given: list[str] | None = None) -> None:
    """Print the median seconds of each, and of their ratios within a round."""
    parser = argparse.ArgumentParser(description="Start and end processes that are to train.")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="how often each starts (default 9)")
    rounds = range(parser.parse_args(given).rounds)
    for program in PROGRAMS.values():
        _seconds(program)  # bytecode is written, files are in memory
    taken = {name: [] for name in PROGRAMS}
    for _ in rounds:
        for name, program in PROGRAMS.items():
            taken[name].append(_seconds(program))
    for name, seconds in taken.items():
        print(f"{name:16} {statistics.median(seconds):5.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    ratios = [ours / plain for ours, plain in zip(*taken.values(), strict=True)]
    print(f"{'ratio':16} {statistics.median(ratios):5.2f}   ({min(ratios):.2f} to {max(ratios):.2f})")


def _seconds(program: str) -> float:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
