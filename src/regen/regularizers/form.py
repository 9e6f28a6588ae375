"""Reparametrizations, which change the form of the networks."""

import re
from collections.abc import Sequence

from torch import nn
from torch.nn.utils import parametrizations, parametrize

from regen.core.forward import LAYERS
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError


class Reparametrization(Regularizer):
    """Reparametrization of the weight of each linear and convolutional layer of the named networks by `rewrite(layer)`.

    Raises ConfigError unless `nets` lists only generator and discriminator.
    """

    def __init__(self, nets: Sequence[str] = ("discriminator",)) -> None:
        super().__init__()
        if not nets or set(nets) - {"generator", "discriminator"}:
            raise ConfigError(f"{self.name}: nets must list generator, discriminator or both, got {list(nets)}")
        self.nets = tuple(nets)

    def rewrite(self, layer: nn.Module) -> None:
        raise NotImplementedError

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        named = {"generator": generator, "discriminator": discriminator}
        if "discriminator" in self.nets and not any(True for _ in discriminator.children()):
            raise ConfigError(
                f"{self.name}: nets={list(self.nets)}, and this model has no discriminator: "
                f"type regularizer.{_option(self.name)}.nets=[generator]"
            )
        for net in self.nets:
            layers = {name: layer for name, layer in named[net].named_modules() if isinstance(layer, LAYERS)}
            for name, layer in layers.items():
                if not layer.weight.any():
                    raise ConfigError(
                        f"{self.name} divides by the norm of weights, and those of {name} of the {net} start at 0. Type "
                        f"another network, or leave regularizer={_option(self.name)} out"
                    )
                self.rewrite(layer)


def _option(name: str) -> str:
    """Return the option of a class: spectral_norm for SpectralNorm."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class SpectralNorm(Reparametrization):
    """W / σ(W), σ the largest singular value by one power iteration a forward pass.

    Source: Miyato et al. 2018, section 2.1. Convention: a convolution is taken as its kernel reshaped to a matrix, as in the
    paper: not its true operator norm.

    Extra passes of penalties leave the vectors of the power iteration unchanged.
    """

    def rewrite(self, layer: nn.Module) -> None:
        parametrizations.spectral_norm(layer)


class WeightNorm(Reparametrization):
    """g V / ‖V‖: the length and the direction of each output's weights are separate parameters.

    Source: Salimans and Kingma 2016, eq. 2. Convention: the norm of each output's weights.
    """

    def rewrite(self, layer: nn.Module) -> None:
        if parametrize.is_parametrized(layer, "weight"):
            raise ConfigError(
                f"{self.name} must rewrite a layer first: type regularizer=[weight_norm,...], or leave it out"
            )
        parametrizations.weight_norm(layer)
