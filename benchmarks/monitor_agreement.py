"""Agreement of the monitors with classifiers that take no part in them: python benchmarks/monitor_agreement.py RUN [RUN ...]

For every run (a folder of outputs/) of one data set, images of its newest checkpoint are compared with real images in features
of two larger classifiers, which are trained here on the labels of the training images. Prints the distances in their features
next to the run's own figures, Spearman's rank correlations with bootstrap intervals, and what limits them: the agreement of the
classifiers with each other, and of a figure with itself when it is measured again. --labels takes class folders of the same
kind of images, for runs that were judged without labels; without runs, these photographs themselves are degraded, or small
generators of them are trained (--generators).
"""

import argparse
import sys

from regen.utils.lazy_imports import loading


def main(given: list[str] | None = None) -> int:
    """Print a line for each run, and the correlations."""
    parser = argparse.ArgumentParser(
        description="Rank correlation of a run's figures with an independent classifier's."
    )
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="folders of runs of one data set; none: degraded photographs"
    )
    parser.add_argument(
        "--labels", metavar="FOLDER", help="class folders of the same kind of images, where runs have no labels"
    )
    parser.add_argument(
        "--generators",
        choices=("tuned", "fresh", "noisy"),
        help="with --labels: small generators of photographs that are trained here, instead of degraded photographs",
    )
    parser.add_argument(
        "--samples", type=int, default=2000, metavar="N", help="generated images of each run (default: 2000)"
    )
    parser.add_argument(
        "--shown", type=int, default=60_000, metavar="N", help="images of a classifier's training (default: 60000)"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of torch (default: 2)")
    asked = parser.parse_args(given)
    with loading():
        import torch
        from ladder import agreement

    torch.set_num_threads(asked.threads)
    if not (asked.runs or asked.labels):
        parser.error(
            "type folders of runs, or --labels FOLDER for photographs that are worse than real ones to known extents"
        )
    measured = asked.runs and agreement.measure(asked.runs, asked.labels, asked.samples, asked.shown)
    print(agreement.report(measured or agreement.measure_photographs(asked.labels, asked.shown, asked.generators)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
