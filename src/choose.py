"""Choose a strength: `python src/choose.py` in a clone is `regen choose`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("choose")
