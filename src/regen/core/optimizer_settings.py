"""Settings of a player's optimizer that change during training, and the clipping of its gradient.

Each is a pure function of the iteration and the number of images seen, so that a resumed run equals the uninterrupted one
and all processes agree.
"""

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core.schedules import Schedule, TrainingProgress
from regen.errors import ConfigError

NAMES = ("lr_schedule", "lr_warmup", "beta2_schedule", "clip_norm")


class GeneratorSettings(TypedDict, total=False):
    """Arguments of a model for G's optimizer, see OptimizerSettings."""

    lr_schedule_g: Schedule | None
    lr_warmup_g: int | None
    beta2_schedule_g: Schedule | None
    clip_norm_g: float | None


class PlayersSettings(GeneratorSettings, total=False):
    """Arguments of a model for the optimizers of G and D."""

    lr_schedule_d: Schedule | None
    lr_warmup_d: int | None
    beta2_schedule_d: Schedule | None
    clip_norm_d: float | None


@dataclass(frozen=True)
class OptimizerSettings:
    """lr = lr_0 min(1, (t + 1) / lr_warmup) lr_schedule(t) in iteration t, counted from 0; a gradient of at most clip_norm.

    lr_schedule      a factor of the learning rate lr_0 of the configuration
    lr_warmup        iterations until the learning rate is reached
    beta2_schedule   replaces Adam's second beta, as in R3GAN
    clip_norm        largest Euclidean norm of the gradient of all the player's parameters; a longer one is scaled down

    None leaves the setting as the optimizer has it.
    """

    player: str
    lr_schedule: Schedule | None = None
    lr_warmup: int | None = None
    beta2_schedule: Schedule | None = None
    clip_norm: float | None = None

    @classmethod
    def of_players(cls, players: Iterable[str], arguments: Mapping[str, Any]) -> dict[str, "OptimizerSettings"]:
        """Take the settings of each player from a model's arguments.

        Raises TypeError on an argument of another name, and ConfigError on a value that is not allowed.
        """
        players = list(players)
        if unknown := set(arguments) - {f"{name}_{player}" for name in NAMES for player in players}:
            raise TypeError(f"unexpected argument {min(unknown)}: the players are {', '.join(players)}")
        return {player: cls._of_player(player, arguments) for player in players}

    @classmethod
    def _of_player(cls, player: str, arguments: Mapping[str, Any]) -> "OptimizerSettings":
        values = {name: arguments.get(f"{name}_{player}") for name in NAMES}
        for name, check in (("lr_schedule", _check_schedule), ("beta2_schedule", _check_beta2)):
            if values[name] is not None:
                check(f"model.{name}_{player}", values[name])
        _check_numbers(player, values["lr_warmup"], values["clip_norm"])
        return cls(player, **values)

    @property
    def changes_lr(self) -> bool:
        """Return whether the learning rate depends on the iteration."""
        return self.lr_schedule is not None or self.lr_warmup is not None

    def rates(self, optimizer: Optimizer) -> list[float]:
        """Return the learning rates of the configuration, of each group of parameters.

        Raises ConfigError if the optimizer has no betas to be scheduled.
        """
        if self.beta2_schedule is not None and any("betas" not in group for group in optimizer.param_groups):
            raise ConfigError(
                f"model.beta2_schedule_{self.player} changes Adam's betas, and {type(optimizer).__name__} has none: type "
                f"model.beta2_schedule_{self.player}=null, or another optimizer"
            )
        return [group["lr"] for group in optimizer.param_groups]

    def apply(self, optimizer: Optimizer, rates: Sequence[float], progress: TrainingProgress) -> None:
        """Set the optimizer's values of this iteration; `rates` are those of `rates()`."""
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            if self.changes_lr:
                group["lr"] = rate * self._factor(progress)
            if self.beta2_schedule is not None:
                group["betas"] = (group["betas"][0], self.beta2_schedule(progress))

    def _factor(self, progress: TrainingProgress) -> float:
        warmup = min(1.0, (progress.iteration + 1) / self.lr_warmup) if self.lr_warmup else 1.0
        return warmup * (1.0 if self.lr_schedule is None else self.lr_schedule(progress))

    def before_step(self, parameters: Sequence[nn.Parameter], lr: float) -> dict[str, Tensor]:
        """Clip the gradient. Returns what to log of this update, if it is set: the learning rate, and the norm before."""
        values: dict[str, Tensor] = {}
        if self.changes_lr:
            values[f"{self.player}/lr"] = torch.full((), lr, device=parameters[0].device)
        if self.clip_norm is not None:
            values[f"{self.player}/grad_norm"] = nn.utils.clip_grad_norm_(parameters, self.clip_norm).detach()
        return values


def _check_schedule(key: str, schedule: object) -> None:
    if not isinstance(schedule, Schedule):
        raise ConfigError(
            f"{key} must be a schedule, got {schedule}: type +schedule@{key}=cosine, or recipe=cosine_decay"
        )


def _check_beta2(key: str, schedule: object) -> None:
    _check_schedule(key, schedule)
    if isinstance(schedule, Schedule) and max(schedule.start, schedule.end) >= 1:
        raise ConfigError(f"{key} must be in [0, 1), got {schedule.start} to {schedule.end}")


def _check_numbers(player: str, warmup: object, clip_norm: object) -> None:
    if warmup is not None and (isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 1):
        raise ConfigError(f"model.lr_warmup_{player} must be an integer >= 1 (iterations) or null, got {warmup}")
    if clip_norm is None or (
        isinstance(clip_norm, int | float) and not isinstance(clip_norm, bool) and 0 < clip_norm < math.inf
    ):
        return
    raise ConfigError(f"model.clip_norm_{player} must be a finite number > 0 or null, got {clip_norm}")


def check_players(keys: Iterable[object], kind: type) -> None:
    """Raise ConfigError on keys of `model` that are settings of D, if this kind of model has none; a recipe may set them."""
    known = inspect.signature(kind).parameters
    of_d = [key for key in map(str, keys) if key.endswith("_d") and key not in known]
    if "discriminator" not in known and of_d:
        raise ConfigError(
            f"model.{of_d[0]} is a setting of D, and model={kind.__name__.lower()} has no D: leave it out, or the recipe that "
            "sets it. Type G's alone, like +schedule@model.lr_schedule_g=cosine or model.lr_warmup_g=500"
        )
