"""Update: what one update of one player can see, whatever the model. GANStep and VAEStep say the rest."""

import difflib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self, TypedDict

import torch
from torch import Tensor, nn

from regen.core.forward import float32, still
from regen.utils.randomness import Draws

if TYPE_CHECKING:
    from regen.core.objective import Loss

NEAR = 0.8  # of two names, from which one may be the other misspelt
Rng = Callable[[str], Draws]


class Place(TypedDict, total=False):
    """Where an update stands: what its kinds hand on to Update."""

    labels: Tensor | None
    lr: float
    parameters: Sequence[nn.Parameter]
    iteration: int
    images_seen: int
    world: int
    loss: "Loss | None"


class Update:
    """One update of `player` ("g" or "d").

    index           which update of this player it is, from 0
    real            (B, C, H, W) in [-1, 1]
    labels          (B,) or None
    rng             rng(purpose) -> Draws: every draw of a term comes from here
    lr              the learning rate of the player's optimizer
    parameters      those of the player's nets that the update changes
    iteration, images_seen   how far training is: updates of G; real images shown, by all processes
    world           the number of processes
    loss            the data term

    The lazy properties of its kinds decide who computes what, with no flags: what costs a pass through a net is computed on
    first use, once.
    """

    lacks = ""  # what its model has not, in words

    def __init__(
        self,
        player: str,
        index: int,
        generator: nn.Module,
        real: Tensor,
        rng: Rng,
        labels: Tensor | None = None,
        lr: float = 0.0,
        parameters: Sequence[nn.Parameter] = (),
        iteration: int = 0,
        images_seen: int = 0,
        world: int = 1,
        loss: "Loss | None" = None,
    ) -> None:
        self.player, self.index, self.lr, self.parameters = player, index, lr, parameters
        self.generator, self.loss = generator, loss
        self.real, self.labels, self.rng = real, labels, rng
        self.iteration, self.images_seen, self.world = iteration, images_seen, world

    def __getattr__(self, name: str) -> object:
        if hasattr(type(self), name):  # its own AttributeError, from within
            return object.__getattribute__(self, name)
        if name in self.lacks:
            raise AttributeError(self.lacks)
        known = sorted(known for known in {*dir(type(self)), *self.__dict__} if not known.startswith("_"))
        if near := difflib.get_close_matches(name, known, 1, NEAR):
            raise AttributeError(f"{type(self).__name__} has no attribute {name}: did you mean {near[0]}?")
        raise AttributeError(f"{self.lacks}, and so no {name}; {type(self).__name__} has {', '.join(known)}")

    def like(self, **values: object) -> Self:
        """An update with the values of this one, but for these; making it anew takes longer."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__.update(values)
        return made

    @property
    def net(self) -> nn.Module:
        """The net that this update changes, and that penalties on weights look at: of a VAE the decoder."""
        return self.generator

    @property
    def batch(self) -> int:
        """Real images in this update, of all processes."""
        return len(self.real) * self.world

    @cached_property
    def z(self) -> Tensor:
        """(B, Z) what G makes images of."""
        raise NotImplementedError

    @cached_property
    def fake(self) -> Tensor:
        """(B, C, H, W) G(z), as precise as the real images."""
        raise NotImplementedError

    def regenerate(self, z: Tensor) -> Tensor:
        """(B, C, H, W) G(z) by a pass beside the update's own, which leaves G's running state alone."""
        with still(self.generator):
            return self.generator(z).to(self.real.dtype)

    @cached_property
    def exact_fake(self) -> Tensor:
        """(B, C, H, W) G(z); under mixed precision in float32, by a pass beside the update's, which comes first in any case:
        under spectral norm it moves the vectors, and what is compared is to be of the same weights."""
        fake = self.fake
        if not self._is_mixed:
            return fake
        with float32(self.real), torch.set_grad_enabled(self.player == "g"):
            return self.regenerate(self.z)

    @property
    def _is_mixed(self) -> bool:
        return torch.is_autocast_enabled(self.real.device.type)
