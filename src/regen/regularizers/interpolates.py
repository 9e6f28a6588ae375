"""Penalties on D's input gradient between real and generated images, and around real images."""

import torch
from torch import Tensor

from regen import functional
from regen.core.constraints import Cost
from regen.core.distributed import averaged
from regen.core.gan_step import GANStep
from regen.regularizers.gradients import GradientPenalty


class Interpolates(GradientPenalty):
    """Penalty on D's input gradient at other points than the images, by one more pass of D."""

    cost = {"d": Cost(d=1, second_order=1)}
    reads_input_gradients = False

    def points(self, step: GANStep) -> Tensor:
        """Return u x + (1 - u) G(z), (B, C, H, W), u ~ U[0, 1) for each image; all penalties of a step share them."""
        share = step.rng("interpolates").uniform(len(step.real), 1, 1, 1).to(step.real.dtype)
        return functional.interpolate(step.real, step.fake, share)

    def excess(self, squared: Tensor) -> Tensor:
        """Return the penalty () for squared gradient norms (B,)."""
        raise NotImplementedError

    def for_d(self, step: GANStep) -> Tensor:
        return self.excess(step.squared_gradients(self.points(step), "interpolates"))


class WganGP(Interpolates):
    """λ_D E(‖∇D(x̃)‖ - 1)², x̃ = u x + (1 - u) G(z), u ~ U[0, 1).

    Source: Gulrajani et al. 2017, eq. 3. Convention: no ½; ‖·‖ over an image's values.
    """

    def excess(self, squared: Tensor) -> Tensor:
        return functional.one_centered(squared)


class WganLP(Interpolates):
    """λ_D E max(0, ‖∇D(x̃)‖ - 1)², x̃ = u x + (1 - u) G(z), u ~ U[0, 1).

    Source: Petzka, Fischer and Lukovnikov 2018 (WGAN-LP). Convention: no ½; ‖·‖ over an image's values.
    """

    def excess(self, squared: Tensor) -> Tensor:
        return functional.one_sided(squared)


class ZeroGP(Interpolates):
    """λ_D E‖∇D(x̃)‖², x̃ = u x + (1 - u) G(z), u ~ U[0, 1).

    Source: Thanh-Tung, Tran and Venkatesh 2019. Convention: no ½; summed over an image's values.
    """

    def excess(self, squared: Tensor) -> Tensor:
        return squared.mean()


class MaxGP(Interpolates):
    """λ_D max ‖∇D(x̃)‖² over the batch, x̃ = u x + (1 - u) G(z), u ~ U[0, 1).

    Source: Zhou et al. 2019 (Lipschitz GANs). Convention: no ½; the maximum over the batch of each process.
    """

    search = {"lambda_d": (1e-2, 1e1)}

    def excess(self, squared: Tensor) -> Tensor:
        return squared.max()


class Dragan(Interpolates):
    """λ_D E(‖∇D(x + ½ std(x) u)‖ - 1)², u ~ U[0, 1) for each value.

    Source: Kodali et al. 2017, with the noise of its code. Convention: no ½; std(x) over all values of the batch.

    Some implementations draw u from U[-½, ½), or once for each image: a different distribution.
    """

    def points(self, step: GANStep) -> Tensor:
        real = step.real.detach()
        mean, of_squares = averaged(torch.stack([real.mean(), real.square().mean()]))
        noise = step.rng("dragan").uniform(*real.shape).to(real.dtype)
        return functional.perturb(real, of_squares - mean.square(), noise)

    def excess(self, squared: Tensor) -> Tensor:
        return functional.one_centered(squared)
