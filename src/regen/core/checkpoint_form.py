"""Checks of a checkpoint from a file, which may come from someone else, before its values are used."""

import math
import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

MOST_ITEMS = 5_000_000  # values in lists and dictionaries, one that is referred to twice counted twice
MOST_COPIES = 16  # bytes of all tensors, in multiples of the file's: tied weights share memory
PLAIN = (str, int, float, type(None))


def check_packing(path: Path) -> None:
    """Raise ValueError if a file unpacks to more than its size: torch never compresses."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise ValueError("it unpacks to more than its size")


def check_sizes(state: object, file_size: float = math.inf) -> None:
    """Raise ValueError on what would take more memory or time than its file explains, before it is copied or hashed.

    That is an expanded tensor, and lists that contain the same list many times, level upon level.
    """
    items, size, remaining = 0, 0, [state]
    while remaining:
        value, items = remaining.pop(), items + 1
        if items > MOST_ITEMS or size > MOST_COPIES * file_size:
            raise ValueError("it repeats few values many times")
        if isinstance(value, Tensor):
            size += value.numel() * value.element_size()
            if value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise ValueError(f"a tensor of shape {tuple(value.shape)} is larger than what the file holds of it")
        elif isinstance(value, dict | list | tuple):
            remaining.extend(value.values() if isinstance(value, dict) else value)
        elif not isinstance(value, PLAIN):
            raise ValueError(f"it holds a {type(value).__name__}")


def check_form(state: Any) -> None:
    """Raise ValueError with the first entry that is missing or of another kind than `checkpoint.save` writes."""
    numbers = ("iteration", "images_seen", "rows")
    forms = dict.fromkeys(numbers, _is_count) | dict.fromkeys(("best", "figures"), _are_figures)
    forms |= {"model": _are_weights, "optimizers": _are_nested, "record": _is_record}
    for name, is_right in forms.items():
        if name not in state or not is_right(state[name]):
            raise ValueError(f"its {name} is {'not of the expected kind' if name in state else 'missing'}")
    if not all(map(_is_record, state.get("records", []))):
        raise ValueError("its records are not of the expected kind")


def check_moments(optimizer: Optimizer) -> None:
    """Raise ValueError on loaded moments of another shape than their parameter's: fused updates read beyond their end."""
    for group in optimizer.param_groups:
        for parameter in group["params"] if group.get("fused") else ():
            for name, value in optimizer.state.get(parameter, {}).items():
                shape = () if name == "step" else parameter.shape
                if isinstance(value, Tensor) and value.shape != shape:
                    raise ValueError(f"{name} has the shape {tuple(value.shape)}, expected {tuple(shape)}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _are_figures(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, int | float) for k, v in value.items())


def _are_weights(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def _are_nested(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, dict) for item in value.values())


def _is_record(value: object) -> bool:
    """Return whether it is a list of [iteration, {name: tensor}]."""
    return isinstance(value, list) and all(
        isinstance(item, list) and len(item) == 2 and _is_count(item[0]) and _are_weights(item[1]) for item in value
    )
