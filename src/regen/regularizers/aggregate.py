"""Penalties on the aggregate posterior of a VAE, the mean of q(z|x) over images."""

import math
from typing import Unpack

import torch
from torch import Tensor

from regen.core.distributed import everyone
from regen.core.forward import squares, total
from regen.core.posterior import Posterior
from regen.core.regularizer import Regularizer, Strengths
from regen.errors import ConfigError
from regen.regularizers.latent_codes import A_CODE


class MMD(Regularizer):
    """λ_G MMD²(q(z), N(0, I)), k(a, b) = Σ_s s C / (s C + ‖a - b‖²), C = 2 Z, Z latent dimensions.

    Source: Tolstikhin et al. 2018 (WAE-MMD), section 4, kernel and scales too. Convention: the unbiased estimate, which may be
    negative; over the batch of all processes, with as many draws from the prior.

    Alone it is a Wasserstein autoencoder, whose codes are not drawn. InfoVAE (Zhao et al. 2019), (1 - α) KL + (α + λ - 1) MMD,
    is [kl,mmd] with kl.lambda_g = 1 - α and mmd.lambda_g = α + λ - 1.
    """

    search = {"lambda_g": (1e-1, 1e3)}
    incompatible = (A_CODE,)
    scales = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

    def for_g(self, step: Posterior) -> Tensor:
        codes, prior = everyone(step.posterior_z), everyone(step.noise("mmd"))
        return (
            _off_diagonal_mean(self._kernel(codes, codes))
            + _off_diagonal_mean(self._kernel(prior, prior))
            - 2 * (self._kernel(codes, prior).mean())
        )

    def _kernel(self, a: Tensor, b: Tensor) -> Tensor:
        squared = squares((a[:, None] - b[None]).flatten(0, 1)).view(len(a), len(b))
        base = 2 * a.shape[1]
        return total(scale * base / (scale * base + squared) for scale in self.scales)


def _off_diagonal_mean(square: Tensor) -> Tensor:
    n = len(square)
    return (square.sum() - square.diagonal().sum()) / (n * (n - 1))


class DIP(Regularizer):
    """λ_G (Σ_{i≠j} C_ij² + diagonal Σ_i (C_ii - 1)²), C the covariance of the codes' means.

    Source: Kumar, Sattigeri and Balakrishnan 2018 (DIP-VAE-I), eq. 6. Convention: diagonal is λ_d / λ_od; C over the batch
    of all processes, divided by its size.

    Used together with `kl`; decorrelates the latent dimensions. Raises ConfigError on a negative diagonal.
    """

    search = {"lambda_g": (1e-1, 1e2)}
    incompatible = (A_CODE,)

    def __init__(self, diagonal: float = 10.0, **strengths: Unpack[Strengths]) -> None:
        super().__init__(**strengths)
        if not (math.isfinite(diagonal) and diagonal >= 0):
            raise ConfigError(f"{self.name}: diagonal must be a finite number >= 0, got {diagonal}")
        self.diagonal = diagonal

    def covariance(self, step: Posterior) -> Tensor:
        """Return C, (Z, Z)."""
        means = everyone(step.mean)
        centred = means - means.mean(0)
        return centred.T @ centred / len(means)

    def for_g(self, step: Posterior) -> Tensor:
        covariance = self.covariance(step)
        diagonal = covariance.diagonal()
        off_diagonal = covariance.square().sum() - diagonal.square().sum()
        return off_diagonal + self.diagonal * (diagonal - 1).square().sum()


class DIPII(DIP):
    """λ_G (Σ_{i≠j} C_ij² + diagonal Σ_i (C_ii - 1)²), C the covariance of the codes themselves, drawn from q(z|x).

    Source: Kumar, Sattigeri and Balakrishnan 2018 (DIP-VAE-II), eq. 7. Convention: as `dip`; C = Cov[mean] + E diag(variance).
    """

    reads_variance = True

    def covariance(self, step: Posterior) -> Tensor:
        return super().covariance(step) + everyone(step.logvar.exp()).mean(0).diag()


class TotalCorrelation(Regularizer):
    """λ_G KL(q(z) ‖ Π_j q(z_j)), q(z) the mean of q(z|x) over the images of a batch.

    Source: Chen et al. 2018 (β-TCVAE), eq. 2 and 4, minibatch-weighted sampling. Convention: in nats; the batch of all
    processes; without the paper's constant, (Z - 1) log of the number of training images, which has no gradient.

    Used together with `kl`: λ_kl KL + λ_G TC weighs the total correlation by β = λ_kl + λ_G and the other parts of the KL by
    λ_kl. The estimate is too large where q(z|x) is narrow, because each code lies where its own image's density is high. Larger
    batches reduce this: for two correlated dimensions with standard deviations of 0.05, the bias is 1.1 nats with 50 images
    and 0.3 with 800.
    """

    search = {"lambda_g": (1e-1, 1e2)}
    incompatible = (A_CODE,)
    reads_variance = True

    def for_g(self, step: Posterior) -> Tensor:
        z, mean, logvar = everyone(step.posterior_z), everyone(step.mean), everyone(step.logvar)
        densities = _log_normal(z[:, None], mean[None], logvar[None])  # (B, B, Z) log q(z_i|x_j) of each dimension
        weights = self.log_weights(len(z), step.population).to(z)
        together = (densities.sum(2) + weights).logsumexp(1)
        each = (densities + weights[:, :, None]).logsumexp(1).sum(1)
        return (together - each).mean()

    def log_weights(self, batch: int, population: int) -> Tensor:
        """Return the log weight of q(z_i|x_j) in the estimate of q(z_i), (B, B), for a batch from a population of images."""
        return torch.full((batch, batch), -math.log(batch))


class TotalCorrelationStratified(TotalCorrelation):
    """λ_G KL(q(z) ‖ Π_j q(z_j)), q(z) the mean of q(z|x) over all training images.

    Source: Chen et al. 2018 (β-TCVAE), appendix C.2, minibatch stratified sampling. Convention: as `total_correlation`; the
    image that z encodes has weight 1 / N of N training images, and the other images of the batch have equal weights.

    The estimate of q(z) is unbiased, that of its logarithm is not: where q(z|x) is narrow, it may also be too small.
    """

    def log_weights(self, batch: int, population: int) -> Tensor:
        n = max(population, batch)
        weights = torch.full((batch, batch), (n - 1) / (n * (batch - 1)))
        return weights.fill_diagonal_(1 / n).log()


def _log_normal(value: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    return -((value - mean).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)) / 2
