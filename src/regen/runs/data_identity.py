"""Identity of a run: the content of its data, and the settings that may not change when it is resumed."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from omegaconf import DictConfig

from regen.config.instantiate import build, resolve
from regen.config.keys import MAY_CHANGE_ON_RESUME, is_among
from regen.data.array_cache import caching_in
from regen.data.images import Images
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.runs.stored_config import read_yaml
from regen.utils.containers import flatten, to_dict

RECORD = "dataset"  # key of config.yaml for the identity of the data
SHOWN = 6  # differences in a message


def open_data(cfg: DictConfig, cache: Path | None) -> Images:
    """Load the data set of a configuration; results computed from its files are cached in the folder `cache`, if given.

    Raises ConfigError if it is not on this machine or cannot be built.
    """
    with caching_in(cache):
        data = build(cfg.data, "data", Images)
        _ = data.fingerprint
    return data


def find_fingerprint(cfg: DictConfig, cache: Path | None) -> str | None:
    """Return the fingerprint of a user's data files without decoding them; None for a built-in data set.

    Raises ConfigError if the files are missing.
    """
    node = to_dict(cfg.data, resolve=True)
    module = sys.modules[resolve(node.pop("_target_"), "data").__module__]
    if not hasattr(module, "fingerprint"):
        return None
    with caching_in(cache):
        return module.fingerprint(**node)


def record_of(data: Images) -> dict[str, object]:
    """Return the identity of the data as it is written to config.yaml, with the names of its classes if it has some."""
    classes = {"classes": list(data.class_names)} if data.class_names else {}
    return {"name": data.name, "fingerprint": data.fingerprint, "images": data.size, **classes}


def read_record(folder: Folder) -> dict | None:
    """Read the identity of the data from a run's config.yaml; None for an earlier version's."""
    return read_settings(folder).get(RECORD)


def read_settings(folder: Folder) -> dict:
    """Read a run's config.yaml as plain containers. Raises ConfigError if it is missing, damaged or not of a training run."""
    if not folder.config.exists():
        raise ConfigError(f"{folder.config} is missing: put it back, or start a new run")
    content = read_yaml(folder.config)
    groups = ("data", "network", "loss", "regularizer", "gradient_method", "metrics", "model", "trainer")
    wrong = [group for group in groups if not isinstance(content, dict) or not isinstance(content.get(group), dict)]
    if wrong:
        raise ConfigError(f"{folder.config} is not of a training run: it has no {wrong[0]}")
    return content


def check_data(record: Mapping | None, data: Images, run: Path, root: object = None) -> None:
    """Raise ConfigError with both identities unless the data are those of a run's record.

    A run without a record is from an earlier version, which split users' images differently.
    """
    typed = "" if root is None else f" in data.root={root}"
    now = f"{data.name} (fingerprint {data.fingerprint}, {data.size:,} images){typed}"
    if not record:
        if data.is_own:
            raise ConfigError(
                f"{run} does not record its data, because an earlier version trained it, which split images differently; "
                f"{now} would mix training and held-out images. Start a new run"
            )
        return
    if not (
        isinstance(record, Mapping)
        and all(isinstance(record.get(key), str) for key in ("name", "fingerprint"))
        and isinstance(record.get("images"), int)
    ):
        raise ConfigError(f"{Folder(run).config}: {RECORD} is not the name, fingerprint and images of a data set")
    if record["fingerprint"] != data.fingerprint:
        raise ConfigError(
            f"{run} was trained on {record['name']} (fingerprint {record['fingerprint']}, {record['images']:,} images), and "
            f"the data are now {now}. Type data.root= with the folder that holds those images, or start a new run"
        )


def check_resumed(folder: Folder, cfg: DictConfig, data: Images) -> None:
    """Raise ConfigError with the changes if a configuration or its data do not belong to the resumed run."""
    before = read_settings(folder)
    now = yaml.safe_load(yaml.safe_dump(to_dict(cfg, resolve=True)))
    if before["data"].get("_target_") == now["data"]["_target_"]:
        check_data(before.get(RECORD), data, folder.path, now["data"].get("root"))
    changes = list(differences(before, now))
    if changes:
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        raise ConfigError(
            f"resume={folder.path} continues a run that was started with other settings: {', '.join(changes[:SHOWN])}{more}. "
            "Leave them out, or start a new run without resume="
        )


def check_batch(images_seen: int, iteration: int, per_iteration: int) -> None:
    """Raise ConfigError if a resumed run would show another number of images per iteration than before."""
    if iteration and images_seen != iteration * per_iteration:
        raise ConfigError(
            f"this run has shown {images_seen / iteration:g} images an iteration, and would show {per_iteration}: the images "
            "of all processes and D steps count. Change data.batch_size or trainer.devices, or start a new run"
        )


def differences(before: Mapping, now: Mapping) -> Iterator[str]:
    """Describe each changed setting that may not change, like 'loss was Nonsaturating and is Hinge'."""
    old, new = (
        {key: value for key, value in flatten(one).items() if not is_among(key, (RECORD, *MAY_CHANGE_ON_RESUME))}
        for one in (before, now)
    )
    said: list[str] = []
    for key in [*(key for key in {**old, **new} if key.endswith("_target_")), *{**old, **new}]:
        if old.get(key) == new.get(key) or any(key.startswith(f"{place}.") for place in said):
            continue
        group = key.partition(".")[0]
        nodes = [list(one.get(group) or {}) if group in ("regularizer", "metrics") else [] for one in (before, now)]
        if (
            group == "metrics"
            and key.split(".")[1] != "features"
            and not all(key.split(".")[1] in node for node in nodes)
        ):
            continue  # metrics may be added or left out
        if nodes[0] != nodes[1] and group == "regularizer":
            said.append(group)
            yield "regularizer was {} and is {}".format(*(f"[{','.join(node)}]" if node else "none" for node in nodes))
        elif key.endswith("._target_"):
            place = key.removesuffix("._target_")
            said.append(place)
            yield f"{place} was {_class(old.get(key))} and is {_class(new.get(key))}"
        else:
            yield f"{key} was {_text(old.get(key))} and is {_text(new.get(key))}"


def _class(target: object) -> str:
    return str(target).rpartition(".")[2] if target else "null"


def _text(value: object) -> str:
    """Format a value as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(_text, value))}]" if isinstance(value, list) else str(value)
