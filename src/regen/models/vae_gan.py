"""VAE-GANs: a GAN with an encoder, whose generator is also a decoder."""

from collections.abc import Callable
from typing import Unpack, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core.objective import Objective
from regen.core.vae_gan_step import VAEGANStep
from regen.models.autoencoder import Autoencoder
from regen.models.gan import GAN, GANOptions


class VAEGAN(Autoencoder, GAN):
    """GAN whose player G also has an encoder: L_G = the GAN's data term + penalties on the generator, D's features and codes.

    `kl` and `reconstruction` make it the VAE/GAN of Larsen et al. 2016. The generated images that D sees are G(z), z ~ N(0, I),
    as in a GAN: the data term does not train the encoder, as in the paper. D does not see reconstructions, which it does there.

    generator, discriminator, encoder   z (B, Z) -> images (B, C, H, W) in [-1, 1]; images -> logits (B,); images -> (B, 2 Z),
                                        means and log variances of q(z|x)
    objective                           the data term of a GAN, and the regularizers. Codes are drawn from q(z|x) if one of
                                        them uses its variance, as `kl` does; otherwise they are its means
    optimizer_g, optimizer_d            functions from parameters to an optimizer; that of G also trains the encoder
    options                             see GAN; a conditional model's encoder is given the classes, too
    """

    kind = "VAE-GAN"
    step_class = VAEGANStep

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        encoder: nn.Module,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        optimizer_d: Callable[..., Optimizer],
        latent_dim: int = 16,
        **options: Unpack[GANOptions],
    ) -> None:
        nets = (generator, discriminator)
        super().__init__(*nets, objective, optimizer_g, optimizer_d, latent_dim, encoder=encoder, **options)
        self.encoder = encoder

    def networks(self) -> dict[str, nn.Module]:
        return super().networks() | {"Encoder (averaged)": self.ema_encoder.net}

    def step(self, player: str, draw: int, real: Tensor, labels: Tensor | None = None) -> VAEGANStep:
        step = cast(VAEGANStep, super().step(player, draw, real, labels))
        step.encoder, step.draws, step.population = self.encoder, self.objective.draws_codes, self.population
        return step
