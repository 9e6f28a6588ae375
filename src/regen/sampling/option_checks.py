"""Checks of the options of sampling that depend on the run."""

from collections.abc import Sequence

from omegaconf import DictConfig
from torch import nn

from regen.config.validate import CHECKED
from regen.errors import ConfigError
from regen.models.base import Model
from regen.models.protocols import Encodes, has_latents
from regen.runs.load import Opened
from regen.sampling.sample_values import SampleValues


def check_options(opened: Opened, cfg: DictConfig, what: Sequence[str], values: SampleValues) -> None:
    """Check the options of conf/sample.yaml for a run.

    what     the values of write=
    values   of the written samples

    Raises ConfigError on options that make no sense for the data or the model.
    """
    name, model = opened.folder.path.name, opened.model
    if values.plane:
        _check_plane(name, cfg, what)
    if not has_latents(model):
        _check_own_samples(model, cfg, what)
    if "directions" in what:
        decoding_network(model)
    if "traversal" in what and not isinstance(model, Encodes):
        raise ConfigError(
            f"write=traversal: {name} has no encoder, so its latent axes have no meaning: type write=[directions]"
        )
    if "images" in what and not values.fit_png:
        raise ConfigError(
            f"write=images: those of {name} have {opened.shape[0]} channels of {values.dtype}, which PNG files do not hold: "
            "type write=[npz]"
        )


def decoding_network(model: Model) -> nn.Module:
    """Return the network that decodes. Raises ConfigError if samples take more than one pass of it."""
    network = model.decoder_network()
    if network is None:
        raise ConfigError(
            f"write=directions: {type(model).__name__} takes more than one pass to samples, so that no layer "
            "gives directions: type write=[grid,interpolation,sweep]"
        )
    return network


def _check_plane(name: str, cfg: DictConfig, what: Sequence[str]) -> None:
    if cfg.refuse_copies:
        raise ConfigError(f"refuse_copies=true: {name} draws points in the plane, not images. Leave out refuse_copies")
    if wrong := [one for one in what if one not in ("grid", "npz")]:
        raise ConfigError(
            f"write={wrong[0]}: {name} draws points in the plane, not images: type write=[grid,npz], "
            "a scatter plot and the points in the plane's units"
        )


def _check_own_samples(model: Model, cfg: DictConfig, what: Sequence[str]) -> None:
    """Raise ConfigError on options that need a generator from latents to images."""
    kind, others = type(model).__name__, [one for one in what if one not in CHECKED]
    if others:
        raise ConfigError(
            f"write={others[0]}: {kind} overrides sample(), so that only samples can be drawn: "
            f"type write=[{','.join(CHECKED)}]"
        )
    if cfg.truncation != 1:
        raise ConfigError(f"truncation={cfg.truncation}: {kind} overrides sample(): leave out truncation")
