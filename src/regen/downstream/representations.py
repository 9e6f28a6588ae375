"""Vectors that represent images: features of the discriminator or the encoder, latents, and pixels."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from regen.core.forward import apart, features
from regen.data.split import Split, as_float
from regen.errors import ConfigError
from regen.models.base import Model
from regen.models.protocols import Encodes, has_latents
from regen.models.vae import VAE
from regen.utils.randomness import Draws, seeded

AT_A_TIME = 500  # images in a pass
Representation = Callable[[Split, torch.device], Tensor]  # of images as vectors (N, F)
POWER_ITERATIONS = 20  # of spectral norm on new weights
TRIED = 256  # latents of which the one with the nearest image is where an inversion starts


def trunk_of(model: Model, task: str) -> tuple[str, nn.Module]:
    """Return the network whose features are used, and its name. Raises ConfigError if the model has none."""
    if isinstance(model, VAE):
        return "encoder", model.ema_encoder.net
    if "d" in model.players:
        return "discriminator", model.discriminator
    raise ConfigError(
        f"task={task}: {type(model).__name__} has neither a discriminator nor an encoder. Type a run of model=gan or model=vae"
    )


def batches_of(split: Split, device: torch.device) -> Iterator[Tensor]:
    """Yield the images (B, C, H, W) in [-1, 1] of a split in order."""
    for rows in torch.arange(len(split)).split(AT_A_TIME):
        yield as_float(split[rows][0]).to(device)


def last_features(net: nn.Module, images: Tensor) -> Tensor:
    """Return the input (B, F) of the network's last layer for images (B, C, H, W), with its graph."""
    with features(net) as seen:
        net(images)
    return seen[-1]


def network_features(net: nn.Module, form: Callable[[Tensor], Tensor] = lambda images: images) -> Representation:
    """Return a function from a split to the network's features (N, F), without a graph.

    form   what the network sees of images. Raises ConfigError if it sees several of them at once.
    """

    def of(split: Split, device: torch.device) -> Tensor:
        with torch.no_grad(), apart(net):
            parts = [last_features(net, form(images)).cpu() for images in batches_of(split, device)]
        rows = torch.cat(parts)
        if len(rows) != len(split):
            raise ConfigError(
                "task=features: the discriminator sees packs of images, which have no features of one image"
            )
        return rows

    return of


def pixels(split: Split, _: torch.device) -> Tensor:
    """Return the pixels (N, C * H * W)."""
    return as_float(split.images).flatten(1)


def reinitialized(net: nn.Module, seed: int) -> nn.Module:
    """Return a copy of the network with random weights, drawn as torch draws those of its layers."""
    fresh = copy.deepcopy(net).requires_grad_(True)
    with seeded(seed, "downstream", "random network"), torch.no_grad():
        for module in fresh.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
            if parametrize.is_parametrized(module):
                _reset_parametrized(module)
    return fresh


def _reset_parametrized(module: nn.Module) -> None:
    """Draw weights behind a parametrization again, and let spectral norm's power iteration converge to them.

    (Removing the parametrization would also remove it from the copied network: both have one class.)
    """
    was_training = module.training
    for name, weights in cast(nn.ModuleDict, module.parametrizations).items():
        for weight in weights.parameters(recurse=False):
            if weight.ndim > 1:
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        module.train()
        for _ in range(POWER_ITERATIONS):
            getattr(module, name)
    module.train(was_training)


def invert(model: Model, split: Split, seed: int, steps: int, lr: float, weight: float) -> Tensor:
    """Return latents (N, Z) of images: the encoder's means, or the result of gradient descent on pixels.

    steps, lr   of Adam
    weight      of ‖z‖², next to the squared distance of pixels

    Raises ConfigError if the model has neither an encoder nor a single pass from latents to images.
    """
    if isinstance(model, Encodes):
        return torch.cat([model.encode(images)[0].cpu() for images in batches_of(split, model.device)])
    network = model.decoder_network() if has_latents(model) else None
    if network is None:
        name = type(model).__name__
        raise ConfigError(
            f"task=front: {name} has no encoder and takes more than one pass to images. Type another run="
        )
    tried = Draws(seed, "downstream", "inversion").normal(TRIED, model.latent_size).to(model.device)
    images = model.decode(model.codes(tried)).flatten(1)
    parts = []
    for batch in batches_of(split, model.device):
        start = tried[torch.cdist(batch.flatten(1), images).argmin(1)]
        parts.append(_descend(network, batch, start, steps, lr, weight).cpu())
    return torch.cat(parts)


def _descend(network: nn.Module, images: Tensor, start: Tensor, steps: int, lr: float, weight: float) -> Tensor:
    z = start.clone().requires_grad_(True)
    adam = torch.optim.Adam([z], lr)
    for _ in range(steps):
        error = (network(z) - images).square().sum() + weight * z.square().sum()
        (z.grad,) = torch.autograd.grad(error, z)
        adam.step()
    return z.detach()
