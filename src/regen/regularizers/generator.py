"""Penalties on the map from latents to images."""

from typing import Unpack

import torch
from torch import Tensor

from regen.core.constraints import Cost
from regen.core.distributed import averaged, pooled
from regen.core.forward import apart, eager, float32, length, plain_attention, squares
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer, Strengths
from regen.core.step import Update
from regen.errors import ConfigError


class PathLength(Regularizer):
    """λ_G E(‖Jᵀy‖ - a)², J the Jacobian of G at z, y ~ N(0, I) / √(H W), a the moving average of ‖Jᵀy‖.

    Source: Karras et al. 2020 (StyleGAN2), eq. 4. Convention: no ½; on z, the latent of these networks (in the paper: w).
    Defaults, and the update of a before the penalty, are those of its code; a is a constant here, while 1 - decay of the mean's
    gradient flows through a there.

    share   fraction of the batch that it uses
    decay   of the average a, which is in the checkpoint and over all processes

    Batch norm in G uses its running statistics in this pass, so that J is that of each image alone. Raises ConfigError on a
    share outside (0, 1] and a decay outside [0, 1).
    """

    search = {"lambda_g": (1e-2, 1e2)}
    cost = {"g": Cost(g=0.5, second_order=1)}

    mean: Tensor

    def __init__(self, share: float = 0.5, decay: float = 0.99, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not 0 < share <= 1 or not 0 <= decay < 1:
            raise ConfigError(f"{self.name}: expected share in (0, 1] and decay in [0, 1), got {share} and {decay}")
        self.share, self.decay = share, decay
        self.register_buffer("mean", torch.zeros(()))

    def for_g(self, step: GANStep) -> Tensor:
        rng, batch = step.rng("path_length"), max(1, round(self.share * len(step.real)))
        z = rng.normal(batch, step.latent_dim).to(step.real.dtype).requires_grad_()
        with float32(z), apart(step.generator), eager(), plain_attention():
            images = step.generate(z)
            y = rng.normal(*images.shape).to(images.dtype) / (images.shape[2] * images.shape[3]) ** 0.5
            (answer,) = torch.autograd.grad((images * y).sum(), z, create_graph=True)
        lengths = length(answer)
        self.mean.lerp_(averaged(lengths.mean()).to(self.mean.dtype), 1 - self.decay)
        return (lengths - self.mean.clone()).square().mean()

    def quantities(self, generator: torch.nn.Module, discriminator: torch.nn.Module) -> dict[str, Tensor]:
        return {"g/mean": self.mean}


class GeneratorSlope(Regularizer):
    """λ_G E‖J‖², J the Jacobian of G at z, ‖·‖² the sum of its squared entries.

    Source: Ghosh et al. 2020 (RAE-GP), the gradient penalty of section 3.1. Convention: no ½; summed over an image's values
    in [-1, 1] and over the latent; Hutchinson's estimate ‖Jᵀy‖², y of ±1, one an image.

    z is drawn for a GAN and is the latent code for a VAE. The codes are constants here, as in "an explicit regularization
    scheme for the decoder": the decoder becomes smooth at the codes, and the encoder does not move them to flat regions.
    `spectral_norm` of G bounds J everywhere instead. Batch norm in G uses its running statistics in this pass, so that J is
    that of each image alone.
    """

    search = {"lambda_g": (1e-5, 1e-1)}
    cost = {"g": Cost(g=1, second_order=1)}

    def for_g(self, step: Update) -> Tensor:
        z = step.z.detach().requires_grad_()
        with float32(z), apart(step.generator), eager(), plain_attention():
            images = step.generate(z)
            y = step.rng("generator_slope").signs(*images.shape).to(images.dtype)
            (answer,) = torch.autograd.grad((images * y).sum(), z, create_graph=True)
        return squares(answer).mean()


class JacobianClamping(Regularizer):
    """λ_G E(max(0, Q - most)² + max(0, least - Q)²), Q = ‖G(z + δ) - G(z)‖ / ‖δ‖, δ in a random direction.

    Source: Odena et al. 2018. Convention: no ½; ‖·‖ over an image's values in [-1, 1].

    epsilon   the length ‖δ‖

    Raises ConfigError unless 0 <= least <= most and epsilon > 0.
    """

    search = {"lambda_g": (1e-2, 1e1)}
    cost = {"g": Cost(g=1)}

    def __init__(
        self, least: float = 1.0, most: float = 20.0, epsilon: float = 1.0, **strengths: Unpack[Strengths]
    ) -> None:
        super().__init__(**strengths)
        if not (0 <= least <= most and epsilon > 0):
            raise ConfigError(
                f"{self.name}: expected 0 <= least <= most and epsilon > 0, got least={least}, most={most}, epsilon={epsilon}"
            )
        self.least, self.most, self.epsilon = least, most, epsilon

    def for_g(self, step: GANStep) -> Tensor:
        direction = step.rng("jacobian_clamping").normal(*step.z.shape).to(step.z.dtype)
        delta = self.epsilon * direction / length(direction)[:, None]
        fake = step.exact_fake
        with float32(step.z):
            quotient = length(fake - step.regenerate(step.z + delta)) / self.epsilon
        above, below = (quotient - self.most).clamp_min(0), (self.least - quotient).clamp_min(0)
        return (above.square() + below.square()).mean()


class ModeSeeking(Regularizer):
    """λ_G / E[d(G(z₁), G(z₂)) / d(z₁, z₂)], d the mean absolute difference.

    Source: Mao et al. 2019 (MSGAN), in the inverse form of its code, which is bounded below. Convention: d is a mean
    over values; 1e-5 is added to the mean over pairs.

    Penalizes similar images for different latents.
    """

    search = {"lambda_g": (1e-2, 1e1)}
    cost = {"g": Cost(g=1)}

    def for_g(self, step: GANStep) -> Tensor:
        other = step.rng("mode_seeking").normal(*step.z.shape).to(step.z.dtype)
        fake = step.exact_fake
        with float32(other):
            apart_by = (fake - step.regenerate(other)).abs().flatten(1).mean(1)
        return 1 / (pooled((apart_by / (other - step.z).abs().mean(1)).mean()) + 1e-5)


class HessianPenalty(Regularizer):
    """λ_G max over pixels of E Var_v[vᵀ H v], H the Hessian of a pixel in z, v with values ±1.

    Source: Peebles et al. 2020. Convention: vᵀHv by second differences of width epsilon; the unbiased variance
    over `directions` draws of v; the mean over the batch, then the maximum over an image's values. The published code takes the
    maximum over the batch, too, so that its penalty is larger.

    Zero if the latents do not interact, which favours disentangled latents. Batch norm in G uses its running statistics.
    Raises ConfigError unless epsilon > 0 and directions >= 2.
    """

    search = {"lambda_g": (1e-3, 1e1)}
    cost = {"g": Cost(g=5)}

    def __init__(self, epsilon: float = 0.1, directions: int = 2, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (epsilon > 0 and directions >= 2):
            raise ConfigError(f"{self.name}: expected epsilon > 0 and directions >= 2, got {epsilon} and {directions}")
        self.epsilon, self.directions = epsilon, directions

    def for_g(self, step: GANStep) -> Tensor:
        rng, z, curvatures = step.rng("hessian_penalty"), step.z, []
        with float32(z), apart(step.generator):
            middle = step.generate(z)
            for _ in range(self.directions):
                move = self.epsilon * rng.signs(*z.shape).to(z.dtype)
                sides = step.generate(z + move) + step.generate(z - move)
                curvatures.append((sides - 2 * middle) / self.epsilon**2)
        return pooled(torch.stack(curvatures).var(dim=0).mean(dim=0)).max()
