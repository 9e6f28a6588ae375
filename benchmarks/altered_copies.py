"""Share of altered copies that is counted: python benchmarks/altered_copies.py [--mnist FOLDER] [--photos FOLDER]

Random training images of each data set of the ladder are altered (brightness, contrast, shift, size, turn) and compared with
the training set as generated images are. The first line of a data set is the share among unseen images, which should be 0.
"""

import argparse
import sys

from regen.utils.lazy_imports import loading


def main(given: list[str] | None = None) -> int:
    """Print a line for each change of each data set."""
    parser = argparse.ArgumentParser(description="How many copies that were altered are counted as copies.")
    parser.add_argument("--mnist", metavar="FOLDER", help="a folder that holds MNIST/raw; without it MNIST is left out")
    parser.add_argument("--photos", metavar="FOLDER", help="a folder of class folders of colour photographs")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="data sets whose name in the ladder begins so, like 'photos'"
    )
    parser.add_argument("--samples", type=int, default=200, metavar="N", help="images of each change (default: 200)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of torch (default: 2)")
    asked = parser.parse_args(given)
    with loading():
        import torch
        from ladder import alterations
        from ladder.rungs import rungs

    torch.set_num_threads(asked.threads)
    for rung in rungs(asked.mnist, asked.photos):
        if rung.name.startswith(asked.only) and rung.data.shape[1:] != (1, 1):
            for change, share, n in alterations.counted_shares(rung, asked.samples):
                print(f"{rung.name:14} {change:40} {share:7.2%} of {n}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
