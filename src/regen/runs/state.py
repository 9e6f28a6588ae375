"""State of a run: the content of its newest or best checkpoint."""

import logging

from omegaconf import DictConfig

from regen.core import checkpoint as checkpoints
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.json_files import read_json

log = logging.getLogger(__name__)


def read_state(folder: Folder, cfg: DictConfig, checkpoint: str) -> dict:
    """Read the newest or best checkpoint of a run; damaged ones are skipped with a warning.

    Raises ConfigError on another word than newest and best, and if no checkpoint is complete.
    """
    if checkpoint not in ("newest", "best"):
        raise ConfigError(f"checkpoint={checkpoint}: expected newest or best")
    paths = sorted(folder.checkpoints.glob("iteration_*.ckpt"), reverse=True)
    best = folder.checkpoints / "best.ckpt"
    if checkpoint == "best" and best.exists():
        paths = [best]
    elif checkpoint == "best":
        log.warning("%s has no best checkpoint: using its newest", folder.path)
    elif best.exists():
        paths.append(best)  # written before the first regular one
    if not paths:
        raise ConfigError(f"{folder.path} has no checkpoint{_why_none(folder, cfg)}")
    for path in paths:
        try:
            return checkpoints.load(path)
        except ValueError as error:  # damaged, or removed by the running training
            log.warning("%s", error)
    instead = "checkpoint=newest, or " if checkpoint == "best" else ""
    names = ", ".join(path.name for path in paths)
    raise ConfigError(f"{folder.path}: {names}: every checkpoint is damaged. Type {instead}another run")


def _why_none(folder: Folder, cfg: DictConfig) -> str:
    result = read_json(folder.result)
    if not result:
        return f" yet: it saves one every save_every={cfg.get('save_every')} iterations, or was killed before the first"
    reason = f" ({result['reason']})" if result.get("reason") else ""
    return f": it ended as {result.get('status')}{reason} before the first was saved. Type save_every=… when training again"
