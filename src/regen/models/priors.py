"""Priors of a VAE's codes for sampling. Each is a map from latents ~ N(0, I) to codes."""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from regen.errors import ConfigError

FARTHEST = 9.0  # standard deviations: no float32 latent lies beyond, so that a component there is never drawn


class Normal(nn.Module):
    """Prior N(0, I): a code is a latent.

    latent_dim   dimensions of a latent
    images   largest number of training images whose codes it is fitted to
    """

    images = 0

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def forward(self, z: Tensor) -> Tensor:
        """Map latents (B, latent_dim) to codes (B, Z)."""
        return z

    def fit(self, codes: Tensor) -> None:
        """Fit the density of codes (N, Z)."""

    def before(self, generator: nn.Module) -> nn.Module:
        """Return a network from latents (B, latent_dim) to the generator's images."""
        return generator


class Mixture(Normal):
    """Σ_k w_k N(m_k, C_k), fitted to the codes of training images: "ex-post density estimation".

    Source: Ghosh et al. 2020 (RAE), section 4: 10 components, full covariances; by EM, from a start by k-means (scikit-learn).

    A latent has one dimension more than a code: the last one selects the component k by the quantiles of N(0, 1) for the w_k,
    and the others, z, give the code m_k + L_k z, with C_k = L_k L_kᵀ. So a sample is a function of its latent, also in
    exported files. Before the first fit it is N(0, I); the last fit is in the checkpoint. The KL and the evidence lower
    bound still use N(0, I).

    components, images   at most; fewer if there are fewer images

    Raises ConfigError on components < 1 and images < 2.
    """

    bounds: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, latent_dim: int, components: int = 10, images: int = 10_000) -> None:
        super().__init__(latent_dim + 1)
        if components < 1 or images < 2:
            raise ConfigError(f"prior=mixture: expected components >= 1 and images >= 2, got {components} and {images}")
        self.images = images
        self.register_buffer(
            "bounds", torch.zeros(components - 1)
        )  # bounds of the last dimension between two components
        self.register_buffer("means", torch.zeros(components, latent_dim))
        self.register_buffer("factors", torch.eye(latent_dim).repeat(components, 1, 1))  # L

    def forward(self, z: Tensor) -> Tensor:
        which = (z[:, -1:] >= self.bounds).sum(1)
        return self.means[which] + (self.factors[which] @ z[:, :-1, None])[:, :, 0]

    def fit(self, codes: Tensor) -> None:
        """Fit the density of codes (N, Z); does nothing with fewer than two or with codes that are not finite."""
        if len(codes) < 2 or not codes.isfinite().all():
            return  # a divergence is reported elsewhere
        kinds = min(len(self.means), len(codes))
        mixture = GaussianMixture(
            kinds, max_iter=300, random_state=0
        )  # a fixed seed, so that the fit depends only on the codes
        with warnings.catch_warnings(), threadpool_limits(1):  # one order of sums
            warnings.simplefilter("ignore", ConvergenceWarning)  # few distinct codes, or too few steps
            mixture.fit(codes.double().cpu().numpy())
        upto = torch.from_numpy(mixture.weights_).cumsum(0)
        bounds = torch.special.ndtri(upto[:-1].clamp(0, 1)).clamp(-FARTHEST, FARTHEST)
        self.bounds[: kinds - 1], self.bounds[kinds - 1 :] = bounds, FARTHEST
        self.means[:kinds] = torch.from_numpy(mixture.means_)
        self.factors[:kinds] = torch.linalg.cholesky(torch.from_numpy(mixture.covariances_))

    def before(self, generator: nn.Module) -> nn.Module:
        return Behind(self, generator).eval()


class Behind(nn.Module):
    """Generator preceded by a prior."""

    def __init__(self, prior: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.prior, self.generator = prior, generator

    def forward(self, z: Tensor) -> Tensor:
        """Map latents (B, prior.latent_dim) to images (B, C, H, W) in [-1, 1]."""
        return self.generator(self.prior(z))
