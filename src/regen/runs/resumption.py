"""Meaning of resume=auto and resume=never: continue the run of a named folder, or start it."""

from pathlib import Path

from regen.config.command_line import is_multirun
from regen.config.quoting import quote, unquote
from regen.config.resolvers import run_folder
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.project import ROOT


def settle(options: list[str], overrides: list[str]) -> list[str]:
    """Replace resume=auto or resume=never in overrides by its meaning for the named folder.

    Raises ConfigError if resume=auto is used without a fixed folder.
    """
    typed = dict(override.partition("=")[::2] for override in overrides)
    wanted = unquote(typed.get("resume", ""))
    if wanted not in ("auto", "never"):
        return overrides
    others = [override for override in overrides if not override.startswith("resume=")]
    if wanted == "never":
        return others
    if is_multirun(options):
        raise ConfigError("resume=auto continues one run: leave it out, a multirun with sweep=NAME continues by itself")
    folder = _folder(typed)
    others = [override for override in others if not override.startswith("hydra.run.dir=")]
    resumed = [f"resume={quote(str(folder))}"] if _holds_a_run(Folder(folder)) else []
    return [*others, *resumed, f"hydra.run.dir={quote(str(folder))}"]


def _folder(typed: dict[str, str]) -> Path:
    place, name = (unquote(typed.get(key, "")) for key in ("hydra.run.dir", "name"))
    if "${" in place:
        raise ConfigError(f"hydra.run.dir={place}: with resume=auto, type a path, or name=NAME for outputs/NAME")
    if place:
        return Path(place).absolute()
    if name in ("", "null"):
        raise ConfigError("resume=auto needs a fixed folder: type name=NAME for outputs/NAME")
    return ROOT / "outputs" / run_folder(name, "")


def _holds_a_run(folder: Folder) -> bool:
    return folder.metrics.exists() or folder.overrides.exists() or any(folder.checkpoints.glob("*.ckpt"))
