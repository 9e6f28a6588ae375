"""Weights in place of a run's moving averages: the trained ones, and post-hoc averages made of its checkpoints."""

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from regen.core import checkpoint
from regen.core.post_hoc_ema import LARGEST_ERROR, Snapshot, fit
from regen.errors import ConfigError
from regen.models.base import Model

PREFIX = "power_"
State = dict[str, Tensor]
log = logging.getLogger(__name__)


def set_weights(model: Model, weights: str, folder: Path) -> None:
    """Replace the averages by the trained networks ("raw"), or by power-function averages of a width ("power_0.1").

    folder   of the run's checkpoints

    Raises ConfigError on other weights, and as `set_power_average`.
    """
    if weights == "raw":
        for average, net in model.averages:
            average.net.load_state_dict(net.state_dict())
        return
    try:
        width = float(weights.removeprefix(PREFIX))
    except ValueError:
        raise ConfigError(f"weights={weights}: expected ema, raw or {PREFIX}WIDTH, like {PREFIX}0.1") from None
    set_power_average(model, folder, width)


def set_power_average(model: Model, folder: Path, width: float) -> None:
    """Replace the averages that are sampled by power-function averages of a width, see core.post_hoc_ema.

    folder   of the run's checkpoints: those up to the model's iteration are used, with all of their averages

    Raises ConfigError if they are too few for the width, and on a damaged one.
    """
    used = [path for path in sorted(folder.glob("iteration_*.ckpt")) if _iteration(path) <= model.iteration]
    names = list(model.sampled_averages)
    sets = ["", *(f"other_averages.{number}." for number in range(len(model.other_averages)))]
    averages = [model.averages[place * len(names)][0] for place in range(len(sets))]
    snapshots = [Snapshot(_iteration(path), one.rule) for path in used for one in averages]
    coefficients = _coefficients(snapshots, width, model.iteration, folder)
    total: dict[str, State] = {name: {} for name in names}
    for number, state in enumerate(_states(used)):
        for place, prefix in enumerate(sets):
            factor = float(coefficients[number * len(sets) + place])
            for name in names:
                _add(total[name], state, f"{prefix}{name}.net.", factor)
    for name, average in model.sampled_averages.items():
        average.set_tensors(total[name])  # copied to the type and the device of the average


def _iteration(path: Path) -> int:
    return int(path.stem.removeprefix("iteration_"))


def _coefficients(snapshots: list[Snapshot], width: float, iterations: int, folder: Path) -> Tensor:
    advice = "train with keep_checkpoints=null and a smaller save_every=, or type weights=ema"
    if not snapshots or not iterations:
        raise ConfigError(
            f"weights={PREFIX}{width:g}: {folder} holds no checkpoint of an iteration up to {iterations}: {advice}"
        )
    coefficients, error = fit(snapshots, width, iterations)
    if not error <= LARGEST_ERROR:
        raise ConfigError(
            f"weights={PREFIX}{width:g}: the {len(snapshots)} averages in {folder} give this profile with an error of "
            f"{error:.0%}, and {LARGEST_ERROR:.0%} is allowed: {advice}"
        )
    log.info(
        "weights=%s%g: made of %d averages, error of the profile %.1f %%", PREFIX, width, len(snapshots), 100 * error
    )
    return coefficients


def _states(paths: list[Path]) -> Iterator[State]:
    for path in paths:
        try:
            yield checkpoint.load(path)["model"]
        except ValueError as error:
            raise ConfigError(
                f"{error}: a post-hoc average needs all checkpoints. Type weights=ema, or remove that file"
            ) from error


def _add(total: State, state: State, prefix: str, factor: float) -> None:
    """Add factor times the tensors below a prefix; of counters, keep the last one."""
    for name, tensor in state.items():
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            if tensor.is_floating_point():
                total[key] = total.get(key, torch.zeros_like(tensor, dtype=torch.float64)) + factor * tensor.double()
            else:
                total[key] = tensor
