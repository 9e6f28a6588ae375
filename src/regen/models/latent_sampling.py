"""Samples of the averaged generator of a model, from latents by its prior."""

import torch
from torch import Tensor, nn

from regen.core.ema import Averaging
from regen.models.class_prior import codes_of, labels_of
from regen.models.coder import Coding
from regen.models.latents import Latents
from regen.models.priors import Normal


class LatentSampling(Averaging, Coding):
    """Part of a model that samples: latents z ~ N(0, I) -> codes, by the prior -> images, by the averaged generator.

    prior   distribution of codes, as a map from latents
    seed    key of the latents
    """

    prior: Normal
    seed: int
    device: torch.device

    def sample(self, first: int, n: int, labels: Tensor | None = None) -> Tensor:
        """Return samples number first to first + n - 1 of the averaged generator, (n, C, H, W) in [-1, 1].

        Sample i is always the same. A conditional model's are of the classes of the labels (n,), by default of classes in the
        proportions of the training images.
        """
        z = self._latents(first, n)
        return self.decode(self.codes(z) if labels is None else self.codes(z, labels))

    def sample_labels(self, first: int, n: int) -> Tensor | None:
        """Return the labels (n,), on the CPU, of samples number first to first + n - 1; None without classes."""
        return labels_of(self.prior, self._latents(first, n))

    def _latents(self, first: int, n: int) -> Tensor:
        return Latents(self.latent_size, self.seed, "samples")(first, n)

    @property
    def latent_size(self) -> int:
        """Dimensions of a latent z ~ N(0, I)."""
        return self.prior.latent_dim

    def codes(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (B, latent_size) -> codes (B, Z), by the prior; of the classes of labels (B,) in a conditional model.

        Raises ValueError on labels that are not classes of the model.
        """
        with torch.inference_mode():
            return codes_of(self.prior, z.to(self.device), labels)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, Z) -> images (B, C, H, W) in [-1, 1], by the averaged generator.

        A family that needs more than one pass for its samples, or another call of its network, overrides this.
        """
        with torch.inference_mode():
            return self.to_images(self.ema(codes.to(self.device)))

    def decoder_network(self) -> nn.Module | None:
        """The network of which `decode` is a single pass; None if a subclass decodes or samples in its own way."""
        is_own = self.has_own_sample or type(self).decode is not LatentSampling.decode
        return None if is_own else self.with_decoder(self.ema.net)

    @property
    def has_own_sample(self) -> bool:
        """Return whether a subclass replaces `sample`, so that its samples are not decoded from latents."""
        return type(self).sample is not LatentSampling.sample
