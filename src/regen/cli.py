"""The command line: errors in one line that say what to type instead, exit statuses, and going on with a run.

Exit statuses: 0 done, 70 diverged, 74 a file could not be read or written, 75 interrupted and saved, 78 cannot be run as
configured. HYDRA_FULL_ERROR=1 shows every traceback.
"""

import difflib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from regen.errors import ConfigError
from regen.runs import ROOT, register_resolvers

CONF = ROOT / "conf"


def run(main: Callable[[], None]) -> None:
    """Call Hydra's main with this process's arguments and translate what goes wrong."""
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let exceptions come to us
    register_resolvers()
    try:
        multirun = [argument for argument in sys.argv[1:] if argument in ("-m", "--multirun")]
        rest = [argument for argument in sys.argv[1:] if argument not in multirun]
        sys.argv[1:] = [*multirun, *going_on(rest, bool(multirun))]  # Hydra takes -m before overrides or after, not between
        _check_groups(sys.argv[1:])
        main()
    except ConfigError as error:
        _leave(error, str(error), 78, wants_traceback)
    except (HydraException, OmegaConfBaseException) as error:
        _leave(error, explain(str(error)), 78, wants_traceback)
    except OSError as error:
        _leave(error, str(error), 74, wants_traceback)


def _leave(error: Exception, message: str, status: int, wants_traceback: bool) -> None:
    if wants_traceback:
        raise error
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def going_on(arguments: list[str], multirun: bool = False) -> list[str]:
    """With resume=RUN, the arguments of that run, then those given now, which win; otherwise the arguments as they are."""
    named = [argument.partition("=")[2] for argument in arguments if argument.startswith("resume=")]
    if not named or named[-1] in ("", "null") or any(a.startswith("hydra.run.dir=") for a in arguments):
        return arguments
    places = [Path(named[-1]), ROOT / named[-1]]
    folder = next((place.resolve() for place in places if (place / ".hydra/overrides.yaml").exists()), None)
    if folder is None:
        raise ConfigError(f"resume={named[-1]}: no run there; looked in {places[0].resolve()} and {places[1]}")
    before = [str(a) for a in OmegaConf.load(folder / ".hydra/overrides.yaml") if not str(a).startswith("resume=")]
    now = [argument for argument in arguments if not argument.startswith("resume=")]
    if multirun:
        raise ConfigError("resume= goes on with one run: leave out -m")
    return [
        *now[: _first_override(now)],
        *before,
        *now[_first_override(now) :],
        f"resume='{folder}'",
        f"hydra.run.dir='{folder}'",
    ]


def _check_groups(arguments: list[str]) -> None:
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} - {"experiment"}
    for group, _, option in (argument.partition("=") for argument in arguments):
        if group in groups and option in ("", "null"):
            raise ConfigError(f"{group}={option}: type one of {', '.join(path.stem for path in _yamls(group))}")


def _first_override(arguments: list[str]) -> int:
    """Where the overrides begin, after options such as --config-dir FOLDER."""
    return next(
        (i for i, argument in enumerate(arguments) if "=" in argument and not argument.startswith("-")), len(arguments)
    )


def explain(message: str) -> str:
    """Hydra's message with the nearest names that exist."""
    message = message.strip()
    if unknown := re.search(r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in", message):
        full = re.search(r"full_key: (\S+)", message)
        key, names = full.group(1) if full else unknown.group(1) or unknown.group(2), keys()
        if key in names:
            group = key.split(".")[0]
            having = [path.stem for path in _yamls(group) if key in _flat(OmegaConf.load(path), f"{group}.")]
            options = " or ".join(f"{group}={option}" for option in having)
            return f"{key} belongs to an option that is not chosen: type {options} as well, or leave it out"
        alike = [name for name in names if name.count(".") == key.count(".")]
        return (
            f"there is no {key}{_nearest(key, alike) or _nearest(key, names)}. All names: python src/train.py --cfg job"
        )
    if missing := re.search(r"Could not (?:find|load) '(\w+)/([^']+)'", message):
        group, option = missing.groups()
        options = [path.stem for path in _yamls(group)]
        return f"there is no {group}={option}{_nearest(option, options)}. There are: {', '.join(options)}"
    return message.splitlines()[0] if message.startswith("Key ") else message


def keys() -> list[str]:
    """Every key that an override can name."""
    names = [*_flat(OmegaConf.load(CONF / "train.yaml"), ""), *(path.name for path in CONF.iterdir() if path.is_dir())]
    for path in CONF.glob("*/*.yaml"):
        if path.parent.name not in ("experiment", "hydra"):
            names += _flat(OmegaConf.load(path), f"{path.parent.name}.")
    return names


def _flat(node: DictConfig, prefix: str) -> list[str]:
    names = []
    for key in node:
        if key not in ("defaults", "hydra"):
            names.append(f"{prefix}{key}")
            value = node._get_node(key)
            names += _flat(value, f"{prefix}{key}.") if isinstance(value, DictConfig) else []
    return names


def _nearest(name: str, names: list[str]) -> str:
    by_lower_case = {known.lower(): known for known in names}
    near = [by_lower_case[close] for close in difflib.get_close_matches(name.lower(), by_lower_case, 3, 0.6)]
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _yamls(group: str) -> list[Path]:
    """The options of a group, those of --config-dir included."""
    folders = [CONF, *(Path(sys.argv[i + 1]) for i, a in enumerate(sys.argv[:-1]) if a in ("--config-dir", "-cd"))]
    return sorted(path for folder in folders for path in (folder / group).glob("*.yaml"))
