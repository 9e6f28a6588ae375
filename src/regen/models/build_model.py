"""Construction and checks of a configuration's model: networks, objective and optimizers."""

import copy
import inspect
import math
import traceback
from collections.abc import Iterable
from typing import cast

import torch
from omegaconf import DictConfig
from torch import nn

from regen.config.instantiate import build, resolve
from regen.config.targets import option_of
from regen.core.input_gradients import GradientMethod
from regen.core.objective import Loss, Objective
from regen.core.optimizer_settings import check_players
from regen.core.regularizer import Regularizer
from regen.data.images import Images
from regen.data.parts import is_count
from regen.errors import ConfigError
from regen.losses.likelihoods import Likelihood
from regen.models.base import Model
from regen.models.coder import Coder
from regen.utils.randomness import seeded

NETS = ("generator", "discriminator", "encoder", "velocity")


def make_model(cfg: DictConfig, data: Images) -> Model:
    """Build a configuration's model with initial weights keyed by the seed. Raises ConfigError if it does not fit the data."""
    if cfg.model.get("conditional"):
        _check_labels(data)
    model = assemble(cfg, data.shape, cast(Coder | None, data.coder), data.classes or 0)
    model.initialize_from(data)
    for player in model.players:
        check_optimizer(model, player, cfg.model[f"optimizer_{player}"])
    check_step(model, torch.zeros(data.batch_size, *data.shape))
    return model


def _check_labels(data: Images) -> None:
    """Raise ConfigError unless a conditional model can learn from the data."""
    if data.classes is None or data.classes < 2:
        found = "no labels" if data.classes is None else "one class"
        raise ConfigError(
            f"model.conditional=true needs labels of two or more classes, and {data.name} has {found}: type "
            "model.conditional=false, or other data"
        )


def assemble(cfg: DictConfig, shape: tuple[int, int, int], coder: Coder | None = None, n_classes: int = 0) -> Model:
    """Build a configuration's model for images of a shape (C, H, W), or for their codes, without trying an update.

    n_classes   of the data; used by conditional models
    """
    shape = shape if coder is None else coder.shape
    with seeded(cfg.seed, "weights"):
        kind = resolve(cfg.model.get("_target_"), "model")
        check_players(cfg.model, kind)
        n_classes = n_classes if cfg.model.get("conditional") else 0
        nets = {name: _net(cfg, name, shape, n_classes) for name in nets_of(kind)}
        nodes = cfg.regularizer.items()
        regularizers = {name: build(node, f"regularizer.{name}", Regularizer) for name, node in nodes}
        objective = Objective(build(cfg.loss, "loss", Loss), regularizers, cfg.grad_ratio_every)
        gradient_method = build(cfg.gradient_method, "gradient_method", GradientMethod)
        others = {"objective": objective, "gradient_method": gradient_method, "shape": shape, "seed": cfg.seed}
        model = build(cfg.model, "model", Model, **nets, **others, n_classes=n_classes)
    if cfg.lambda_d and "d" not in model.players:
        raise ConfigError(
            f"lambda_d={cfg.lambda_d} is a strength on D's loss, and model={kind.__name__.lower()} has no D"
        )
    if coder is not None:
        _check_codes(model)
        model.coder = copy.deepcopy(coder)
    return model


def _check_codes(model: Model) -> None:
    """Raise ConfigError on parts of a model of codes that are for pixels, and on models that replace `sample`."""
    loss, kind = model.objective.loss, type(model)
    if isinstance(loss, Likelihood) and loss.level == 1:
        raise ConfigError(
            f"loss={type(loss).__name__} is a likelihood of grey levels, which codes do not have: type loss=gaussian_learned"
        )
    if model.has_own_sample:
        raise ConfigError(
            f"data=codes: {kind.__name__} has its own sample(), which does not decode codes: type model=flow"
        )
    for name, regularizer in model.objective.regularizers.items():
        if regularizer.acts_on_pixels:
            raise ConfigError(f"regularizer {name} changes or compares pixels, and data=codes has none: leave it out")


def nets_of(kind: type[Model]) -> list[str]:
    """Return the names of the networks that a kind of model needs, of NETS."""
    arguments = inspect.signature(kind).parameters
    return [name for name in NETS if name in arguments and arguments[name].default is inspect.Parameter.empty]


