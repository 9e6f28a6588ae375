"""The sampler of a run, in plain layers for export."""

import copy
from collections.abc import Callable
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.nn.utils import parametrize

from regen.errors import ConfigError
from regen.utils.randomness import Draws

BATCHES = (1, 2, 7)  # latents; 1 and 2 reveal programs with a fixed or squeezed batch dimension
TOLERANCE = 1e-5  # largest difference of a value in [-1, 1]


class Taken:
    """Sampler on the CPU: `original`, as used by the run, and `net`, the same function in plain layers.

    Both map latents (n, latent_dim), keyed by the seed, to images (n, C, H, W) float32 in [-1, 1].
    """

    def __init__(self, original: Callable[[Tensor], Tensor], generator: nn.Module, latent_dim: int, seed: int) -> None:
        self.original, self.net, self.latent_dim, self.seed = original, plain(generator), latent_dim, seed

    @cached_property
    def program(self) -> ExportedProgram:
        """Capture the network with torch.export, for any number of latents. Raises ConfigError if that fails."""
        try:
            program = torch.export.export(self.net, self.example, dynamic_shapes=self.dynamic)
        except Exception as error:  # a user's network can fail anywhere in torch
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"torch.export cannot capture {type(self.net).__name__}: {reason}. Type formats=[safetensors]"
            ) from error
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # contains local paths
        return program

    @property
    def example(self) -> tuple[Tensor]:
        """Return latents (2, Z)."""
        return (self.latents(2),)

    @property
    def dynamic(self) -> tuple[dict[int, Dim]]:
        """Return the dynamic dimensions of the example: its batch."""
        return ({0: Dim("n", min=1)},)

    def difference(self, other: Callable[[Tensor], Tensor]) -> float:
        """Return max |other(z) - original(z)| over keyed latents in batches of 1, 2 and 7; inf if a shape differs."""
        differences = []
        for z in map(self.latents, BATCHES):
            images, wanted = other(z), self.original(z)
            same = images.shape == wanted.shape
            differences.append((images - wanted).abs().max() if same else torch.tensor(torch.inf))
        return float(torch.stack(differences).max())  # nan if any is

    def latents(self, n: int) -> Tensor:
        """Draw latents (n, Z), keyed by the seed and n."""
        return Draws(self.seed, "export", n).normal(n, self.latent_dim)


def plain(net: nn.Module) -> nn.Module:
    """Return a copy on the CPU whose weights are contiguous float32 parameters under their own names.

    Spectral and weight norm are folded into the weights. (torch's remove_parametrizations would change the class, which the
    copy shares with the original.)
    """
    twin = copy.deepcopy(net).cpu().eval()
    for layer in [layer for layer in twin.modules() if parametrize.is_parametrized(layer)]:
        weights = {name: getattr(layer, name).detach().clone() for name in cast(nn.ModuleDict, layer.parametrizations)}
        layer.__class__ = parametrize.type_before_parametrizations(layer)
        del layer.parametrizations
        for name, weight in weights.items():
            layer.register_parameter(name, nn.Parameter(weight))
    return twin.float().to(memory_format=torch.contiguous_format).requires_grad_(False)
