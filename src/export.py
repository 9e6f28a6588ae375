"""Take a run's sampler away: `python src/export.py` in a clone is `regen export`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("export")
