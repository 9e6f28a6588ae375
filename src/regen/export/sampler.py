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
Inputs = tuple[Tensor, ...]  # latents (n, Z), and labels (n,) of a conditional model


class Sampler:
    """Sampler on the CPU: `original`, as used by the run, and `net`, the same function in plain layers.

    Both map latents (n, latent_dim), keyed by the seed, and labels (n,) int64 of a conditional model, to images (n, C, H, W)
    float32 in [-1, 1].
    """

    def __init__(
        self, original: Callable[..., Tensor], generator: nn.Module, latent_dim: int, seed: int, n_classes: int = 0
    ) -> None:
        self.original, self.net, self.latent_dim, self.seed = original, plain(generator), latent_dim, seed
        self.n_classes = n_classes

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
    def names(self) -> list[str]:
        """Return the names of the inputs."""
        return ["z", "labels"] if self.n_classes else ["z"]

    @property
    def example(self) -> Inputs:
        """Return inputs for two images."""
        return self.inputs(2)

    @property
    def dynamic(self) -> tuple[dict[int, Dim], ...]:
        """Return the dynamic dimension of each input: its batch."""
        return ({0: Dim("n", min=1)},) * len(self.names)

    def difference(self, other: Callable[..., Tensor]) -> float:
        """Return max |other(*inputs) - original(*inputs)| over batches of 1, 2 and 7; inf if a shape differs."""
        differences = []
        for inputs in map(self.inputs, BATCHES):
            images, expected = other(*inputs), self.original(*inputs)
            same = images.shape == expected.shape
            differences.append((images - expected).abs().max() if same else torch.tensor(torch.inf))
        return float(torch.stack(differences).max())  # nan if any is

    def inputs(self, n: int) -> Inputs:
        """Return latents, and labels of a conditional model: in the BATCHES together ten consecutive classes."""
        if not self.n_classes:
            return (self.latents(n),)
        return self.with_labels((torch.arange(n) + sum(size for size in BATCHES if size < n)) % self.n_classes)

    def with_labels(self, labels: Tensor) -> Inputs:
        """Return latents for labels (n,), and the labels."""
        return self.latents(len(labels)), labels

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
