"""Frozen encoder and decoder of a trained autoencoder: a model of its latent codes sees these in place of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.core.forward import float32
from regen.data.split import Files, Split, as_float
from regen.utils.randomness import permutation

if TYPE_CHECKING:
    from regen.core.objective import Objective
    from regen.models.autoencoder import Autoencoder

IMAGES = 2000  # training images whose codes give mean and scale, at most
AT_A_TIME = 500  # images in a pass of the encoder
WIDTH = 4.0  # standard deviations of a latent dimension that become 1


class CodeDecoder(nn.Module):
    """Scaled codes (B, Z, 1, 1) -> images (B, C, H, W) in [-1, 1]: the decoder at mean + scale * code.

    net          latent codes (B, Z) -> images
    latent_dim   Z
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, net: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.ones(latent_dim))

    def forward(self, codes: Tensor) -> Tensor:
        return self.net(self.mean + self.scale * codes.flatten(1))


class Coder(nn.Module):
    """Images (B, C, H, W) <-> scaled codes (B, Z, 1, 1): the means of q(z|x) by an autoencoder's averaged networks.

    Source: Rombach et al. 2022 (latent diffusion). Convention: each latent dimension of training images has mean 0 and standard
    deviation 1/4, so that the codes lie in [-1, 1] like pixels, and networks that end with tanh can generate them.

    autoencoder   the trained model; its networks are used, not copied
    image_shape   (C, H, W)
    """

    def __init__(self, autoencoder: Autoencoder, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.image_shape, self.shape = image_shape, (autoencoder.latent_dim, 1, 1)
        self.encoder = autoencoder.ema_encoder.net.requires_grad_(False)
        self.decoder = CodeDecoder(autoencoder.ema.net.requires_grad_(False), autoencoder.latent_dim)
        self.eval()

    def train(self, mode: bool = True) -> Coder:
        """Stay in eval mode: both networks are frozen."""
        return super().train(False)

    def fit(self, train: Split | Files) -> None:
        """Compute mean and scale from the codes of training images, always the same ones."""
        selected = train.take(permutation(len(train), "codes")[:IMAGES])
        batches = torch.arange(len(selected)).split(AT_A_TIME)
        codes = torch.cat([self._means(as_float(selected[indices][0])) for indices in batches])
        self.decoder.mean, self.decoder.scale = codes.mean(0), WIDTH * codes.std(0).clamp_min(1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scaled codes of images, without a graph."""
        return ((self._means(images) - self.decoder.mean) / self.decoder.scale)[:, :, None, None]

    def _means(self, images: Tensor) -> Tensor:
        with torch.no_grad(), float32(images):
            return self.encoder(images).chunk(2, dim=1)[0]


class Decoding(nn.Sequential):
    """Network to codes, followed by their decoder: latents (B, latent_size) -> images (B, C, H, W)."""

    @property
    def passes(self) -> int:
        """Passes of the first network for a code."""
        return getattr(self[0], "passes", 1)


class Coding(nn.Module):
    """A model's way from images to what its networks model, and back.

    coder   of the images whose codes it models, with data=codes; None: it models images
    """

    coder: Coder | None
    objective: Objective

    def to_images(self, output: Tensor) -> Tensor:
        """Return the images (B, C, H, W), float32, of a network's output, which with data=codes are codes (B, Z, 1, 1)."""
        return (output if self.coder is None else self.coder.decoder(output.float())).float()

    def with_decoder(self, network: nn.Module) -> nn.Module:
        """Return the network followed by the decoder of its codes, if it models codes."""
        return network if self.coder is None else Decoding(network, self.coder.decoder)

    def represent(self, images: Tensor) -> Tensor:
        """Return what the networks model of images (B, C, H, W): the images, or with data=codes their codes (B, Z, 1, 1)."""
        return images if self.coder is None else self.coder(images)

    def inputs(self, images: Tensor) -> Tensor:
        """Return what D or the encoder sees of images (B, C, H, W), without random changes."""
        return self.objective.form(self.represent(images))
