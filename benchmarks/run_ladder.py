"""The ladder of known truths: python benchmarks/run_ladder.py [--mnist FOLDER] [--photos FOLDER] [--write]

Evaluates sets of images of which the truth is known (unseen real images, copies, blur, missing classes and more) on several
data sets, and prints how often the diagnosis is right. --write puts the table into docs/verdicts.md.
"""

import argparse
import sys
from pathlib import Path

from regen.utils.lazy_imports import loading


def main(given: list[str] | None = None) -> int:
    """Print the table; 1 if fewer than 95 % of the diagnoses are right or the monitor prefers a set that is worse."""
    parser = argparse.ArgumentParser(description="The diagnosis of images of which the truth is known.")
    parser.add_argument("--mnist", metavar="FOLDER", help="a folder that holds MNIST/raw; without it MNIST is left out")
    parser.add_argument(
        "--photos", metavar="FOLDER", help="a folder of class folders of 6,000 or more colour photographs"
    )
    parser.add_argument("--short", action="store_true", help="one of each kind of set, on digits and the grid")
    parser.add_argument("--fld", action="store_true", help="compare FLD as a monitor, too: slow")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="data sets whose name in the table begins so, like 'photos, 350'"
    )
    parser.add_argument("--samples", type=int, default=2000, metavar="N", help="images in a set (default: 2000)")
    parser.add_argument(
        "--draws", type=int, metavar="N", help="only 0 and 15 %% copies of digits, N times: how often each is said"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of torch (default: 2)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/verdicts.md")
    asked = parser.parse_args(given)
    with loading():
        import torch
        from ladder import climb, table

        from regen.utils.project import ROOT

    torch.set_num_threads(asked.threads)
    cache = ROOT / "outputs/features"
    if asked.draws:
        print(table.draws(climb.repeated_draws(cache, asked.draws)))
        return 0
    cells = []
    rungs = table.chosen_rungs(asked.mnist, asked.photos, asked.short)
    rungs = (rung for rung in rungs if rung.name.startswith(asked.only))
    for cell in climb.climb(rungs, cache, asked.samples, short=asked.short, with_fld=asked.fld):
        print(table.line(cell), flush=True)
        cells.append(cell)
    print(table.summary(cells))
    if asked.write:
        print(f"wrote {table.write(cells, Path(ROOT) / table.PAGE)}")
    return int(not table.is_passed(cells))


if __name__ == "__main__":
    sys.exit(main())
