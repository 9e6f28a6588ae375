"""A flow of the latent codes of a trained autoencoder, whose samples are decoded to images."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.config.instantiate import resolve
from regen.core.flow_step import FlowStep
from regen.core.objective import Objective
from regen.core.optimizer_settings import GeneratorSettings
from regen.data.images import Images, part_digests
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.models.flow import Flow
from regen.models.vae import VAE
from regen.networks.velocity_mlp import Velocity
from regen.runs.find import find_runs
from regen.runs.folder import Folder
from regen.runs.load import Opened, open_run
from regen.runs.stored_config import read_config
from regen.utils.randomness import permutation

SAMPLE = 2000  # training images whose codes give the scale
WIDTH = 4.0  # standard deviations of a latent dimension at which codes are clipped


class LatentFlow(Flow):
    """Flow of the codes (Z,) of a VAE or RAE: the means of q(z|x), each dimension scaled to a standard deviation of 1/4.

    Source: Rombach et al. 2022 (latent diffusion).

    The autoencoder's averaged networks are frozen and part of the checkpoint; its folder is needed to open the run. It must
    have been trained on the same training images, since otherwise it may have seen the held-out ones.

    autoencoder          folder of the run of a VAE or RAE
    hidden, time_width   of the flow's network, see networks.velocity_mlp
    Other arguments are those of Flow.

    Raises ConfigError on a run without an encoder, and on one of other image sizes.
    """

    kind = "latent flow"
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        shape: Sequence[int],
        autoencoder: str,
        hidden: Sequence[int] = (256, 256, 256),
        time_width: int = 64,
        sampler: Mapping[str, Any] | None = None,
        ema_decay: float = 0.999,
        ema_interval: int = 1,
        ema_decays: Sequence[float] = (),
        seed: int = 0,
        **optimizer_settings: Unpack[GeneratorSettings],
    ) -> None:
        opened, model = _open(autoencoder)
        if tuple(opened.shape) != tuple(shape):
            raise ConfigError(
                f"model.autoencoder={autoencoder} makes images of {opened.shape} (channels, height, width), and the data have "
                f"{tuple(shape)}: type the data= that it was trained on"
            )
        size = model.latent_dim
        velocity = Velocity((size, 1, 1), hidden, time_width)
        averages = (ema_decay, ema_interval, ema_decays)
        super().__init__(velocity, objective, optimizer_g, (size, 1, 1), sampler, *averages, seed, **optimizer_settings)
        self.encoder: nn.Module = model.ema_encoder.net.requires_grad_(False).eval()
        self.decoder: nn.Module = model.ema.net.requires_grad_(False).eval()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.autoencoder = opened.folder.path

    def initialize_from(self, data: Images) -> None:
        """Compute the mean and the scale of the codes of training images.

        Raises ConfigError if the autoencoder was trained on held-out images, or its data set cannot be loaded.
        """
        super().initialize_from(data)
        _check_parts(open_run(self.autoencoder), data)
        selected = permutation(len(data.train), "latent_flow")[:SAMPLE]
        codes = self._encode(as_float(data.train.take(selected)[torch.arange(len(selected))][0]))
        self.mean, self.scale = codes.mean(0), WIDTH * codes.std(0).clamp_min(1e-6)

    def train(self, mode: bool = True) -> "LatentFlow":
        super().train(mode)
        if hasattr(self, "decoder"):  # both are frozen
            self.encoder.eval()
            self.decoder.eval()
        return self

    def decoder_network(self) -> None:
        """None: a sample takes many passes of one network and one of another."""
        return

    def represent(self, images: Tensor) -> Tensor:
        """Return the scaled codes (B, Z, 1, 1) of images (B, C, H, W)."""
        return ((self._encode(images) - self.mean) / self.scale)[:, :, None, None]

    def decode(self, codes: Tensor) -> Tensor:
        with torch.inference_mode():
            scaled = self.ode_sampler()(codes.to(self.device)).flatten(1)
            return self.decoder(self.mean + self.scale * scaled).float()

    def networks(self) -> dict[str, nn.Module]:
        return super().networks() | {"Decoder (frozen)": self.decoder}

    def step(self, real: Tensor, labels: Tensor | None = None) -> FlowStep:
        """Create the step of this iteration, whose images are codes."""
        return super().step(self.represent(real), labels)

    def _encode(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return self.encoder(images).float().chunk(2, dim=1)[0]


def _open(autoencoder: str) -> tuple[Opened, VAE]:
    """Load the autoencoder's run and its model. Its kind is checked first: a latent flow could name itself."""
    folder = Folder(find_runs([autoencoder])[0])
    kind = resolve(read_config(folder.config).get("model", {}).get("_target_"), "model")
    opened = open_run(folder.path) if issubclass(kind, VAE) else None
    if opened is None or not isinstance(opened.model, VAE):
        raise ConfigError(
            f"model.autoencoder={autoencoder}: a {kind.__name__} has no encoder. Train model=vae or model=rae first"
        )
    return opened, opened.model


def _check_parts(autoencoder: Opened, data: Images) -> None:
    """Raise ConfigError if the autoencoder was trained on held-out images of the data."""
    # An image that both parts of the data contain is no sign of another split.
    trained = set(part_digests(autoencoder.data.train)) - set(part_digests(data.full_train))
    leaked = sum(digest in trained for part in (data.validation, data.test) for digest in part_digests(part))
    if leaked:
        raise ConfigError(
            f"model.autoencoder={autoencoder.folder.path} was trained on {leaked:,} of the held-out images of {data.name}: "
            "type the data settings that it was trained with, or train one with these"
        )
