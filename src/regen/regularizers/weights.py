"""Penalties on kernels: parameters of two or more dimensions, so that biases and normalization gains are excluded.

As a matrix, a kernel has its first dimension as rows and all others as columns.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regen.core.forward import total
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.utils.randomness import Draws

ZERO = 1e-3  # fraction of the kernel's largest weight, below which a weight counts as 0


def kernels(net: nn.Module) -> list[Tensor]:
    """Return the weights of a network's linear and convolutional layers; under weight norm, their directions."""
    gain = "parametrizations.weight.original0"  # of weight norm
    return [parameter for name, parameter in net.named_parameters() if parameter.ndim >= 2 and not name.endswith(gain)]


def sparsity(net: nn.Module) -> Tensor:
    """Return the fraction () of a network's kernel weights that are below ZERO times the largest weight of their kernel."""
    absolute = [kernel.detach().abs() for kernel in kernels(net)]
    zeros = total((kernel <= ZERO * kernel.max()).sum() for kernel in absolute)
    return zeros / sum(kernel.numel() for kernel in absolute)


def sparsity_by_player(
    generator: nn.Module, discriminator: nn.Module, strengths: Mapping[str, object]
) -> dict[str, Tensor]:
    """Return {"g/sparsity": ()} for each player with a strength other than 0 and a network with kernels."""
    nets = {"g": generator, "d": discriminator}
    return {
        f"{player}/sparsity": sparsity(net) for player, net in nets.items() if strengths[player] != 0 and kernels(net)
    }


class KernelPenalty(Regularizer):
    """Sum of a norm over the kernels of a player's network."""

    search = {"lambda_g": (1e-4, 1e1), "lambda_d": (1e-4, 1e1)}

    def norm(self, kernel: Tensor) -> Tensor:
        """Return the penalty () of one kernel."""
        raise NotImplementedError

    def for_g(self, step: GANStep) -> Tensor:
        return total(map(self.norm, kernels(step.generator)))

    def for_d(self, step: GANStep) -> Tensor:
        return total(map(self.norm, kernels(step.discriminator)))


class WeightL2(KernelPenalty):
    """λ ½ Σ‖W‖² over kernels, of each player.

    Source: Kurach et al. 2019 (compare_gan), also for the range. Convention: ½; summed over layers (compare_gan takes their
    mean).

    Under Adam it differs from `weight_decay`. In a layer with spectral or batch norm it changes only the effective learning
    rate.
    """

    def norm(self, kernel: Tensor) -> Tensor:
        return kernel.square().sum() / 2


class WeightL1(KernelPenalty):
    """λ Σ‖W‖₁ over kernels, of each player.

    Source: Tibshirani 1996 (lasso). Convention: summed over layers.

    A subgradient never makes a weight exactly 0; `weight_l1_proximal` does. The fraction of weights below a thousandth of
    their kernel's largest is logged as `sparsity`.
    """

    search = {"lambda_g": (1e-6, 1e-3), "lambda_d": (1e-6, 1e-3)}

    def norm(self, kernel: Tensor) -> Tensor:
        return kernel.abs().sum()

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, Tensor]:
        return sparsity_by_player(generator, discriminator, self.strengths)


class Orthogonal(KernelPenalty):
    """λ Σ‖WWᵀ ⊙ (1 - I)‖² over kernels, of each player.

    Source: Brock et al. 2019 (BigGAN), eq. 3. Convention: no ½; rows may have any length. The gradient is twice that
    of BigGAN-PyTorch at the same λ, which adds 2λ(WWᵀ ⊙ (1 - I))W.
    """

    search = {"lambda_g": (1e-6, 1e-2), "lambda_d": (1e-6, 1e-2)}

    def norm(self, kernel: Tensor) -> Tensor:
        gram = kernel.flatten(1) @ kernel.flatten(1).T
        return gram.square().sum() - gram.diagonal().square().sum()


class Orthonormal(KernelPenalty):
    """λ Σ‖WWᵀ - I‖² over kernels, of each player.

    Source: Brock et al. 2017, squared as in Brock et al. 2019 (BigGAN), eq. 2. Convention: no ½.
    """

    search = {"lambda_g": (1e-6, 1e-2), "lambda_d": (1e-6, 1e-2)}

    def norm(self, kernel: Tensor) -> Tensor:
        gram = kernel.flatten(1) @ kernel.flatten(1).T
        return gram.square().sum() - 2 * gram.diagonal().sum() + len(gram)  # avoids the matrix I


class SpectralPenalty(Regularizer):
    """λ ½ Σ σ(W)² over kernels, σ the largest singular value, of each player.

    Source: Yoshida and Miyato 2017. Convention: ½; a convolution is taken as its kernel reshaped to a matrix.

    One power iteration per update computes σ; its vectors are in the checkpoint.
    """

    search = {"lambda_g": (1e-3, 1e1), "lambda_d": (1e-3, 1e1)}
    attach_order = 1

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        for player, net in (("g", generator), ("d", discriminator)):
            for i, kernel in enumerate(kernels(net)):
                start = Draws("spectral_penalty", player, i).normal(len(kernel))
                self.register_buffer(f"{player}{i}", start / start.norm())

    def for_g(self, step: GANStep) -> Tensor:
        return total(self._of(f"g{i}", kernel.flatten(1)) for i, kernel in enumerate(kernels(step.generator)))

    def for_d(self, step: GANStep) -> Tensor:
        return total(self._of(f"d{i}", kernel.flatten(1)) for i, kernel in enumerate(kernels(step.discriminator)))

    def _of(self, name: str, matrix: Tensor) -> Tensor:
        left = self.get_buffer(name)
        with torch.no_grad():
            right = nn.functional.normalize(left @ matrix, dim=0)
            moved = matrix @ right
            direction = nn.functional.normalize(moved, dim=0)
            left.copy_(torch.where(moved.any(), direction, left))  # a kernel of 0 keeps its vector and may grow
        return (left.clone() @ matrix @ right).square() / 2


class HistoricalAveraging(Regularizer):
    """λ ‖θ - (1/t) Σ_{i≤t} θ_i‖² over all parameters, of each player.

    Source: Salimans et al. 2016, section 3.3. Convention: no ½; the weights before the first update count as θ_1.

    The averages, one copy of each network, are in the checkpoint.
    """

    search = {"lambda_g": (1e-3, 1e2), "lambda_d": (1e-3, 1e2)}
    attach_order = 1

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        for player, net in (("g", generator), ("d", discriminator)):
            for i, parameter in enumerate(net.parameters()):
                self.register_buffer(f"{player}{i}", parameter.detach().clone())

    def for_g(self, step: GANStep) -> Tensor:
        return self._distance("g", step.generator)

    def for_d(self, step: GANStep) -> Tensor:
        return self._distance("d", step.discriminator)

    @torch.no_grad()
    def after_update(self, step: GANStep) -> None:
        parameters: list[Tensor] = list(step.net.parameters())
        torch._foreach_lerp_(self._averages(step.player, len(parameters)), parameters, 1 / (step.index + 2))

    def _distance(self, player: str, net: nn.Module) -> Tensor:
        parameters = list(net.parameters())
        pairs = zip(parameters, self._averages(player, len(parameters)), strict=True)
        return total((parameter - average.clone()).square().sum() for parameter, average in pairs)

    def _averages(self, player: str, n: int) -> list[Tensor]:
        return [self.get_buffer(f"{player}{i}") for i in range(n)]
