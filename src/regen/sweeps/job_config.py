"""What a job of a sweep is asked for, kept beside its result: the same job, or another one of the same name?"""

import json
import math
from pathlib import Path

from omegaconf import DictConfig

from regen.config.keys import SAME_JOB, is_among
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json, write_json


class Asked:
    """The configuration of a job and how long it is to train; in a search, unless others prove better.

    cache   the folder in which what is computed of the data's files is kept
    """

    def __init__(
        self, cfg: DictConfig, overrides: list[str], in_search: bool = False, cache: Path | None = None
    ) -> None:
        from regen.runs.data_identity import find_fingerprint  # here: it imports torch

        self.in_search, self.root = in_search, cfg.data.get("root")
        self.fingerprint = find_fingerprint(cfg, cache)
        config = to_dict(cfg, resolve=True)
        self.config = {key: value for key, value in _flat(config).items() if not is_among(key, SAME_JOB)}
        self.overrides = overrides
        self.iterations, self.images = cfg.max_iterations, cfg.max_images

    def check(self, folder: Folder) -> None:
        """Raises ConfigError, which names what differs, if the folder holds a job of another configuration."""
        asked = read_json(folder.path / "asked.json")
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
                f"{folder.path} holds a job of another configuration: {listed}. "
                "Type another sweep=, or delete that folder to train it anew"
            )

    def is_answered_by(self, result: dict) -> bool:
        """Whether a result.json says that the job is done: diverged, stopped early, as long as asked or, in a search, pruned.

        Raises ConfigError if it is longer.
        """
        iteration, last = result.get("iteration", 0), self._last(result)
        if iteration > last:
            raise ConfigError(
                f"this job has been trained {iteration} iterations, and {last} are asked for: type as many"
            )
        whole = result.get("status") == "finished" and (iteration == last or bool(result["reason"]))
        ended = ("diverged", "pruned") if self.in_search else ("diverged",)
        return whole or result.get("status") in ended

    def write(self, folder: Folder) -> None:
        """Into asked.json."""
        data = {"root": self.root, "fingerprint": self.fingerprint}
        write_json(folder.path / "asked.json", {"overrides": self.overrides, "config": self.config, **data})

    def _recorded(self, folder: Folder) -> str | None:
        """The fingerprint of the data of a job whose asked.json has none, where one is expected."""
        from regen.runs.data_identity import read_record

        return (read_record(folder) or {}).get("fingerprint") if self.fingerprint and folder.config.exists() else None

    def _last(self, result: dict) -> float:
        """The iteration with which it ends; how many images an iteration shows is known once there is a result."""
        if self.images is None:
            return self.iterations
        iteration = result.get("iteration", 0)
        return math.ceil(self.images * iteration / result["images_seen"]) if iteration else math.inf


def _flat(config: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
