"""Penalties on weights. "Kernels" are parameters of two or more dimensions: biases and gains of norms are left alone, as is
usual. As a matrix a kernel has its first dimension as rows and all others as columns."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from regen.core.forward import total
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.utils.randomness import Draws

ZERO = 1e-3  # of the largest weight of a kernel: below, a weight counts as none


def kernels(net: nn.Module) -> list[Tensor]:
    """The weights of a net's linear and convolutional layers; under weight norm their directions."""
    gain = "parametrizations.weight.original0"  # of weight norm
    return [parameter for name, parameter in net.named_parameters() if parameter.ndim >= 2 and not name.endswith(gain)]


def sparsity(net: nn.Module) -> Tensor:
    """() the share of a net's kernel weights that are below ZERO of the largest of their kernel."""
    absolute = [kernel.detach().abs() for kernel in kernels(net)]
    zeros = total((kernel <= ZERO * kernel.max()).sum() for kernel in absolute)
    return zeros / sum(kernel.numel() for kernel in absolute)


def sparsity_by_player(
    generator: nn.Module, discriminator: nn.Module, strengths: Mapping[str, object]
) -> dict[str, Tensor]:
    """{"g/sparsity": ()} of the players whose strength is not 0. A net without kernels, as a VAE's discriminator, has none."""
    nets = {"g": generator, "d": discriminator}
    return {
        f"{player}/sparsity": sparsity(net) for player, net in nets.items() if strengths[player] != 0 and kernels(net)
    }


class KernelPenalty(Regularizer):
    """A penalty that is a sum over the kernels of a player's net."""

    search = {"lambda_g": (1e-4, 1e1), "lambda_d": (1e-4, 1e1)}

    def norm(self, kernel: Tensor) -> Tensor:
        """() the penalty of one kernel."""
        raise NotImplementedError

    def for_g(self, step: GANStep) -> Tensor:
        return total(map(self.norm, kernels(step.generator)))

    def for_d(self, step: GANStep) -> Tensor:
        return total(map(self.norm, kernels(step.discriminator)))


class WeightL2(KernelPenalty):
    """λ ½ Σ‖W‖² over kernels, of each player.

    Source: Kurach et al. 2019 (compare_gan), the range too. Convention: ½; summed over layers (compare_gan takes their mean).

    Under Adam not the same as `weight_decay`, and of a layer with spectral or batch norm it changes the learning rate alone.
    """

    def norm(self, kernel: Tensor) -> Tensor:
        return kernel.square().sum() / 2


class WeightL1(KernelPenalty):
    """λ Σ‖W‖₁ over kernels, of each player.

    Source: Tibshirani 1996 (lasso). Convention: summed over layers.

    A subgradient never makes a weight 0 exactly: `weight_l1_proximal` does. The share of weights below a thousandth of the
    largest of their kernel is logged as `sparsity`.
    """

    search = {"lambda_g": (1e-6, 1e-3), "lambda_d": (1e-6, 1e-3)}

    def norm(self, kernel: Tensor) -> Tensor:
        return kernel.abs().sum()

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, Tensor]:
        return sparsity_by_player(generator, discriminator, self.strengths)


class Orthogonal(KernelPenalty):
    """λ Σ‖WWᵀ ⊙ (1 - I)‖² over kernels, of each player.

    Source: Brock et al. 2019 (BigGAN), eq. 3. Convention: no ½; rows may have any length.
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
        return gram.square().sum() - 2 * gram.diagonal().sum() + len(gram)  # no matrix I to make


class SpectralPenalty(Regularizer):
    """λ ½ Σ σ(W)² over kernels, σ the largest singular value, of each player.

    Source: Yoshida and Miyato 2017. Convention: ½; a convolution is taken as its kernel reshaped to a matrix.

    σ by one power iteration an update, whose vectors are state and are in the checkpoint.
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
            left.copy_(torch.where(moved.any(), direction, left))  # a kernel that is 0 now may grow
        return (left.clone() @ matrix @ right).square() / 2


class HistoricalAveraging(Regularizer):
    """λ ‖θ - (1/t) Σ_{i≤t} θ_i‖² over all parameters, of each player.

    Source: Salimans et al. 2016, section 3.3. Convention: no ½; the weights before the first update count as θ_1.

    The averages are state, one copy of each net, and are in the checkpoint.
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
