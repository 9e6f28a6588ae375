"""Likelihoods: data terms of a VAE, -log p(x|z) in nats per image, summed over its values."""

import math
from typing import NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regen.core.condition import join
from regen.core.objective import Loss
from regen.core.step import Rng
from regen.core.vae_step import Decoded, VAEStep, decode
from regen.errors import ConfigError

LEVEL = 2 / 255  # difference between two grey levels, in [-1, 1]


class Likelihood(Loss):
    """Loss E -log p(x|z), z ~ q(z|x), of the decoder; without `kl` it is that of an autoencoder.

    normalized       whether it is a likelihood: its probabilities sum to 1
    level            factor from a density to the probability of one of 256 grey levels; 1 if it is a probability
    """

    normalized = True
    level = LEVEL

    def see(self, images: Tensor, rng: Rng) -> Tensor:
        """Return the VAE's input and target for images (B, C, H, W), of the same shape."""
        return images

    def nats(self, real: Tensor, decoded: Decoded) -> Tensor:
        """Return -log p(x|z), (B,)."""
        raise NotImplementedError

    def bits_per_dimension(self, nats: float, values: int) -> float:
        """Convert nats per image with `values` values to bits per dimension; densities are for 256 grey levels in [-1, 1]."""
        return (nats / values - math.log(self.level)) / math.log(2)

    def for_g(self, step: VAEStep) -> Tensor:
        return self.nats(step.real, step.decoded).mean()

    def for_d(self, step: object) -> NoReturn:
        raise ConfigError(f"loss={type(self).__name__} is for a VAE: type model=vae")


class Gaussian(Likelihood):
    """-log N(x; G(z), scale²) = Σ (x - G(z))² / (2 scale²) + D log(scale √(2π)), D values per image, in [-1, 1].

    Kingma and Welling 2014. With a fixed scale it is a squared error: only β scale² matters.

    Raises ConfigError unless scale is a finite number > 0.
    """

    log_scale: Tensor

    def __init__(self, scale: float = 0.3) -> None:
        super().__init__()
        if not (math.isfinite(scale) and scale > 0):
            raise ConfigError(f"{type(self).__name__}: scale must be a finite number > 0, got {scale}")
        self.register_buffer("log_scale", torch.tensor(math.log(scale)))

    def nats(self, real: Tensor, decoded: Decoded) -> Tensor:
        z = (real - decoded.images) / self.log_scale.exp()
        return (z.square() / 2 + self.log_scale + math.log(2 * math.pi) / 2).flatten(1).sum(1)


class GaussianLearned(Gaussian):
    """Gaussian likelihood with a learnt scale, one for all values (σ-VAE: Rybkin, Daniilidis and Levine 2021).

    least    the smallest scale; without it, an autoencoder with exact reconstructions would reach 0
    """

    def __init__(self, scale: float = 0.3, least: float = 0.01) -> None:
        super().__init__(scale)
        if not 0 < least < scale:
            raise ConfigError(f"{type(self).__name__}: expected 0 < least < scale, got {least} and {scale}")
        self.least = least
        del self.log_scale
        self.raw = nn.Parameter(torch.tensor(math.log(scale - least)))

    @property
    def log_scale(self) -> Tensor:  # type: ignore[override]  # a buffer of the base class, here computed
        return (self.least + self.raw.exp()).log()

    def quantities(self) -> dict[str, Tensor]:
        return {"g/scale": self.log_scale.detach().exp()}


class Bernoulli(Likelihood):
    """Σ BCE: each value is binarized at random in each update, 1 with probability (x + 1) / 2.

    Salakhutdinov and Murray 2008 (dynamic binarization), the convention of published likelihoods of MNIST. A probability, so
    that nats need no correction for grey levels.
    """

    level = 1.0

    def see(self, images: Tensor, rng: Rng) -> Tensor:
        drawn = rng("bernoulli").uniform(len(images), *images.shape[1:]).to(images.dtype)
        return (drawn < (images + 1) / 2).to(images.dtype) * 2 - 1

    def nats(self, real: Tensor, decoded: Decoded) -> Tensor:
        logits = 2 * decoded.logits  # sigmoid(2 a) = (tanh(a) + 1) / 2
        return (F.softplus(logits) - (real + 1) / 2 * logits).flatten(1).sum(1)


