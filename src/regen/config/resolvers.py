"""OmegaConf resolvers of conf/: folder names and the project's folder."""

import functools
import re
from datetime import datetime

from omegaconf import OmegaConf

from regen.errors import ConfigError
from regen.utils import program
from regen.utils.project import ROOT

LONGEST = 60  # characters in the name of a run's folder


def slug(text: str, most: int = 80) -> str:
    """Keep only letters, digits, '.', '_' and '-': no '=' (Hydra's grammar), no '/' (nested folders)."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", re.sub(r",(?=[^,=]+=)", "_", text)).strip("-")[:most]


@functools.cache
def folder_name(overrides: str) -> str:
    """Return `<time>_<slug of the overrides>`, 60 characters at most; microseconds distinguish runs of the same second."""
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    return "_".join(part for part in (time, slug(overrides, LONGEST - len(time) - 1).rstrip("-_.")) if part)


def run_folder(name: str | None, overrides: str) -> str:
    """Return the folder of a run in outputs/: its name's slug, or a name with the time.

    Raises ConfigError on a name that cannot be a folder in outputs/.
    """
    if name is None:
        return folder_name(overrides)
    if not slug(str(name)).strip("."):
        raise ConfigError(f"name={name}: expected a name with letters or digits, like name=mine")
    return slug(str(name))


def register_resolvers() -> None:
    """Register the resolvers of conf/*.yaml: project, typed, folder_name, run_folder, slug, unless.

    ${unless:OTHER,VALUE} is VALUE if OTHER is null, else null.
    """
    OmegaConf.register_new_resolver("unless", lambda other, value: value if other is None else None, replace=True)
    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("project", lambda: str(ROOT), replace=True)
    OmegaConf.register_new_resolver("typed", program.typed, replace=True)
    OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
    OmegaConf.register_new_resolver("slug", slug, replace=True)
