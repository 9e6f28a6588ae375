"""Where figures go: metrics.csv always, W&B if chosen."""

import csv
import io
import logging
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from torch import Tensor

from regen.runs import Folder, read_json, slug, write_json, write_safely

log = logging.getLogger(__name__)
AXES = ("iteration", "images_seen")


class CSVLog(Logger):
    """metrics.csv: a row for every record, a column for every name; each row is on disk when log_metrics returns.

    Unlike Lightning's, it can go on from a given row, so that a resumed run has the log of the uninterrupted one.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.rows, self.columns = path, 0, list(AXES)

    name, version = "csv", None

    @rank_zero_only
    def go_on(self, rows: int) -> None:
        """Keep the first rows of the file, drop what a killed run wrote after its checkpoint."""
        with open(self.path, newline="") as file:
            reader = csv.DictReader(file)
            kept = [row for row, _ in zip(reader, range(rows), strict=False)]
        self._rewrite(
            [name for name in reader.fieldnames or [] if name in AXES or any(row[name] for row in kept)], kept
        )
        self.rows = len(kept)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        new = [name for name in metrics if name not in self.columns]
        if new and self.path.exists():
            with open(self.path, newline="") as file:
                self._rewrite(self.columns + new, list(csv.DictReader(file)))
        self.columns += [name for name in new if name not in self.columns]
        fresh = not self.path.exists()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if fresh:
                writer.writeheader()
            writer.writerow(metrics)
        self.rows += 1

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The run's config.yaml holds them."""

    def _rewrite(self, columns: list[str], rows: list[dict]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_safely(self.path, text.getvalue().encode())
        self.columns = columns


class Wandb(WandbLogger):
    """W&B's run; whatever fails in it is said once and never stops the training."""

    failed = False

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self._try(lambda: super(Wandb, self).log_metrics(metrics))

    @rank_zero_only
    def log_picture(self, name: str, picture: Tensor, images_seen: int) -> None:
        """picture (3, H, W) uint8: W&B shows floats in [0, 1] as black."""
        import wandb

        image = wandb.Image(picture.permute(1, 2, 0).numpy())
        self._try(lambda: self.experiment.log({name: image, "images_seen": images_seen}))

    @rank_zero_only
    def close(self, summary: dict[str, float], failed: bool) -> None:
        """Finish the run, so that the next one of a multirun is a run of its own."""
        self._try(lambda: self.experiment.summary.update(summary))
        self._try(lambda: self.experiment.finish(exit_code=int(failed)))

    def _try(self, call: Callable[[], None]) -> None:
        if self.failed:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
            self.failed = True
            log.warning("W&B stopped recording (%s); metrics.csv goes on", error)


def start_wandb(cfg: DictConfig, config: dict, folder: Folder) -> Wandb | None:
    """W&B's run, the same one if the folder's run is resumed; None if even an offline run cannot start.

    Online only if a key is configured and the service answers within the timeout; never prompts. Its files stand under
    outputs/wandb. `config` is the resolved configuration.
    """
    import wandb

    known = read_json(folder.tracker).get("id")
    wanted = os.environ.get("WANDB_MODE") or ("online" if _online(cfg.logger.offline) else "offline")
    for mode in dict.fromkeys([wanted, "offline"]):
        try:
            run = wandb.init(
                project=cfg.logger.project,
                dir=folder.outputs,
                mode=mode,
                id=known,
                resume="allow" if known and mode == "online" else None,
                config=_flat(config),
                settings=wandb.Settings(init_timeout=cfg.logger.timeout_seconds, console="off", silent=True),
                **_about(cfg),
            )
        except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
            log.warning("W&B did not start %s: %s", mode, str(error).splitlines()[0])
            continue
        run.define_metric("*", step_metric="images_seen", overwrite=True)
        run.define_metric(cfg.monitor, step_metric="images_seen", summary="min,last")
        write_json(folder.tracker, {"id": run.id})
        return Wandb(experiment=run, save_dir=str(folder.outputs))
    return None


def add_to_wandb(folder: Folder, cfg: DictConfig, figures: dict[str, float], images_seen: int) -> None:
    """Add figures to the W&B run that a run's folder names, if it has one; online or offline as it was trained."""
    known = read_json(folder.tracker).get("id")
    if not known or not cfg.logger:
        return
    import wandb

    wanted = os.environ.get("WANDB_MODE") or ("online" if _online(cfg.logger.offline) else "offline")
    try:
        run = wandb.init(
            project=cfg.logger.project,
            dir=folder.home,
            mode=wanted,
            id=known,
            resume="allow" if wanted == "online" else None,
            settings=wandb.Settings(init_timeout=cfg.logger.timeout_seconds, console="off", silent=True),
        )
        run.define_metric("*", step_metric="images_seen")
        run.log(figures | {"images_seen": images_seen})
        run.summary.update(figures)
        run.finish()
    except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
        log.warning("W&B did not take the figures (%s); they stand in %s", str(error).splitlines()[0], folder.result)


def _about(cfg: DictConfig) -> dict[str, Any]:
    """Name, group, job type and tags: what runs are found and compared by."""
    hydra = HydraConfig.get()
    choices = [hydra.runtime.choices[group] for group in ("data", "network", "loss")]
    in_multirun = hydra.mode == RunMode.MULTIRUN
    return {
        "name": cfg.name or slug(hydra.job.override_dirname) or "default",
        "group": cfg.group or (Path(hydra.sweep.dir).name if in_multirun else "-".join(choices)),
        "job_type": "train",
        "tags": [*choices, *(cfg.regularizer or ["none"]), *cfg.tags],
    }


def _flat(config: dict, prefix: str = "") -> dict[str, Any]:
    """{"model.d_steps": 1, ...}: one column a key in a dashboard."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _online(offline: bool | None) -> bool:
    return _has_key() if offline is None else not offline


def _has_key() -> bool:
    import wandb

    try:
        return bool(wandb.login(prompt=False))
    except Exception:  # noqa: BLE001 - an unusable key is no key
        return False
