"""Start of W&B runs, online if possible, without prompts, long waits or exceptions."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from regen.utils.json_files import read_json, write_json

if TYPE_CHECKING:
    from wandb import Run

log = logging.getLogger(__name__)


def started(choice: Mapping[str, Any], outputs: Path, tracker: Path, **about: Any) -> "Run | None":
    """Start a run, or continue the one whose id is in `tracker`; None if even an offline run cannot start.

    Online only if a key is configured and the service answers within the timeout.

    choice   conf/logger/wandb.yaml
    outputs  its files are in outputs/wandb
    tracker  the JSON file with the run's id
    about    name, group, job_type, tags and config, as wandb.init takes them
    """
    import wandb

    known = read_json(tracker).get("id")
    wanted = os.environ.get("WANDB_MODE") or ("online" if _is_online(choice["offline"]) else "offline")
    for mode in dict.fromkeys([wanted, "offline"]):
        try:
            run = wandb.init(
                project=choice["project"],
                dir=outputs,
                mode=cast(Any, mode),  # W&B answers another word
                id=known,
                resume="allow" if known and mode == "online" else None,
                settings=wandb.Settings(init_timeout=choice["timeout_seconds"], console="off", silent=True),
                **about,
            )
        except Exception as error:  # noqa: BLE001 - a remote service may raise anything
            log.warning("W&B did not start %s: %s", mode, (str(error).splitlines() or [type(error).__name__])[0])
            continue
        write_json(tracker, {"id": run.id})
        return run
    return None


def log_in() -> bool:
    """Return whether an account is configured, without asking. Raises wandb.Error if it is refused or W&B does not answer."""
    import wandb

    return bool(wandb.login(prompt=False))


def _has_key() -> bool:
    try:
        return log_in()
    except Exception:  # noqa: BLE001 - an unusable key counts as none
        return False


def _is_online(offline: bool | None) -> bool:
    return _has_key() if offline is None else not offline
