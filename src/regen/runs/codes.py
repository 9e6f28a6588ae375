"""The data set of an autoencoder's run, whose latent codes a model learns in place of its images."""

from pathlib import Path
from typing import Any, Unpack, cast

from omegaconf import DictConfig, OmegaConf

from regen.config.instantiate import build, resolve
from regen.core.checkpoint import digest
from regen.data.images import Images, Use
from regen.errors import ConfigError
from regen.models.autoencoder import Autoencoder
from regen.models.coder import Coder
from regen.runs.data_identity import RECORD, check_data
from regen.runs.find import find_runs
from regen.runs.folder import Folder
from regen.runs.load import Opened, open_run, read_run_config


def codes(*, run: str | None, root: str | None = None, **use: Unpack[Use]) -> Images:
    """Data set of the run of a model with an encoder, with the coder of its images.

    The images and their split are those of the run: metrics and pages compare images.

    Args:
        run: folder of the run.
        root: folder of its images, if it was moved.

    Raises ConfigError on a run without an encoder, on folds, and if the images of the run are not on this machine.
    """
    opened = open_autoencoder(run, root)
    if use["folds"] is not None or use["fold"] is not None:
        raise ConfigError(
            f"data.folds={use['folds']} data.fold={use['fold']}: data=codes has the split of data.run={run}, whose autoencoder "
            "has seen the images of other folds: leave both out (choose.py: type folds=null)"
        )
    given: dict[str, Any] = {key: value for key, value in use.items() if value is not None}
    data = build(cast(DictConfig, OmegaConf.merge(opened.cfg.data, given)), "data", Images)
    check_data(opened.cfg.get(RECORD), data, opened.folder.path, root)
    coder = Coder(cast(Autoencoder, opened.model), opened.shape)
    coder.fit(data.train)
    data.coder = coder
    return data


def fingerprint(*, run: str | None, root: str | None = None, **_: object) -> str:
    """Return what identifies the run's networks, which have learnt its images."""
    return digest(open_autoencoder(run, root).state["model"])[:16]


def open_autoencoder(run: str | None, root: str | None = None) -> Opened:
    """Load the run of an autoencoder of images. Raises ConfigError on another one; its kind is checked first: a run of codes
    could name itself.
    """
    run = "" if run is None else str(run)  # a folder may have a number as its name
    if not run:
        raise ConfigError(
            "data=codes: which autoencoder? Type data.run=outputs/RUN, the run of a model=vae or model=rae"
        )
    cfg = read_run_config(_folder(run))
    kind = resolve(cfg.model.get("_target_"), "model")
    if not issubclass(kind, Autoencoder):
        raise ConfigError(f"data.run={run}: a {kind.__name__} has no encoder. Train model=vae or model=rae first")
    if is_of_codes(cfg):
        raise ConfigError(
            f"data.run={run} is itself trained on codes: type the run of the autoencoder of images, data.run={cfg.data.run}"
        )
    opened = open_run(run, root=root)
    if opened.model.n_classes:
        raise ConfigError(
            f"data.run={run} is conditional, and codes of images without labels need another autoencoder: train one with "
            "model.conditional=false"
        )
    return opened


def _folder(run: str) -> Folder:
    """Return the folder of data.run. Raises ConfigError on a pattern, which someone else's configuration may have, too."""
    if any(character in run for character in "*?[") and not Path(run).exists():
        raise ConfigError(f"data.run={run}: type one folder, not a pattern")
    try:
        return Folder(find_runs([run])[0])
    except ConfigError as error:
        raise ConfigError(f"data.{error}" if str(error).startswith("run=") else str(error)) from error


def is_of_codes(cfg: DictConfig) -> bool:
    """Return whether a configuration has data=codes."""
    return cfg.data.get("_target_") == f"{__name__}.{codes.__name__}"


def open_coder(cfg: DictConfig) -> Coder | None:
    """Return the coder of a configuration with data=codes, before it is fitted; None for other data."""
    if not is_of_codes(cfg):
        return None
    opened = open_autoencoder(cfg.data.run)
    return Coder(cast(Autoencoder, opened.model), opened.shape)


def image_data(cfg: DictConfig) -> DictConfig:
    """Return the data configuration of the images: with data=codes that of the autoencoder's run."""
    return open_autoencoder(cfg.data.run).cfg.data if is_of_codes(cfg) else cfg.data
