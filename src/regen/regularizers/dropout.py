"""Dropout in the layers of G and D."""

from typing import Any

from torch import Tensor, nn

from regen.core.forward import HEAD, LAYERS
from regen.core.regularizer import Regularizer, is_number
from regen.core.step import Update
from regen.errors import ConfigError


class Dropout(Regularizer):
    """h ← h · m / (1 - p), m ~ Bernoulli(1 - p) for each value h of a hidden layer.

    Source: Srivastava et al. 2014. Convention: inverted, as torch.nn.Dropout; single values, not whole feature maps.

    p_g   probability with which a value is dropped in G, in updates of both players
    p_d   the same in D; in a model without a discriminator that of its generator, unless p_g is above 0

    Acts on the inputs of all linear and convolutional layers of a network but its first. The masks are drawn for each update,
    layer and image; passes of D on the same images in one update, as for a gradient penalty, share theirs. Samples and
    evaluations are without dropout.

    Raises ConfigError on a probability outside [0, 1).
    """

    search = {"p_d": (0.05, 0.5)}

    def __init__(self, p_g: float = 0.0, p_d: float = 0.1) -> None:
        super().__init__()
        self.probabilities = {"g": p_g, "d": p_d}
        for player, p in self.probabilities.items():
            if not (is_number(p) and 0 <= p < 1):
                raise ConfigError(f"{self.name}: p_{player} must be a number in [0, 1), got {p}")
        self.current = _Current()

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        p_g, p_d = self.probabilities["g"], self.probabilities["d"]
        if not any(True for _ in discriminator.parameters()):
            p_g = p_g or p_d
        for player, net, p in (("g", generator, p_g), ("d", discriminator, p_d)):
            if p:
                named = [
                    (name, one)
                    for name, one in net.named_modules()
                    if isinstance(one, LAYERS) and not name.startswith(HEAD)
                ]
                for name, layer in named[1:]:
                    layer.register_forward_pre_hook(_Mask(self.current, player, name, p))

    def before_update(self, step: Update) -> None:
        self.current.step = step

    def after_update(self, step: Update) -> None:
        self.current.step = None


class _Current:
    """The update that is under way; None between updates, when nothing is dropped."""

    step: Update | None = None


class _Mask:
    """Forward pre-hook that drops values (B, ...) of a layer's input with probability p."""

    def __init__(self, current: _Current, player: str, layer: str, p: float) -> None:
        self.current, self.player, self.layer, self.p = current, player, layer, p

    def __call__(self, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        step = self.current.step
        if step is None:
            return None
        values: Tensor = inputs[0]
        images = getattr(step, "seeing", "") if self.player == "d" else ""
        kept = step.rng(f"dropout/{self.player}/{images}/{self.layer}").uniform(*values.shape) >= self.p
        return (values * kept.to(values.dtype) / (1 - self.p), *inputs[1:])
