"""Train a regularized generative model: `python src/train.py` in a clone is `regen train`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("train")
