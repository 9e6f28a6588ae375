"""Flows: a network that predicts velocities or noise, whose samples are solutions of an ODE."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core.condition import given
from regen.core.flow_step import FlowStep
from regen.core.objective import Objective
from regen.core.optimizer_settings import GeneratorSettings
from regen.errors import ConfigError
from regen.losses.flow_matching import FlowMatching
from regen.models.base import Model
from regen.models.ode import ODESampler, check_sampler, log_density
from regen.models.without_discriminator import NoDiscriminator, check_objective


class Flow(Model[FlowStep]):
    """Flow matching or diffusion model whose iteration is one update of its network, the only player G.

    velocity               noisy images (B, C, H, W) and times (B,) -> (B, C, H, W): the prediction that the loss names; in a
                           conditional model it also takes classes (B, K), zeros for images without a class
    objective              a FlowMatching loss and the regularizers
    optimizer_g            function from parameters to an optimizer
    shape                  (C, H, W); a latent has as many numbers as an image
    sampler                method ("euler" or "heun") and number of steps of samples
    ema_decay, ema_interval   of the moving average of the network: decay per iteration, and interval of its updates
    ema_decays             decays of further averages, see `Model.averaged_by`
    ema_rampup             largest half-life of the averages as a fraction of the iterations so far, see Averaged
    seed                   key of all draws
    conditional, n_classes   whether the network is given the classes of images, and how many there are
    guidance               of samples of a conditional model, see ODESampler
    label_dropout          probability with which an image's class is left out in training, so that guidance has a prediction
                           without class
    optimizer_settings     what changes in the optimizer during training, see OptimizerSettings

    Raises ConfigError on a loss of another family, on a regularizer that only acts on D, on a guidance that is negative or not
    finite, and on a label_dropout outside [0, 1).
    """

    kind = "flow"

    def __init__(
        self,
        velocity: nn.Module,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        shape: Sequence[int],
        sampler: Mapping[str, Any] | None = None,
        ema_decay: float = 0.999,
        ema_interval: int = 1,
        ema_decays: Sequence[float] = (),
        seed: int = 0,
        ema_rampup: float | None = None,
        conditional: bool = False,
        n_classes: int = 0,
        guidance: float = 1.0,
        label_dropout: float = 0.1,
        **optimizer_settings: Unpack[GeneratorSettings],
    ) -> None:
        check_objective(objective, "flow", "a flow", FlowMatching, "velocity or loss=epsilon")
        settings = dict(sampler or {"method": "heun", "steps": 10})
        if set(settings) != {"method", "steps"}:
            raise ConfigError(f"model.sampler takes method and steps, got {', '.join(settings)}")
        check_sampler(**settings)
        _check_guidance(conditional, guidance, label_dropout)
        n_classes = n_classes if conditional else 0
        nobody = NoDiscriminator()
        objective.attach(velocity, nobody)
        nets, latent_dim = {"g": [velocity]}, math.prod(shape)
        super().__init__(objective, nets, {"g": optimizer_g}, latent_dim, seed, optimizer_settings, n_classes)
        self.guidance, self.label_dropout = guidance, label_dropout
        self.generator, self.discriminator = velocity, nobody
        self.shape, self.sampler = tuple(shape), settings
        self.make_averages({"ema": velocity}, ema_decay, ema_interval, ema_decays, ema_rampup)

    @property
    def matching(self) -> FlowMatching:
        """The data term."""
        return cast(FlowMatching, self.objective.loss)

    def networks(self) -> dict[str, nn.Module]:
        return {"Velocity network (averaged)": self.ema.net}

    def decoder_network(self) -> nn.Module | None:
        """The averaged network with the sampler's fixed steps, as one network from latents (B, Z) to images."""
        return self.with_decoder(self.ode_sampler())

    def ode_sampler(self) -> ODESampler:
        """The sampler with the averaged network."""
        path = self.matching.path
        return ODESampler(
            *(self.ema.net, self.shape, path.name, path.prediction),
            **self.sampler,
            n_classes=self.n_classes,
            guidance=self.guidance,
        )

    def decode(self, codes: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.to_images(self.ode_sampler()(codes.to(self.device)))

    def play(self, real: Sequence[Tensor], labels: Sequence[Tensor | None]) -> list[Tensor]:
        return [self.update(self.step(real[0], labels[0]))]

    def step(self, real: Tensor, labels: Tensor | None = None) -> FlowStep:
        """Create the step of this iteration."""
        return FlowStep(
            index=self.count.iteration,
            generator=self.generator,
            real=real,
            matching=self.matching,
            rng=self.rng("g", 0, real.device),
            augment=self.objective.augment,
            label_dropout=self.label_dropout,
            **self.progress("g", labels),
        )

    def denoising_errors(self, images: Tensor, noise: Tensor, t: float, labels: Tensor | None = None) -> Tensor:
        """Return the mean squared errors (B,) of the averaged network's predictions at time t, without regularizers.

        images, as `represent` returns them, and noise are (B, C, H, W). A conditional model needs the images' labels (B,); its
        predictions are without guidance.
        """
        classes = given(labels, self.n_classes, images.device)
        times, path = images.new_full((len(images),), t), self.matching.path
        with torch.inference_mode():
            prediction = self.ema.net(path.noisy(images, noise, times), times, *classes).float()
            return (prediction - path.target(images, noise, times)).square().flatten(1).mean(1)

    def log_density(self, images: Tensor, steps: int, probes: Tensor | None) -> Tensor:
        """Return log p(x) (B,) in nats of images (B, C, H, W) as densities, see `ode.log_density`."""
        return log_density(self.ode_sampler().velocity, images, steps, probes)


def _check_guidance(conditional: bool, guidance: float, label_dropout: float) -> None:
    if not (math.isfinite(guidance) and guidance >= 0):
        raise ConfigError(f"model.guidance must be a finite number >= 0, got {guidance}")
    if not 0 <= label_dropout < 1:
        raise ConfigError(f"model.label_dropout must be in [0, 1), got {label_dropout}")
    if guidance != 1 and not conditional:
        raise ConfigError(
            f"model.guidance={guidance} guides samples to their class: type model.conditional=true as well"
        )
    if guidance != 1 and label_dropout == 0:
        raise ConfigError(
            f"model.guidance={guidance} needs a prediction without class, which model.label_dropout=0 never trains: type "
            "model.label_dropout=0.1"
        )