class CrossEntropy(Bernoulli):
    """Σ BCE between grey values, as is usual in code; not a likelihood, since it is not normalized over grey values."""

    normalized = False

    def see(self, images: Tensor, rng: Rng) -> Tensor:
        return images


class Logistic(Likelihood):
    """-Σ log [s((x + ½ level - G(z)) / scale) - s((x - ½ level - G(z)) / scale)]: a logistic cut into 256 grey levels.

    Kingma et al. 2016 (IAF), appendix; one learnt scale; the darkest and the lightest level extend to infinity (Salimans
    et al. 2017). A probability of grey levels.

    Raises ConfigError unless scale is a finite number > 0.
    """

    level = 1.0

    def __init__(self, scale: float = 0.1) -> None:
        super().__init__()
        if not (math.isfinite(scale) and scale > 0):
            raise ConfigError(f"{type(self).__name__}: scale must be a finite number > 0, got {scale}")
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def quantities(self) -> dict[str, Tensor]:
        return {"g/scale": self.log_scale.detach().exp()}

    def nats(self, real: Tensor, decoded: Decoded) -> Tensor:
        away = real - decoded.images
        above, below = (away + LEVEL / 2) / self.log_scale.exp(), (away - LEVEL / 2) / self.log_scale.exp()
        # log(s(a) - s(b)) = log s(a) + log s(-b) + log(1 - exp(b - a)), exact for any difference
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(below - above))
        darkest, lightest = real < -1 + LEVEL / 2, real > 1 - LEVEL / 2
        logs = torch.where(darkest, F.logsigmoid(above), torch.where(lightest, F.logsigmoid(-below), inside))
        return -logs.flatten(1).sum(1)


class IWAE(Likelihood):
    """-E log 1/k Σ p(x|z_i) p(z_i) / q(z_i|x), z_1 … z_k ~ q(z|x): a tighter bound than the ELBO.

    Burda, Grosse and Salakhutdinov 2016, eq. 8. It contains the KL, so `kl` is not added.

    likelihood   p(x|z)
    samples      k

    Raises ConfigError unless samples >= 1.
    """

    reads_variance = True

    def __init__(self, likelihood: Likelihood, samples: int = 50) -> None:
        super().__init__()
        if samples < 1:
            raise ConfigError(f"IWAE: samples must be at least 1, got {samples}")
        self.likelihood, self.samples = likelihood, samples
        self.level, self.normalized = likelihood.level, likelihood.normalized

    def see(self, images: Tensor, rng: Rng) -> Tensor:
        return self.likelihood.see(images, rng)

    def quantities(self) -> dict[str, Tensor]:
        return self.likelihood.quantities()

    def nats(self, real: Tensor, decoded: Decoded) -> Tensor:
        return self.likelihood.nats(real, decoded)

    def for_g(self, step: VAEStep) -> Tensor:
        noise = step.noise("iwae", self.samples)
        weights = log_weights(self, step.generator, step.real, step.mean, step.logvar, noise, step.classes)
        return -(weights.logsumexp(1) - math.log(self.samples)).mean()


def log_weights(
    likelihood: Likelihood,
    generator: nn.Module,
    real: Tensor,
    mean: Tensor,
    logvar: Tensor,
    noise: Tensor,
    classes: Tensor | None = None,
) -> Tensor:
    """Return log p(x|z) p(z) / q(z|x), (B, k), at z = mean + deviation * noise (B, k, Z); mean, logvar (B, Z) of q(z|x).

    All three also depend on the classes (B, K) of a conditional model.
    """
    times = noise.shape[1]
    z = mean[:, None] + (logvar / 2).exp()[:, None] * noise
    prior_to_posterior = ((noise.square() - z.square()) / 2 + logvar[:, None] / 2).sum(2)  # 2π cancels
    given = None if classes is None else classes.repeat_interleave(times, dim=0)
    decoded = decode(generator, join(z.flatten(0, 1), given))
    nats = likelihood.nats(real.repeat_interleave(times, dim=0), decoded)
    return prior_to_posterior - nats.view(-1, times)
