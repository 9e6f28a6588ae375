"""Measure what runs are worth to classifiers: `python src/downstream.py` in a clone is `regen downstream`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("downstream")
