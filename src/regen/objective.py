"""What a player minimises: the data term and the regularizers that lean on it.

A regularizer can lean on a generative model in five places: the form of the nets (attach), what D sees (augment), G's loss
(for_g), D's loss (for_d) and the weights after a step (after_update). Each does nothing until it is overridden.
"""

import math
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from regen.errors import ConfigError
from regen.randomness import Draws
from regen.step import GANStep

Strength = float | Callable[[int], float]  # a number, or a schedule of the player's update index


class Loss(nn.Module):
    """A data term: what each player minimises when nothing restrains it."""

    def for_g(self, step: GANStep) -> Tensor:
        """() G's loss."""
        raise NotImplementedError

    def for_d(self, step: GANStep) -> Tensor:
        """() D's loss."""
        raise NotImplementedError


class Regularizer(nn.Module):
    """L_p = data term + lambda_p * for_p for the players p in {g, d}.

    lambda_g, lambda_d   strengths >= 0; 0 leaves the player alone
    every                the penalty is asked at every `every`-th update of its player, and then weighs `every` times as much

    Raises ConfigError on a strength that is negative or not finite, on one for a player that the class has no penalty for,
    and on every < 1.
    """

    reads_slope = False  # penalties that read step.real_slope say True: asked first, they share D's pass with the loss

    def __init__(self, lambda_g: Strength = 0.0, lambda_d: Strength = 0.0, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ConfigError(f"{self.name}: every must be an integer >= 1, got {every}")
        self.strengths, self.every = {"g": lambda_g, "d": lambda_d}, every
        for player, strength in self.strengths.items():
            self._check(player, strength)

    @property
    def name(self) -> str:
        return type(self).__name__

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Change the nets' form; called once, before the optimizers exist. ConfigError if the nets do not suit."""

    def augment(self, images: Tensor, rng: Draws) -> Tensor:
        """(B, C, H, W) -> the same shape: what D sees instead of the images, real or generated."""
        return images

    def for_g(self, step: GANStep) -> Tensor:
        """() penalty on G's loss, unweighted."""
        raise NotImplementedError

    def for_d(self, step: GANStep) -> Tensor:
        """() penalty on D's loss, unweighted."""
        raise NotImplementedError

    def after_update(self, step: GANStep) -> None:
        """Project the weights of step.net, or adapt own state; called without gradients after each optimizer step."""

    def overrides(self, place: str) -> bool:
        """Whether this class leans on `place`: attach, augment, for_g, for_d or after_update."""
        return getattr(type(self), place) is not getattr(Regularizer, place)

    def weight(self, step: GANStep) -> float:
        """What the penalty weighs in this update: the strength times `every` on its turn, otherwise 0."""
        if step.index % self.every:
            return 0.0
        strength = self.strengths[step.player]
        return self.every * (strength(step.index) if callable(strength) else strength)

    def _check(self, player: str, strength: Strength) -> None:
        if callable(strength):
            return
        if not math.isfinite(strength) or strength < 0:
            raise ConfigError(f"{self.name}: lambda_{player} must be a finite number >= 0, got {strength}")
        if strength and not self.overrides(f"for_{player}"):
            raise ConfigError(
                f"{self.name} has no penalty on {player.upper()}'s loss: leave out lambda_{player}={strength}"
            )


class Objective(nn.Module):
    """The data term and the named regularizers of a run."""

    def __init__(self, loss: Loss, regularizers: Mapping[str, Regularizer]) -> None:
        super().__init__()
        for name in regularizers:
            if hasattr(nn.ModuleDict, name):
                raise ConfigError(f"regularizer.{name}: torch keeps the name {name} for itself, type another name")
        self.loss = loss
        self.regularizers = nn.ModuleDict(regularizers)
        slope_first = sorted(regularizers.items(), key=lambda item: not item[1].reads_slope)
        self._penalties = {p: [(n, r) for n, r in slope_first if r.overrides(f"for_{p}")] for p in "gd"}
        self._augmenting = [(n, r) for n, r in regularizers.items() if r.overrides("augment")]
        self._projecting = [r for r in regularizers.values() if r.overrides("after_update")]

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Let each regularizer change the nets' form, in the order of the config."""
        for regularizer in self.regularizers.values():
            regularizer.attach(generator, discriminator)

    def augment(self, images: Tensor, rng: Callable[[str], Draws]) -> Tensor:
        """(B, C, H, W) what D sees instead of the images."""
        for name, regularizer in self._augmenting:
            images = regularizer.augment(images, rng(name))
        return images

    def forward(self, step: GANStep) -> tuple[Tensor, dict[str, Tensor]]:
        """() total to minimise, and the unweighted values {"d/r1": (), ..., "d/data": (), "d/loss": ()}, detached.

        The regularizers are asked before the data term, so that one that needs the gradient of D's scores with respect to
        the images makes the pass that the loss then reuses.
        """
        player, values, weighted = step.player, {}, []
        for name, regularizer in self._penalties[player]:
            weight = regularizer.weight(step)
            if weight:  # a strength of 0 is bit-identical to the regularizer's absence
                value = getattr(regularizer, f"for_{player}")(step)
                values[f"{player}/{name}"] = value.detach()
                weighted.append(weight * value)
        total = getattr(self.loss, f"for_{player}")(step)
        values[f"{player}/data"] = values[f"{player}/loss"] = total.detach()
        for penalty in weighted:
            total = total + penalty
        if weighted:
            values[f"{player}/loss"] = total.detach()
        return total, values

    def after_update(self, step: GANStep) -> None:
        """Let each regularizer project the weights or adapt its state."""
        for regularizer in self._projecting:
            regularizer.after_update(step)
