"""The configuration saved with each job; detects a folder that holds a different job."""

import json
import math
from pathlib import Path
from typing import cast

from hydra.core.utils import JobReturn
from omegaconf import DictConfig

from regen.config.keys import SAME_JOB, is_among
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.containers import flatten, to_dict
from regen.utils.json_files import read_json, write_json

FORMER_FILE = "asked.json"


class JobConfig:
    """Configuration of a job and its length, which a search may end early.

    cache   folder for results computed from the data's files
    """

    def __init__(
        self, cfg: DictConfig, overrides: list[str], in_search: bool = False, cache: Path | None = None
    ) -> None:
        from regen.runs.data_identity import find_fingerprint  # here: it imports torch

        self.in_search, self.root = in_search, cfg.data.get("root")
        self.fingerprint = find_fingerprint(cfg, cache)
        config = to_dict(cfg, resolve=True)
        self.config = {key: value for key, value in flatten(config).items() if not is_among(key, SAME_JOB)}
        self.overrides = overrides
        self.iterations, self.images = cfg.max_iterations, cfg.max_images

    def check(self, folder: Folder) -> None:
        """Raise ConfigError with the differences if the folder holds a job with another configuration.

        Also raises it on a job of an earlier version of regen, whose configuration is in another file.
        """
        if (folder.path / FORMER_FILE).exists():
            raise ConfigError(f"{folder.path} holds a job of an earlier version of regen. Type another sweep=")
        asked = read_json(folder.path / "job.json")
        before = asked.get("config")
        if before is None:
            return
        if self.fingerprint != (found := asked.get("fingerprint", self._recorded(folder))):
            raise ConfigError(
                f"{folder.path} holds a job on other data: data.root={asked.get('root')} (fingerprint {found}), and "
                f"data.root={self.root} has fingerprint {self.fingerprint}. Type another sweep="
            )
        now = json.loads(json.dumps(self.config))
        differ = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if differ:
            listed = ", ".join(f"{key} was {before.get(key)} and is {now.get(key)}" for key in differ[:5])
            raise ConfigError(
                f"{folder.path} holds a job with another configuration: {listed}. "
                "Type another sweep=, or delete that folder to train it again"
            )

    def is_answered_by(self, result: dict) -> bool:
        """Return whether a result.json completes the job: diverged, stopped early, long enough or, in a search, pruned.

        Raises ConfigError if it is longer.
        """
        iteration, last = result.get("iteration", 0), self._last(result)
        if iteration > last:
            raise ConfigError(
                f"this job was trained for {iteration} iterations, and {last} are requested: type at least as many"
            )
        whole = result.get("status") == "finished" and (iteration == last or bool(result["reason"]))
        ended = ("diverged", "pruned") if self.in_search else ("diverged",)
        return whole or result.get("status") in ended

    def write(self, folder: Folder) -> None:
        """Write job.json."""
        data = {"root": self.root, "fingerprint": self.fingerprint}
        write_json(folder.path / "job.json", {"overrides": self.overrides, "config": self.config, **data})

    def _recorded(self, folder: Folder) -> str | None:
        """Return the fingerprint of a job's data if job.json lacks an expected one."""
        from regen.runs.data_identity import read_record

        return (read_record(folder) or {}).get("fingerprint") if self.fingerprint and folder.config.exists() else None

    def _last(self, result: dict) -> float:
        """Return its last iteration; images per iteration are known from the result."""
        if self.images is None:
            return self.iterations
        iteration = result.get("iteration", 0)
        return math.ceil(self.images * iteration / result["images_seen"]) if iteration else math.inf


def output_folder(job: JobReturn) -> Path:
    """Return the folder into which a job has written."""
    return Path(cast(DictConfig, job.hydra_cfg).hydra.runtime.output_dir)  # None before it begins only
