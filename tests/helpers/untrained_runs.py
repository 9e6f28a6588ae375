"""A run's folder without training: its configuration, and checkpoints of a model that has made an iteration or none."""

import functools
from pathlib import Path

import torch
from omegaconf import OmegaConf

from helpers.composition import compose_config
from regen.core import checkpoint
from regen.models.build_model import assemble
from regen.models.gan import GAN
from regen.runs.folder import Folder
from regen.utils.project import ROOT


@functools.cache
def composed(model: str = "gan") -> str:
    """The configuration of a small run, without interpolations."""
    small = [f"model={model}", "network=mlp", "data.image_size=8", "logger=csv"]
    latents = [] if model == "flow" else ["model.latent_dim=8"]  # a flow's are as large as an image
    return OmegaConf.to_yaml(compose_config(*small, *latents), resolve=True)


def made(path: Path, *values: str, shape=(1, 8, 8), iterations: int = 1, n_classes: int = 0, **options: str) -> GAN:
    """Write a run of these values (network.generator.hidden=[16]) and options (network="dcgan") with a checkpoint an iteration;
    its model."""
    cfg, folder = OmegaConf.create(composed(options.pop("model", "gan"))), Folder(path)
    for group, option in options.items():
        cfg[group] = OmegaConf.load(ROOT / f"conf/{group}/{option}.yaml")
    cfg.merge_with_dotlist(list(values))
    model = assemble(cfg, shape, n_classes=n_classes)
    model.prepare(model.configure_optimizers())
    folder.checkpoints.mkdir(parents=True)
    folder.config.write_text(OmegaConf.to_yaml(cfg))
    for _ in range(iterations):
        labels = torch.arange(4).expand(model.n_critic, 4) % max(1, n_classes)
        model.iterate(torch.linspace(-1, 1, 4).view(1, 4, 1, 1, 1).expand(model.n_critic, 4, *shape), labels)
        save(path, model)
    return model.eval()


def save(path: Path, model: GAN) -> Path:
    """Write the model's newest checkpoint into the run's folder."""
    return checkpoint.save_iteration(Folder(path).checkpoints, model, rows=0, best={}, figures={})
