"""Measure runs, ended or still training: `python src/evaluate.py` in a clone is `regen evaluate`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("evaluate")
