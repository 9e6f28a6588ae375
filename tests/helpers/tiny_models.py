"""Tiny models, and updates of them without a trainer."""

import torch

from regen.core.gan_step import GANStep
from regen.core.objective import Objective
from regen.core.regularizer import Regularizer
from regen.losses.adversarial import Nonsaturating
from regen.losses.flow_matching import Velocity
from regen.losses.likelihoods import Gaussian
from regen.models.flow import Flow
from regen.models.gan import GAN
from regen.models.vae import VAE
from regen.models.vae_gan import VAEGAN
from regen.networks import mlp, velocity_mlp
from regen.utils.randomness import Draws, generator, seeded

SHAPE = (1, 4, 4)


def make_gan(
    *, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, nets=None, **options
) -> GAN:
    """A small GAN, fully connected and on 4x4 images unless nets are given, prepared to be stepped by hand."""
    with seeded(seed, "weights"):
        gan = GAN(
            **(nets or small_nets(options.get("n_classes", 0))),
            objective=Objective(loss or Nonsaturating(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            optimizer_d=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            latent_dim=8,
            seed=seed,
            **options,
        )
    gan.prepare(gan.configure_optimizers())
    return gan


def small_nets(n_classes: int = 0) -> dict[str, torch.nn.Module]:
    return {
        "generator": mlp.Generator(SHAPE, latent_dim=8, hidden=(16,), n_classes=n_classes),
        "discriminator": mlp.Discriminator(SHAPE, hidden=(16,), n_classes=n_classes),
    }


def make_vae(*, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, **options) -> VAE:
    """A small fully connected VAE on 4x4 images, prepared to be stepped by hand; without regularizers an autoencoder."""
    with seeded(seed, "weights"):
        vae = VAE(
            generator=mlp.Generator(SHAPE, latent_dim=3, hidden=(16,), n_classes=options.get("n_classes", 0)),
            encoder=mlp.Encoder(SHAPE, latent_dim=3, hidden=(16,), n_classes=options.get("n_classes", 0)),
            objective=Objective(loss or Gaussian(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3),
            latent_dim=3,
            seed=seed,
            **options,
        )
    vae.population = 100
    vae.prepare(vae.configure_optimizers())
    return vae


def make_vae_gan(
    *, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, nets=None, **options
) -> VAEGAN:
    """The GAN of make_gan with an encoder: without regularizers a GAN whose encoder is not trained."""
    n_classes = options.get("n_classes", 0)
    with seeded(seed, "weights"):
        model = VAEGAN(
            **(nets or small_nets(n_classes)),
            encoder=mlp.Encoder(SHAPE, latent_dim=8, hidden=(16,), n_classes=n_classes),
            objective=Objective(loss or Nonsaturating(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            optimizer_d=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            latent_dim=8,
            seed=seed,
            **options,
        )
    model.population = 100
    model.prepare(model.configure_optimizers())
    return model


def make_flow(
    *, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, velocity=None, **options
) -> Flow:
    """A small flow on 4x4 images, fully connected unless a network is given, prepared to be stepped by hand."""
    with seeded(seed, "weights"):
        flow = Flow(
            velocity=velocity or velocity_mlp.Velocity(SHAPE, hidden=(16,), time_width=4),
            objective=Objective(loss or Velocity(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3),
            shape=SHAPE,
            seed=seed,
            **options,
        )
    flow.prepare(flow.configure_optimizers())
    return flow


def images(batch: int = 16, number: int = 0) -> torch.Tensor:
    """(batch, 1, 4, 4) numbers in [-1, 1], the same for the same number."""
    return torch.rand(batch, *SHAPE, generator=generator("images", number)) * 2 - 1


def weights(gan: GAN) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in gan.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two dictionaries of tensors are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def make_step(
    player: str = "d", generator=None, discriminator=None, real: torch.Tensor | None = None, **options
) -> GANStep:
    """A step of the given nets (those of make_gan by default) on `real` (images() by default), without augmentations."""
    gan = make_gan()
    return GANStep(
        player=player,
        index=options.pop("index", 0),
        generator=generator or gan.generator,
        discriminator=discriminator or gan.discriminator,
        real=images() if real is None else real,
        latent_dim=8,
        rng=options.pop("rng", lambda purpose: Draws(0, player, purpose)),
        augment=options.pop("augment", lambda images, rng, step: images),
        **options,
    )


def linear_critic(weight: torch.Tensor, bias: float = 0.0) -> torch.nn.Module:
    """D(x) = <weight, x> + bias."""
    layer = torch.nn.Linear(weight.numel(), 1).to(weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.flatten())
        layer.bias.fill_(bias)
    return torch.nn.Sequential(torch.nn.Flatten(), layer, torch.nn.Flatten(0))
