"""A linear Gaussian VAE, of which everything is known: x = W z + b + scale * noise, z ~ N(0, I)."""

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal

from regen.losses.likelihoods import Gaussian
from regen.utils.randomness import Draws

SCALE, CODE, VALUES = 0.5, 2, 4
W = Draws("linear", "W").normal(VALUES, CODE).double()
B = Draws("linear", "b").normal(VALUES).double() / 4


class Decoder(nn.Module):
    """z (B, 2) -> W z + b (B, 1, 2, 2), no tanh behind it."""

    def forward(self, z: Tensor) -> Tensor:
        return (z.to(W) @ W.T + B).view(-1, 1, 2, 2)


class Encoder(nn.Module):
    """q(z|x) = N(A (x - b) + shift, stretch² Σ_ii), the true posterior being N(A (x - b), Σ): its bound has a gap."""

    def __init__(self, shift: float = 0.0, stretch: float = 1.0) -> None:
        super().__init__()
        covariance = torch.linalg.inv(torch.eye(CODE, dtype=torch.float64) + W.T @ W / SCALE**2)
        self.to_mean, self.shift = covariance @ W.T / SCALE**2, shift
        self.logvar = (covariance.diagonal() * stretch**2).log()

    def forward(self, images: Tensor) -> Tensor:
        mean = (images.flatten(1).to(W) - B) @ self.to_mean.T + self.shift
        return torch.cat([mean, self.logvar.expand_as(mean)], dim=1)


def likelihood() -> Gaussian:
    return Gaussian(SCALE).double()


def drawn(n: int) -> Tensor:
    """(n, 1, 2, 2) images of the model itself."""
    z, noise = Draws("linear", "z").normal(n, CODE).double(), Draws("linear", "noise").normal(n, VALUES).double()
    return (z @ W.T + B + SCALE * noise).view(n, 1, 2, 2)


def log_likelihood(images: Tensor) -> Tensor:
    """(n,) log N(x; b, W Wᵀ + scale² I), in nats."""
    covariance = W @ W.T + SCALE**2 * torch.eye(VALUES, dtype=torch.float64)
    return MultivariateNormal(B, covariance).log_prob(images.flatten(1).to(W))


def log_weights(images: Tensor, encoder: Encoder, noise: Tensor) -> Tensor:
    """(n, k) log p(x|z) + log p(z) - log q(z|x) by torch.distributions, at z = mean + deviation * noise (n, k, 2)."""
    mean, logvar = encoder(images).chunk(2, dim=1)
    posterior = Normal(mean[:, None], (logvar[:, None] / 2).exp())
    z = posterior.loc + posterior.scale * noise
    of_x = Normal(z @ W.T + B, SCALE).log_prob(images.flatten(1)[:, None]).sum(2)
    return of_x + Normal(0.0, 1.0).log_prob(z).sum(2) - posterior.log_prob(z).sum(2)
