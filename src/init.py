"""A project of your own: `python src/init.py` in a clone is `regen init`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("init")
