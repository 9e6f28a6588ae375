"""Check an installation: `python src/doctor.py` in a clone is `regen doctor`."""

from regen.cli.commands import start

if __name__ == "__main__":
    start("doctor")
