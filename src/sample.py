"""Draw from a run: `python src/sample.py` in a clone is `regen sample`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("sample")
