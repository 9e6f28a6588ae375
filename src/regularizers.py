"""The catalogue of regularizers: `python src/regularizers.py` in a clone is `regen regularizers`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("regularizers")
