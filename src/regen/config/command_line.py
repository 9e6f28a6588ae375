"""Splitting of a command's arguments into Hydra's options and overrides."""

from collections.abc import Sequence

from regen.config.syntax_errors import WITH_VALUE

MULTIRUN = frozenset(("-m", "--multirun"))


def split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return options with their values, and overrides: Hydra does not accept options between overrides."""
    options: list[str] = []
    overrides: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        (options if argument.startswith("-") else overrides).append(argument)
        if argument in WITH_VALUE and remaining:
            options.append(remaining.pop(0))
    return options, overrides


def is_multirun(options: Sequence[str]) -> bool:
    """Return whether the options ask for a multirun."""
    return not MULTIRUN.isdisjoint(options)


def options_of_single_run(arguments: Sequence[str]) -> list[str]:
    """Return the options of a command for one of its jobs: --config-dir among them, but not -m."""
    return [option for option in split_options(arguments)[0] if option not in MULTIRUN]
