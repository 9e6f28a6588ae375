"""Loading of a run as its model with the weights of a checkpoint; its folder is not changed."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor

from regen.config.instantiate import resolve
from regen.core import checkpoint as checkpoints
from regen.data.images import Images
from regen.data.parts import check_size
from regen.errors import ConfigError
from regen.models.base import Model
from regen.models.build_model import assemble
from regen.models.protocols import has_latents, n_classes_of
from regen.runs.class_names import class_names, to_label
from regen.runs.data_identity import RECORD, check_data, open_data
from regen.runs.find import find_runs
from regen.runs.folder import Folder
from regen.runs.post_hoc_weights import set_weights
from regen.runs.state import read_state
from regen.runs.stored_config import read_config
from regen.utils.containers import to_dict

MADE_OF = ("network", "loss", "regularizer", "gradient_method", "model")  # config groups that define a model
__all__ = ["Opened", "find_runs", "open_run", "read_run_config"]


@dataclass(frozen=True)
class Opened:
    """A loaded run: files, composed configuration, model in eval mode, and checkpoint."""

    folder: Folder
    cfg: DictConfig
    model: Model
    shape: tuple[int, int, int]  # (C, H, W) of its images
    state: dict  # iteration, images_seen, best, figures, rows, model, …

    @cached_property
    def data(self) -> Images:
        """Data set, loaded on first use. Raises ConfigError if it is another one, or not on this machine."""
        data = open_data(self.cfg, self.folder.home / "features")
        check_data(self.cfg.get(RECORD), data, self.folder.path, self.cfg.data.get("root"))
        return data

    def sample(self, first: int, n: int, weights: str = "ema", label: int | str | None = None) -> Tensor:
        """Draw samples number first to first + n - 1, (n, C, H, W), by the model's `sample`; of a class by number or name.

        Raises ConfigError on a label that is not a class of a conditional model.
        """
        model = self.with_weights(weights).model
        if label is None:
            return model.sample(first, n).float()
        if not n_classes_of(model):
            raise ConfigError(f"label={label}: {self.folder.path} generates without classes")
        return model.sample(first, n, torch.full((n,), to_label(label, self.class_names))).float()

    @property
    def class_names(self) -> list[str]:
        """Names of the classes of a conditional run, in the order of their labels."""
        return class_names(self.cfg, n_classes_of(self.model))

    def sampler(self, weights: str = "ema") -> Callable[..., Tensor]:
        """Latents (B, latent_size), and labels (B,) of a conditional model if given -> images (B, C, H, W) float32 in [-1, 1].

        Raises ConfigError if samples have no latents.
        """
        model = self.with_weights(weights).model
        if not has_latents(model):
            raise ConfigError(f"{type(model).__name__} has its own sample(), and no other way from latents to images")
        return lambda z, *labels: model.decode(model.codes(z, *labels))

    def with_weights(self, weights: str) -> "Opened":
        """The run with "ema", the averages that are scored, or with others: "raw" or "power_0.1", see `set_weights`."""
        if weights == "ema":
            return self
        changed = replace(self, model=copy.deepcopy(self.model))
        set_weights(changed.model, weights, self.folder.checkpoints)
        return changed


def open_run(
    path: str | Path, checkpoint: str = "newest", device: torch.device | str = "cpu", root: str | None = None
) -> Opened:
    """Load the run in a folder with its newest or best checkpoint on a device (auto: cuda if available).

    `root` is the folder of the data set, if it was moved. The data set is needed only if its configuration lacks the image
    size.

    Raises:
        ConfigError: no run there, no such device, no complete checkpoint, a configuration that does not match it, or classes
            from a folder that --config-dir does not name now.
    """
    device, folder = _device(device), Folder(find_runs([str(path)])[0])
    cfg = read_run_config(folder)
    if root is not None:
        if "root" not in cfg.data:
            raise ConfigError(f"data.root={root}: the data of {folder.path} are in no folder. Leave it out")
        cfg.data.root = root
    state = read_state(folder, cfg, checkpoint)
    _check_targets(folder, cfg)
    model, shape = _model(folder, cfg, state)
    model.load_state_dict(state["model"])
    model.count.iteration, model.count.images_seen = state["iteration"], state["images_seen"]
    return Opened(folder, cfg, model.eval().to(device), shape, state)


def _device(name: torch.device | str) -> torch.device:
    """Return the device. Raises ConfigError if torch does not have it here."""
    try:
        device = torch.device(name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device={name}: {str(error).split('. ')[0][:80]}. Type device=cpu, cuda or auto") from error


def read_run_config(folder: Folder) -> DictConfig:
    """Read the configuration of a training run. Raises ConfigError if it is damaged, or not of one."""
    cfg = read_config(folder.config)
    lacking = [group for group in ("data", "seed", "trainer", "metrics", *MADE_OF) if cfg.get(group) is None]
    if lacking:
        raise ConfigError(f"{folder.config} is not of a training run: it has no {lacking[0]}")
    if not isinstance(cfg.get("monitor"), str):
        raise ConfigError(
            f"{folder.config} is not of a training run: monitor is {cfg.get('monitor')}, expected the name of a metric"
        )
    return cfg


def _check_targets(folder: Folder, cfg: DictConfig) -> None:
    for group in MADE_OF:
        for where, target in _targets(cfg[group], group):
            try:
                resolve(target, where)
            except ConfigError as error:
                own = (
                    ""
                    if str(target).startswith(("regen.", "torch."))
                    else "Trained with it? Type --config-dir FOLDER again"
                )
                raise ConfigError(f"{folder.path}: {error}. {own}".rstrip(". ")) from error


def _targets(node: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, DictConfig):
        for key, value in node.items():
            if key == "_target_":
                yield where, value
            else:
                yield from _targets(value, f"{where}.{key!s}")


def _model(folder: Folder, cfg: DictConfig, state: dict) -> tuple[Model, tuple[int, int, int]]:
    """Build a model that fits the checkpoint; returns it with its image shape, whose channels follow from the weights."""
    from regen.runs.codes import open_coder  # here: it opens another run

    n_classes = state["model"].get("prior.bounds", torch.empty(0)).numel() + 1
    if (coder := open_coder(cfg)) is not None:
        return _checked(folder, assemble(cfg, coder.image_shape, coder, n_classes), state), coder.image_shape
    size = to_dict(cfg.data).get("image_size")
    recorded = [cfg.data.channels] if cfg.data.get("channels") else [1, 3]  # not recorded by earlier versions
    for shape in [(channels, *check_size(size)) for channels in recorded] if size else []:
        with contextlib.suppress(ConfigError):
            model = assemble(cfg, shape, n_classes=n_classes)
            checkpoints.check(model, state)
            return model, shape
    shape = open_data(cfg, folder.home / "features").shape
    return _checked(folder, assemble(cfg, shape, n_classes=n_classes), state), shape


def _checked(folder: Folder, model: Model, state: dict) -> Model:
    """Return the model. Raises ConfigError unless it is that of the checkpoint."""
    try:
        checkpoints.check(model, state)
    except ConfigError as error:
        difference = str(error).split(". ")[0].partition(": ")[2]
        raise ConfigError(f"{folder.config} and its checkpoint belong to different runs: {difference}") from error
    return model