def check_typed(cfg: DictConfig, overrides: Iterable[str]) -> None:
    """Raise ConfigError on an override for a network that the model does not have."""
    kind = resolve(cfg.model.get("_target_"), "model")
    for override in overrides:
        group, _, name = override.lstrip("+~").partition("=")[0].partition(".")
        net = name.partition(".")[0]
        if group == "network" and net in NETS and net not in nets_of(kind):
            model = option_of(cfg.model._target_)
            raise ConfigError(f"{override}: model={model} has no {net}. Leave it out, or type a model= that has one")


def _net(cfg: DictConfig, name: str, shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Build one of the networks NETS. Raises ConfigError if its output has a wrong shape, or it takes no classes."""
    where, latent_dim = f"network.{name}", _latent_dim(cfg, shape)
    if name not in cfg.network:
        raise ConfigError(f"model={option_of(cfg.model._target_)} needs {where}, and this network has none")
    net = build(cfg.network[name], where, nn.Module, shape=shape, latent_dim=latent_dim, n_classes=n_classes)
    if n_classes and not getattr(net, "n_classes", 0):
        raise ConfigError(
            f"{where}: {type(net).__name__} has no argument n_classes, which model.conditional=true needs: type "
            "network=mlp, dcgan, resnet or r3gan, or model.conditional=false"
        )
    sizes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        "generator": ((latent_dim + n_classes,), shape),
        "discriminator": (shape, ()),
        "encoder": (shape, (2 * latent_dim,)),
        "velocity": (shape, shape),
    }
    given, wanted = sizes[name]
    others = (torch.zeros(2),) if name == "velocity" else ()
    if n_classes and name != "generator":
        others = (*others, torch.zeros(2, n_classes))
    check_net(where, net, (2, *given), (2, *wanted), *others)
    return net


def _latent_dim(cfg: DictConfig, shape: tuple[int, ...]) -> int:
    """Return the dimensions of a latent: of a flow, which has no such key, those of an image."""
    latent_dim = cfg.model.get("latent_dim")
    if latent_dim is None:
        return math.prod(shape)
    if not is_count(latent_dim) or latent_dim < 1:
        raise ConfigError(f"model.latent_dim={latent_dim!r}: expected a whole number >= 1, like model.latent_dim=64")
    return latent_dim


def check_step(model: Model, real: torch.Tensor) -> None:
    """Raise ConfigError unless a copy of the model can take an update of each player on a batch (B, C, H, W)."""
    trial = copy.deepcopy(model)
    trial.prepare(trial.configure_optimizers())
    try:
        labels = torch.arange(len(real)) % model.n_classes if model.n_classes else None
        trial.iterate([real] * model.n_critic, [labels] * model.n_critic)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        chosen = ", ".join(model.objective.regularizers) or "none"
        raise ConfigError(
            f"the first update failed with regularizer={chosen}{_gradient_method(model)}{_within(error)}: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _within(error: BaseException) -> str:
    """Return the regularizer's class and method that raised an error, as ", in R1.for_d", or ""."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        if isinstance(regularizer := frame.f_locals.get("self"), Regularizer):
            return f", in {type(regularizer).__name__}.{frame.f_code.co_name}"
    return ""


def _gradient_method(model: Model) -> str:
    return f" and gradient_method={type(model.gradient_method).__name__}" if hasattr(model, "gradient_method") else ""


def check_net(
    where: str, net: nn.Module, given: tuple[int, ...], wanted: tuple[int, ...], *others: torch.Tensor
) -> None:
    """Raise ConfigError unless the network maps the shape `given`, and other arguments, to the shape `wanted`."""
    try:
        with torch.no_grad():
            made: object = tuple(net.eval()(torch.zeros(given), *others).shape)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        made = str(error).splitlines()[0]
    if made != wanted:
        raise ConfigError(f"{where}: {type(net).__name__} must map {given} to {wanted}, but returned {made}")
    net.train()


def check_optimizer(model: Model, player: str, node: DictConfig) -> None:
    """Raise ConfigError unless a player's optimizer accepts its settings."""
    where, lr = f"model.optimizer_{player}", node.get("lr")
    if isinstance(lr, bool) or not isinstance(lr, int | float) or not (math.isfinite(lr) and lr >= 0):
        raise ConfigError(f"{where}.lr must be a finite number >= 0, got {lr}")
    try:
        model.make_optimizer(player)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ConfigError(f"{where}: {str(error).splitlines()[0]}; got {node}") from error
