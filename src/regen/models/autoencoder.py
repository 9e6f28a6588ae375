"""The encoder of a model, as other code uses it."""

import torch
from torch import Tensor, nn

from regen.core.condition import given
from regen.core.ema import Averaged
from regen.models.coder import Coding


class Autoencoder(Coding):
    """Part of a model with an encoder, which maps images to distributions over codes.

    encoder       images -> (B, 2 Z), means and log variances of q(z|x)
    ema           moving average of the decoder
    ema_encoder   that of the encoder
    latent_dim    Z
    n_classes     number of classes of a conditional model, else 0
    """

    encoder: nn.Module
    ema: Averaged
    ema_encoder: Averaged
    latent_dim: int
    n_classes: int

    def encode(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the means (B, Z) and the log variances (B, Z) of q(z|x), by the averaged encoder.

        A conditional model needs the images' labels (B,), and its posterior is q(z|x, y).
        """
        return self.posterior(self.represent(images), labels)

    def posterior(self, inputs: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the same of the encoder's inputs: of images, or with data=codes of codes."""
        with torch.no_grad():
            classes = given(labels, self.n_classes, inputs.device)
            mean, logvar = self.ema_encoder(inputs, *classes).float().chunk(2, dim=1)
        return mean, logvar
