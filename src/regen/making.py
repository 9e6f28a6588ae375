"""make_model: the nets, the objective and the optimizers of a configuration, tried out before anything is trained."""

import copy
import math

import torch
from omegaconf import DictConfig
from torch import nn

from regen.build import build
from regen.data.images import Images
from regen.errors import ConfigError
from regen.gan import GAN
from regen.objective import Loss, Objective
from regen.randomness import seeded
from regen.regularizer import Regularizer
from regen.slopes import Slopes


def make_model(cfg: DictConfig, data: Images) -> GAN:
    """The model of a configuration, its initial weights keyed by the seed. Raises ConfigError on what does not fit the data."""
    model = assemble(cfg, data.shape)
    for player in "gd":
        check_optimizer(model, player, cfg.model[f"optimizer_{player}"])
    check_step(model, torch.zeros(data.batch_size, *data.shape))
    return model


def assemble(cfg: DictConfig, shape: tuple[int, int, int]) -> GAN:
    """The same for images of a shape (C, H, W); whether it can be trained is not tried out."""
    with seeded(cfg.seed, "weights"):
        network, z_size = cfg.network, cfg.model.z_size
        generator = build(network.generator, "network.generator", nn.Module, shape=shape, z_size=z_size)
        discriminator = build(network.discriminator, "network.discriminator", nn.Module, shape=shape)
        check_net("network.generator", generator, (2, z_size), (2, *shape))
        check_net("network.discriminator", discriminator, (2, *shape), (2,))
        nodes = cfg.regularizer.items()
        regularizers = {name: build(node, f"regularizer.{name}", Regularizer) for name, node in nodes}
        objective = Objective(build(cfg.loss, "loss", Loss), regularizers, cfg.share_every)
        nets = {"generator": generator, "discriminator": discriminator}
        slopes = build(cfg.slope, "slope", Slopes)
        return build(cfg.model, "model", GAN, **nets, objective=objective, slopes=slopes, seed=cfg.seed)


def check_step(model: GAN, real: torch.Tensor) -> None:
    """Raises ConfigError unless each player can learn from a batch (B, C, H, W); a copy of the model is tried out."""
    trial = copy.deepcopy(model)
    trial.prepare(trial.configure_optimizers())
    try:
        trial.iterate(real.expand(model.d_steps, *real.shape))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, ConfigError):
            raise
        chosen = ", ".join(model.objective.regularizers) or "none"
        raise ConfigError(
            f"the first update failed with regularizer={chosen} and slope={type(model.slopes).__name__}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def check_net(where: str, net: nn.Module, given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises ConfigError unless the net makes numbers of the shape `wanted` of numbers of the shape `given`."""
    try:
        with torch.no_grad():
            made = tuple(net.eval()(torch.zeros(given)).shape)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        made = str(error).splitlines()[0]
    if made != wanted:
        raise ConfigError(f"{where}: {type(net).__name__} must make {wanted} of {given}, and made {made}")
    net.train()


def check_optimizer(model: GAN, player: str, node: DictConfig) -> None:
    """Raises ConfigError unless the optimizer of a player takes its settings."""
    where, lr = f"model.optimizer_{player}", node.get("lr")
    if isinstance(lr, bool) or not isinstance(lr, int | float) or not (math.isfinite(lr) and lr >= 0):
        raise ConfigError(f"{where}.lr must be a finite number >= 0, got {lr}")
    try:
        model.make_optimizer(player)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ConfigError(f"{where}: {str(error).splitlines()[0]}; got {node}") from error
