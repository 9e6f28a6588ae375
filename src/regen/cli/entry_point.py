"""The command line: error messages in one line, exit statuses, and resuming a run.

Exit statuses: 0 done, 1 a job of a multirun failed, 2 no W&B account, 70 diverged, 71 another process of the run was lost,
74 a file could not be read or written, 75 interrupted and saved, 78 cannot be run as configured, 128 + n ended by signal n
before anything was saved. HYDRA_FULL_ERROR=1 shows every traceback.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from regen.cli.explained_help import help_text
from regen.cli.hydra_callback import summarize_multirun
from regen.config.command_line import is_multirun, split_options
from regen.config.quoting import quote, quote_paths, unquote
from regen.config.resolvers import register_resolvers
from regen.config.suggestions import CONF, config_of_script, explain
from regen.config.syntax_errors import check_words
from regen.config.yaml_files import yamls
from regen.cross_validation.sweep_name import with_name
from regen.errors import ConfigError, ProcessLost
from regen.runs.folder import Folder
from regen.runs.resumption import settle
from regen.runs.stored_config import read_overrides
from regen.sweeps import override_check
from regen.utils import signals
from regen.utils.project import ROOT
from regen.utils.redaction import hide_secrets, redact
from regen.utils.safe_files import check_links

COMMANDS = {"--run", "-r", "--multirun", "-m", "--cfg", "-c", "--info", "-i", "--help", "-h", "--hydra-help"}
COMMANDS |= {"--version", "--shell-completion", "-sc"}


def run(main: Callable[[], None]) -> None:
    """Call Hydra's main with this process's arguments and translate what goes wrong."""
    os.environ.setdefault("REGEN_TRACEBACK", os.environ.get("HYDRA_FULL_ERROR", "0"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise exceptions to this module
    register_resolvers()
    # A singleton, which Hydra would copy for each group that --help lists, and for each job that it composes
    ConfigStore.__deepcopy__ = lambda store, _: store  # type: ignore[attr-defined]  # --help takes half of its time with it
    _replace_what_the_terminal_lacks()
    with signals.handled(), report_errors():
        check_words(sys.argv[1:])
        options, overrides = prepare(*split_options(sys.argv[1:]))
        sys.argv[1:] = options + overrides
        if {"-h", "--help"} & set(options):
            print(help_text(config_of_script().stem, options, overrides))
            return
        with summarize_multirun():
            main()


def prepare(options: list[str], overrides: list[str]) -> tuple[list[str], list[str]]:
    """Complete the options and overrides of the running command before Hydra reads them.

    Quotes paths, hides secrets, names the sweep of a choice, and replaces resume=auto and resume=RUN by their meaning.
    Raises ConfigError on words that Hydra would not explain.
    """
    script = config_of_script().stem
    multirun = is_multirun(options)
    overrides = hide_secrets(quote_paths(overrides, script, multirun))
    if script == "choose":
        overrides = with_name(overrides)
        if not {option.partition("=")[0] for option in options} & COMMANDS:  # else what cannot be composed is
            options = [*options, "--multirun"]  # refused for its strengths: conf/choose.yaml was not read
    if script == "train":
        overrides = settle(options, overrides)
    continued = add_resumed_overrides(options, overrides)
    _check_groups(overrides)
    if script == "train":
        override_check.check(options, overrides, yamls("regularizer"))
    return options, continued


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Report users' errors in one line with an exit status, unless a traceback is requested."""
    try:
        with _unmasked():
            yield
    except BrokenPipeError:  # of python src/train.py --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except signals.Interrupted as error:
        status = Folder.of_hydra().status_of(error.number) if _has_run_folder() else error.status
        print(f"{error}: {'the run can be continued' if status == signals.SAVED else 'ended'}", file=sys.stderr)
        sys.exit(status)
    except ProcessLost as error:
        if os.environ["REGEN_TRACEBACK"] == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(ProcessLost.STATUS)
    except (ConfigError, HydraException, OmegaConfBaseException, OSError) as error:
        if os.environ["REGEN_TRACEBACK"] == "1":
            raise
        of_hydra = isinstance(error, HydraException | OmegaConfBaseException)
        words = (explain(str(error)) if of_hydra else str(error)) or repr(error.__cause__ or error)
        print(f"error: {redact(words)}", file=sys.stderr)
        sys.exit(74 if isinstance(error, OSError) and not of_hydra else 78)


