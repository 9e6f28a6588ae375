"""Errors for users: the wrong value, what is allowed, and what to type instead."""


class ConfigError(ValueError):
    """The request cannot be run as it stands; found before training, exit status 78."""


class ProcessLost(RuntimeError):
    """Another process of the run failed, died, hangs or did not start; the run ends with status `failed`, exit status 71."""

    STATUS = 71
