"""The stability microscope: `python src/stability.py` in a clone is `regen stability`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("stability")
