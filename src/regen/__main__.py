"""`python -m regen` is the command `regen`."""

from regen.cli.commands import main

if __name__ == "__main__":
    main()
