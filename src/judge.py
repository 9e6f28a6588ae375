"""Judge images from any tool: `python src/judge.py` in a clone is `regen judge`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("judge")