@contextlib.contextmanager
def _unmasked() -> Iterator[None]:
    """Raise Interrupted if a signal arrived and a library's cleanup failed, which would hide the signal."""
    try:
        yield
    except (ConfigError, OSError, ProcessLost):  # these have their own messages, also after a signal
        raise
    except Exception as error:
        if signals.received():
            raise signals.Interrupted(signals.received()) from error
        if isinstance(error, ValueError) and isinstance(
            error.__cause__, OSError
        ):  # of logging, which opens Hydra's file
            raise error.__cause__ from None
        raise


def _has_run_folder() -> bool:
    """A signal may arrive before Hydra has evaluated hydra.run.dir: runtime.output_dir is missing until then."""
    if config_of_script().stem != "train" or not HydraConfig.initialized():
        return False
    config = HydraConfig.get()
    return config.mode == RunMode.RUN and not OmegaConf.is_missing(config.runtime, "output_dir")


def _replace_what_the_terminal_lacks() -> None:
    """Print characters that the terminal's encoding lacks as '?', instead of failing after hours of work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@contextlib.contextmanager
def report_job_errors() -> Iterator[None]:
    """Report users' errors inside a job, before Hydra adds its message; the other jobs of a multirun continue."""
    with contextlib.nullcontext() if HydraConfig.get().mode == RunMode.MULTIRUN else report_errors():
        yield


def add_resumed_overrides(options: list[str], overrides: list[str]) -> list[str]:
    """Return the overrides; with resume=RUN, those of that run, followed by the new ones, which take precedence.

    Only plain values of known keys are read from the run's folder (see `regen.runs.stored_config`).
    """
    named = [override.partition("=")[2] for override in overrides if override.startswith("resume=")]
    if (
        config_of_script().stem != "train"
        or not named
        or named[-1] == "null"
        or any(override.startswith("hydra.run.dir=") for override in overrides)
    ):
        _check_folder(overrides)
        return overrides
    if is_multirun(options):
        raise ConfigError("resume= continues one run: leave out -m")
    path = unquote(named[-1])
    places = [Path(path).absolute(), ROOT / path]
    folder = next((place for place in places if _overrides_of(place).exists()), None)
    if folder is None:
        raise ConfigError(f"resume={path}: no run there; looked in {' and '.join(map(str, dict.fromkeys(places)))}")
    folder = folder.resolve()
    check_links(folder)
    before = read_overrides(_overrides_of(folder), overrides)
    kept = [*before, *(override for override in overrides if not override.startswith("resume="))]
    return [*kept, f"resume={quote(str(folder))}", f"hydra.run.dir={quote(str(folder))}"]


def _check_folder(overrides: list[str]) -> None:
    """Raise ConfigError if the typed folder has a link that leads out of it, because Hydra writes into it at once."""
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "hydra.run.dir" and Path(unquote(value)).is_dir():
            check_links(Path(unquote(value)))


def _overrides_of(folder: Path) -> Path:
    """Return the file of the run's last overrides. (A refused command replaces Hydra's own record.)"""
    own = Folder(folder).overrides
    return own if own.exists() else folder / ".hydra/overrides.yaml"


def _check_groups(overrides: list[str]) -> None:
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    optional = {"experiment", "recipe", "schedule"}
    for group, _, option in (override.partition("=") for override in overrides):
        swept = option.split(",")
        if group in groups and (option == "" or "null" in swept) and (len(swept) > 1 or group not in optional):
            raise ConfigError(f"{group}={option}: type one of {', '.join(path.stem for path in yamls(group))}")
        is_list = group in groups and option.startswith("[")
        listed = [name.strip() for name in option.strip("[]").split(",")] if is_list else []
        if twice := [name for name in listed if listed.count(name) > 1]:
            raise ConfigError(f"{group}={option}: {twice[0]} is in the list twice")
