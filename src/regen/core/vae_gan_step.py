"""One update of a player of a VAE-GAN."""

from functools import cached_property

from torch import Tensor

from regen.core.forward import features
from regen.core.gan_step import GANStep
from regen.core.posterior import Posterior


class VAEGANStep(Posterior, GANStep):
    """One update of D, or of G with the encoder; `z` and `fake` are those of a GAN.

    encoder, draws and population are set after construction.
    """

    lacks = "a VAE-GAN predicts no velocities"

    @cached_property
    def reconstruction(self) -> Tensor:
        """Reconstructions G(z), z the codes of the real images, (B, C, H, W); leaves G's running state unchanged.

        The update's own pass comes first, because it updates the vectors of spectral norm, and both must use the same
        weights.
        """
        _ = self.fake
        return self.regenerate(self.posterior_z)

    @cached_property
    def reconstruction_features(self) -> Tensor:
        """Inputs of D's last layer for the reconstructions, (B, F), by an extra pass that leaves D's running state unchanged.

        Their augmentations are those of the real images, so that both can be compared.
        """
        with features(self.discriminator) as seen:
            self.rescore(self.reconstruction, "real")
        return seen[-1]
