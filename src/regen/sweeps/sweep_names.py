"""Folder names of multiruns and their jobs."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from regen.config.keys import LENGTHS, NO_FIGURE, STRENGTHS, is_among, override_key, owners
from regen.config.resolvers import folder_name, slug
from regen.errors import ConfigError
from regen.runs.folder import outputs_of


def sweep_folder(name: str | None) -> str:
    """Return a multirun's folder under outputs/: `sweeps/NAME`, or `<time>_multirun` without a name.

    Raises ConfigError on an invalid folder name.
    """
    if name is None:
        return folder_name("multirun")
    if not slug(name).strip("."):
        raise ConfigError(f"sweep={name}: expected a name with letters or digits, like sweep=mine")
    return f"sweeps/{slug(name)}"


def job_name(overrides: str, *, _root_: DictConfig) -> str:
    """Return the folder of a job in its multirun, which depends only on its overrides, so that the same command finds it.

    A strength of no chosen regularizer is left out: `none` with lambda_g=0.1 is the job `none`. In a named sweep, so are
    keys that change no metric, and the length, because a longer job continues a shorter one. data.root is replaced by the
    fingerprint of the images, so that a folder may be moved, and other images are another job.
    """
    without = [strength for strength in STRENGTHS if not owners(_root_, strength)]
    without += [*LENGTHS, *NO_FIGURE] if _root_.sweep else []
    kept = [one for one in re.split(r",(?=[^,=]+=)", overrides) if not is_among(override_key(one), without)]
    if _root_.sweep:
        kept = identify_data(kept, _root_)
    text = ",".join(kept) or "default"
    short = slug(text).replace("-_", "_")  # for [l2,r1]
    if len(text) <= 80 and re.fullmatch(r"[A-Za-z0-9._,=\[\]-]*", text) and "=-" not in text:
        return short
    rest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()  # two texts could have the same slug
    return f"{short[:71]}_{rest}"


def identify_data(overrides: Sequence[str], cfg: DictConfig) -> list[str]:
    """Replace data.root=FOLDER in overrides by the fingerprint of the images, and remove it for built-in sets.

    They are unchanged if the folder cannot be read; the job reports the reason.
    """
    if not any(one.startswith("data.root=") for one in overrides):
        return list(overrides)
    from regen.runs.data_identity import find_fingerprint  # here: it imports torch

    try:
        fingerprint = find_fingerprint(cfg, features_of(cfg))
    except (ConfigError, OSError):
        return list(overrides)
    kept = [one for one in overrides if not one.startswith("data.root=")]
    return kept if fingerprint is None else sorted([*kept, f"data.root={fingerprint}"])


def features_of(cfg: DictConfig) -> Path | None:
    """Return the folder where a sweep's jobs cache results computed from their data."""
    folder = OmegaConf.select(cfg, "hydra.sweep.dir")
    return Path(outputs_of(Path(folder))) / "features" if folder else None


def register_resolvers() -> None:
    """Register the resolvers ${sweep_folder:...} and ${job_name:...}."""
    OmegaConf.register_new_resolver("sweep_folder", sweep_folder, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
