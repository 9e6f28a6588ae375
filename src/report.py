"""Regenerate the page of a run: `python src/report.py` in a clone is `regen report`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("report")
