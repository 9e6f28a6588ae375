"""Compare runs: `python src/compare.py` in a clone is `regen compare`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("compare")
