"""Atomic checkpoints, which are verified when they are read.

A checkpoint consists of plain types and tensors (torch.load with weights_only=True reads it): networks, averages,
regularizers' state, optimizers, iteration, values not yet logged, and the number of rows of its log. Randomness is keyed,
so nothing else is needed to continue bit for bit.
"""

from __future__ import annotations

import hashlib
import io
import logging
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from regen.core.checkpoint_form import check_form, check_moments, check_packing, check_sizes
from regen.core.divergence import bad_moment
from regen.errors import ConfigError
from regen.utils.safe_files import write_safely

if TYPE_CHECKING:
    from regen.models.base import Model

NAME = re.compile(r"iteration_\d{1,18}\.ckpt")
State = dict[str, Any]  # model, optimizers, iteration, images_seen, record and what was saved with them
KEPT = 3  # newest ones, in addition to the best, unless keep_checkpoints says otherwise
log = logging.getLogger(__name__)


def state_of(model: Model) -> State:
    """Return the whole state of training as plain types and tensors, without random states because randomness is keyed."""
    return {
        "model": model.state_dict(),
        "optimizers": {player: optimizer.state_dict() for player, optimizer in model.optimizer.items()},
        "iteration": model.iteration,
        "images_seen": model.images_seen,
        "record": model.record.state(),
    }


def restore(model: Model, state: State) -> None:
    """Load a state into a prepared model; learning rates and the like stay those of the configuration.

    Raises ConfigError if the state belongs to other networks or regularizers.
    """
    check(model, state)
    model.load_state_dict(state["model"])
    for player, optimizer in model.optimizer.items():
        chosen = [{key: group[key] for key in group if key != "params"} for group in optimizer.param_groups]
        _restore_moments(optimizer, state["optimizers"].get(player, {}), player)
        for group, values in zip(optimizer.param_groups, chosen, strict=True):
            group.update(values)
    model.count.iteration, model.count.images_seen = state["iteration"], state["images_seen"]
    records = state.get("records", [])  # of each process: the log contains means over all of them
    own = records[model.rank] if len(records) == model.world else state["record"]
    model.record.load(own, model.device)


def _restore_moments(optimizer: Optimizer, state: State, player: str) -> None:
    try:
        optimizer.load_state_dict(state)
        check_moments(optimizer)
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"the checkpoint's optimizer of {player} does not fit its parameters ({error}): delete that checkpoint to use the "
            "one before, or start a new run"
        ) from error


def check(model: Model, state: State) -> None:
    """Raise ConfigError with the first difference if a state belongs to other networks or regularizers than the model's."""
    shapes = [
        {name: tuple(tensor.shape) for name, tensor in one.items()} for one in (model.state_dict(), state["model"])
    ]
    for name in {**shapes[0], **shapes[1]}:
        own, kept = (str(one.get(name, "missing")) for one in shapes)
        if own != kept:
            raise ConfigError(
                f"the checkpoint belongs to another model, network or regularizer: {name} is {kept} there and {own} here. "
                "Type the options that the run was started with, or leave out resume= to start a new one"
            )


def save(path: Path, model: Model, **more: object) -> None:
    """Write the model's whole state, and `more`, atomically.

    Raises ValueError if a weight or an optimizer's moment is not finite.
    """
    state, buffer = state_of(model), io.BytesIO()
    bad = [name for name, tensor in state["model"].items() if not _finite(tensor)]
    if (moment := bad_moment(model)) or bad:
        raise ValueError(f"{moment or bad[0]} is not finite: not saved")
    state |= more
    torch.save(state | {"digest": digest(state)}, buffer)
    write_safely(path, buffer.getvalue())


def save_iteration(folder: Path, model: Model, keep: int | None = KEPT, **more: object) -> Path:
    """Write iteration_<number>.ckpt into the folder and delete all but the newest `keep` of these; None: delete none."""
    path = folder / f"iteration_{model.iteration:09d}.ckpt"
    save(path, model, **more)
    for old in _newest_first(folder)[keep:] if keep else []:
        old.unlink(missing_ok=True)
    return path


def load(path: Path) -> State:
    """Read the checkpoint at `path`. Raises ValueError if it is damaged (torch ignores a flipped byte), else OSError."""
    try:
        check_packing(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        check_sizes(state, path.stat().st_size)
        if state.pop("digest") == digest(state):
            check_form(state)
            return state
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} cannot be read ({error.strerror}): let this user read it (chmod u+r), or delete it to use the one before",
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in zip, pickle or torch
        reason = str(error)[:80] if type(error) is ValueError else type(error).__name__
        raise ValueError(f"{path} is damaged ({reason})") from error
    raise ValueError(f"{path} is damaged")


def digest(state: object) -> str:
    """Return a hash of a state, to compare a read state with the written one."""
    hashed = hashlib.blake2b(digest_size=16)
    _feed(hashed.update, state)
    return hashed.hexdigest()


def _feed(update: Callable[[Any], None], value: object) -> None:
    if isinstance(value, Tensor):
        update(repr((value.dtype, value.shape)).encode())
        update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy())
    elif isinstance(value, dict):
        for key, item in value.items():
            update(repr(key).encode())
            _feed(update, item)
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(update, item)
    else:
        update(repr(value).encode())


def newest(folder: Path, before: float = math.inf) -> State | None:
    """Return the newest intact checkpoint of the folder before an iteration, None if none was written yet.

    Raises ConfigError if all are damaged.
    """
    for leftover in filter(Path.is_file, folder.glob("*.tmp")):
        leftover.unlink()
    paths = [path for path in _newest_first(folder) if int(path.stem.rpartition("_")[2]) < before]
    for path in paths:
        try:
            return load(path)
        except ValueError as error:
            log.warning("%s; trying the one before it", error)
    if paths:
        raise ConfigError(
            f"every checkpoint in {folder} is damaged ({', '.join(p.name for p in paths)}): start a new run"
        )
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("iteration_*.ckpt") if NAME.fullmatch(path.name)), reverse=True)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
