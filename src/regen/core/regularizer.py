"""Base class of regularizers, which act on a generative model in one or more of five places.

The form of the networks (attach), D's input (augment), G's loss (for_g), D's loss (for_d) and the weights after a step
(after_update). Each method does nothing until it is overridden.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Generic, TypedDict, TypeGuard, cast

from torch import Tensor, nn

from regen.core.constraints import Cost, Incompatible
from regen.core.controllers import Controller
from regen.core.gradient_ratio import GradientRatio
from regen.core.schedules import Strength, value_of
from regen.core.step import StepT, Update
from regen.errors import ConfigError
from regen.utils.randomness import Draws


class Strengths(TypedDict, total=False):
    """Arguments that a subclass passes on to Regularizer."""

    lambda_g: Strength
    lambda_d: Strength
    interval: int
    relative: float | None


class Regularizer(nn.Module, Generic[StepT]):
    """L_p = data term + lambda_p * for_p for the players p in {g, d}.

    lambda_g, lambda_d   strengths >= 0: numbers, schedules or controllers; 0 turns the penalty off
    interval             the penalty is applied at every `interval`-th update of its player, with `interval` times the
                         weight.
                         (StyleGAN2 gives a lazy penalty a separate optimizer step and rescales the learning rate and
                         Adam's betas; here it is added to the loss of that update, and the optimizer is unchanged.)
    relative             the gradient ratio to keep, which replaces positive strengths: lambda is set so that the norm of the
                         penalty's gradient is this fraction of the data term's, both moving averages; lambda is logged

    Raises ConfigError on a strength that is negative or not finite, on one for a player that the class has no penalty for,
    on interval < 1 and on a relative strength that is not a finite number > 0 or replaces no number.
    """

    # Facts about it, in addition to its docstring and yaml
    search: ClassVar[Mapping[str, tuple[float, float]]] = {}  # ranges to search, on a logarithmic scale
    cost: ClassVar[Mapping[str, Cost]] = {}  # of an update of each player, unless it is only arithmetic
    incompatible: ClassVar[tuple[Incompatible, ...]] = ()  # incompatible settings

    # Order among regularizers if that of the config is not suitable: -1 first, 1 last
    attach_order: ClassVar[int] = 0
    augment_order: ClassVar[int] = 0
    reads_input_gradients: ClassVar[bool] = (
        False  # penalties that read step.real_squared_gradients or fake_squared_gradients are computed first: the loss
    )
    # then shares their pass

    reads_variance: ClassVar[bool] = False  # of q(z|x): then latent codes are drawn
    acts_on_pixels: ClassVar[bool] = False  # and not on other vectors, such as latent codes

    def __init__(
        self,
        lambda_g: Strength = 0.0,
        lambda_d: Strength = 0.0,
        interval: int = 1,
        relative: float | None = None,
    ) -> None:
        super().__init__()
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
            raise ConfigError(f"{self.name}: interval must be an integer >= 1, got {interval}")
        if relative is not None and not (is_number(relative) and relative > 0):
            raise ConfigError(f"{self.name}: relative must be a finite number > 0 or null, got {relative}")
        self.strengths, self.interval, self.relative = {"g": lambda_g, "d": lambda_d}, interval, relative
        for player, strength in self.strengths.items():
            self._check(player, strength)
        if relative is not None and not any(is_number(one) and one for one in self.strengths.values()):
            raise ConfigError(
                f"{self.name}: relative={relative} replaces a positive lambda, but lambda_g and lambda_d are {lambda_g} and "
                f"{lambda_d}. Set the one it is meant for"
            )
        moving = {player: one for player, one in self.strengths.items() if isinstance(one, Controller)}
        self.controllers = cast(Mapping[str, Controller], nn.ModuleDict(moving))
        pulls = {player: GradientRatio() for player in "gd" if self.overrides(f"for_{player}")}
        self.pulls = cast(Mapping[str, GradientRatio], nn.ModuleDict(pulls))

    @property
    def name(self) -> str:
        return type(self).__name__

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Change the networks' form; called once, before the optimizers exist. Raises ConfigError if it cannot."""

    def before_update(self, step: StepT) -> None:
        """Prepare the networks for this update: called before its first forward pass. For layers that draw random numbers."""

    def augment(self, images: Tensor, rng: Draws, step: StepT) -> Tensor:
        """Return D's input for real or generated images (B, C, H, W), of the same shape."""
        return images

    def form(self, images: Tensor) -> Tensor:
        """Return images in the form that D needs, without random changes."""
        return images

    def for_g(self, step: StepT) -> Tensor:
        """Return the unweighted penalty () on G's loss."""
        raise NotImplementedError

    def for_d(self, step: StepT) -> Tensor:
        """Return the unweighted penalty () on D's loss."""
        raise NotImplementedError

    def after_update(self, step: StepT) -> None:
        """Project the weights of step.net, or adapt state; called without gradients after each optimizer step."""

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, Tensor]:
        """Return state to log as <player>/<quantity>, {"d/p": ()}; called once per row."""
        return {}

    @property
    def draws_codes(self) -> bool:
        """Return whether a VAE must draw its latent codes for this penalty."""
        return self.reads_variance and self.strengths["g"] != 0

    def overrides(self, place: str) -> bool:
        """Return whether this class overrides `place`: attach, augment, for_g, for_d or after_update."""
        return getattr(type(self), place) is not getattr(Regularizer, place)

    def due(self, step: Update) -> bool:
        """Return whether the penalty is applied in this update: on its turn and with a strength other than 0.

        Does not wait for the device.
        """
        strength = value_of(self.strengths[step.player], step)
        return step.index % self.interval == 0 and (isinstance(strength, Tensor) or strength != 0)

    def strength(self, step: Update) -> float | Tensor:
        """Return lambda in this update: a number, or a tensor () on the device if it is controlled or relative."""
        if self.relative is not None and self._is_relative(step.player):
            return self.pulls[step.player].strength(self.relative)
        return value_of(self.strengths[step.player], step)

    def moves(self, player: str) -> bool:
        """Return whether the strength changes during training."""
        return self._is_relative(player) or callable(self.strengths[player])

    def _is_relative(self, player: str) -> bool:
        return self.relative is not None and not callable(self.strengths[player])

    def weight(self, step: Update) -> float | Tensor:
        """Return the penalty's weight in this update: the strength times `interval` on its turn, otherwise 0."""
        return self.interval * self.strength(step) if self.due(step) else 0.0

    def _check(self, player: str, strength: Strength) -> None:
        if not (callable(strength) or (is_number(strength) and strength >= 0)):
            raise ConfigError(f"{self.name}: lambda_{player} must be a finite number >= 0, got {strength}")
        if strength != 0 and not self.overrides(f"for_{player}"):
            raise ConfigError(
                f"{self.name} has no penalty on {player.upper()}'s loss: leave out lambda_{player}={strength}"
            )


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether the value is a finite number and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
