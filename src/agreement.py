"""Agreement of the monitors with a classifier that takes no part in them: python src/agreement.py RUN [RUN ...]

For every run (a folder of outputs/) of one data set, images of its newest checkpoint are compared with the validation images
in features of a larger classifier, which is trained here on the labels of the training images. Prints the distances in its
features next to the run's own figures, and Spearman's rank correlation with each of them. --labels takes class folders of the
same kind of images, for runs that were judged without labels.
"""

import argparse
import sys

from regen.startup import loading


def main(given: list[str] | None = None) -> int:
    """Print a line for each run, and the correlations."""
    parser = argparse.ArgumentParser(
        description="Rank correlation of a run's figures with an independent classifier's."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs of one data set")
    parser.add_argument(
        "--labels", metavar="FOLDER", help="class folders of the same kind of images, where runs have no labels"
    )
    parser.add_argument(
        "--samples", type=int, default=2000, metavar="N", help="generated images of each run (default: 2000)"
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of torch (default: 2)")
    asked = parser.parse_args(given)
    with loading():
        import torch

        from regen.ladder import agreement

    torch.set_num_threads(asked.threads)
    print(agreement.report(agreement.measure(asked.runs, asked.labels, asked.samples)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
