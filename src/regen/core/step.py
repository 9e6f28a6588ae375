"""Base class of one update of a player, for all models; see GANStep and VAEStep."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from regen.core import condition
from regen.core.forward import float32, still
from regen.utils.randomness import Draws

if TYPE_CHECKING:
    from regen.core.objective import Loss

NEAREST = 0.6  # similarity of names above which one may be the other misspelt
Rng = Callable[[str], Draws]
StepT = TypeVar("StepT", bound="Update", contravariant=True, default=Any)  # the step that a term reads


class Progress(TypedDict, total=False):
    """The arguments of Update that do not depend on the kind of model."""

    labels: Tensor | None
    n_classes: int
    lr: float
    parameters: Sequence[nn.Parameter]
    iteration: int
    images_seen: int
    world: int
    loss: "Loss[Any] | None"


class Update:
    """One update of `player` ("g" or "d").

    index           number of this player's update, from 0
    real            (B, C, H, W) in [-1, 1]
    labels          (B,) or None; in a conditional model generated image i has the class of real image i
    n_classes       number of classes of a conditional model, else 0
    rng             rng(purpose) -> Draws: every draw of a term comes from here
    lr              the learning rate of the player's optimizer
    parameters      those of the player's nets that the update changes
    iteration, images_seen   progress of training: updates of G; real images shown, over all processes
    world           the number of processes
    loss            the data term

    Passes through networks are lazy, cached properties of the subclasses.
    """

    lacks: ClassVar[str] = ""  # the network that its model does not have, in words

    def __init__(
        self,
        player: str,
        index: int,
        generator: nn.Module,
        real: Tensor,
        rng: Rng,
        labels: Tensor | None = None,
        n_classes: int = 0,
        lr: float = 0.0,
        parameters: Sequence[nn.Parameter] = (),
        iteration: int = 0,
        images_seen: int = 0,
        world: int = 1,
        loss: "Loss[Any] | None" = None,
    ) -> None:
        self.player, self.index, self.lr, self.parameters = player, index, lr, parameters
        self.generator, self.loss = generator, loss
        self.real, self.labels, self.n_classes, self.rng = real, labels, n_classes, rng
        self.iteration, self.images_seen, self.world = iteration, images_seen, world

    if not TYPE_CHECKING:  # else a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> object:
            if name.startswith("__"):  # copy and pickle look for some
                raise AttributeError(name)
            if hasattr(type(self), name):  # a property raised AttributeError: raise that one again
                return object.__getattribute__(self, name)
            raise AttributeError(_explain_missing(self, name))

    @property
    def net(self) -> nn.Module:
        """Network that this update changes and whose weights are penalized; for a VAE the decoder."""
        return self.generator

    @property
    def batch(self) -> int:
        """Real images in this update, over all processes."""
        return len(self.real) * self.world

    @cached_property
    def z(self) -> Tensor:
        """Input of G, (B, Z)."""
        raise NotImplementedError

    @cached_property
    def fake(self) -> Tensor:
        """Generated images G(z), (B, C, H, W), with the real images' precision."""
        raise NotImplementedError

    @cached_property
    def classes(self) -> Tensor | None:
        """One-hot classes (B, K) of real and generated images in a conditional model, else None."""
        if not self.n_classes or self.labels is None:
            return None
        return condition.one_hot(self.labels, self.n_classes, self.real.dtype)

    def first_classes(self, n: int, times: int = 1) -> Tensor | None:
        """The classes (times * n, K) of the first n images, as often as `times`; None in a model that is not conditional."""
        return None if self.classes is None else self.classes[:n].repeat(times, 1)

    def generate(self, z: Tensor) -> Tensor:
        """Return G(z), (B', C, H, W), of at most B latents, with the classes of the first B' images."""
        return self.generator(condition.join(z, self.first_classes(len(z))))

    def regenerate(self, z: Tensor) -> Tensor:
        """Return G(z), (B, C, H, W), by an extra pass that leaves G's running state unchanged."""
        with still(self.generator):
            return self.generate(z).to(self.real.dtype)

    @cached_property
    def exact_fake(self) -> Tensor:
        """Generated images G(z), (B, C, H, W); under mixed precision in float32, by an extra pass.

        The update's own pass comes first, because it updates the vectors of spectral norm, and both must use the same
        weights.
        """
        fake = self.fake
        if not self._is_mixed:
            return fake
        with float32(self.real), torch.set_grad_enabled(self.player == "g"):
            return self.regenerate(self.z)

    @property
    def _is_mixed(self) -> bool:
        return torch.is_autocast_enabled(self.real.device.type)


def _explain_missing(step: Update, name: str) -> str:
    kind, names = type(step).__name__, sorted({*_attributes(type(step)), *_public(vars(step))})
    others = [other.__name__ for other in Update.__subclasses__() if name in _attributes(other)]
    if others:
        return f"{kind} has no attribute {name}, which is one of {others[0]}: {step.lacks}"
    reordered = [other for other in names if sorted(other.split("_")) == sorted(name.split("_"))]
    if nearest := reordered or difflib.get_close_matches(name, names, 1, NEAREST):
        return f"{kind} has no attribute {name}: did you mean {nearest[0]}?"
    return f"{kind} has no attribute {name}. It has {', '.join(names)}"


def _attributes(kind: type[Update]) -> set[str]:
    """The names of a step's public attributes: properties, methods, and those annotated in its classes."""
    annotated = {name for parent in kind.__mro__ for name in vars(parent).get("__annotations__", ())}
    return set(_public({*dir(kind), *annotated})) - {"lacks"}


def _public(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("_")]
