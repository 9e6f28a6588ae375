"""Logging of a run to W&B: rows, images and summary."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from torch import Tensor

from regen.runs.folder import Folder
from regen.tracking.connection import started
from regen.tracking.run_config import about
from regen.utils.json_files import read_json

log = logging.getLogger(__name__)
COSTS = ("images_per_second", "seconds", "peak_memory_mb")


class Wandb(WandbLogger):
    """W&B logger whose failures are reported once and never stop training."""

    failed = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._try(lambda: super(Wandb, self).log_metrics(metrics))

    @rank_zero_only
    def log_picture(self, name: str, picture: Tensor, images_seen: int) -> None:
        """Log a picture (3, H, W) uint8; W&B would show floats in [0, 1] as black."""
        import wandb

        image = wandb.Image(picture.permute(1, 2, 0).numpy())
        self._try(lambda: self.experiment.log({name: image, "images_seen": images_seen}))

    @rank_zero_only
    def close(self, result: Mapping[str, Any], higher: bool) -> None:
        """Write result.json to the summary and finish the run, so that the next job of a multirun gets a separate run."""
        self._try(lambda: self.experiment.summary.update(summary(result, higher)))
        try:  # also after a failure, or the next job would be written into it
            self.experiment.finish(exit_code=int(result["status"] == "failed"))
        except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
            log.warning("W&B's run did not finish: %s", error)

    def _try(self, call: Callable[[], None]) -> None:
        if self.failed:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
            self.failed = True
            log.warning("W&B stopped recording (%s); metrics.csv continues", error)


def summary(result: Mapping[str, Any], higher: bool) -> dict[str, Any]:
    """Return the columns for comparing runs.

    Logged metrics are already there; this adds the best value of the monitored one, because W&B knows only the best since
    a resumption.
    """
    monitor = result["monitor"]
    found = {"status": result["status"], "diagnosis": result["diagnosis"]["kind"]}
    found |= {name: result[name] for name in COSTS}
    if monitor in result["best"] and monitor in result["figures"]:
        found[monitor] = {"max" if higher else "min": result["best"][monitor], "last": result["figures"][monitor]}
    return found


def start_wandb(cfg: DictConfig, config: dict, folder: Folder, ranked: Mapping[str, bool]) -> Wandb | None:
    """Start W&B's run, or continue that of the resumed folder; None if even an offline run cannot start.

    `config` is the resolved configuration; `ranked` maps metrics with a best value to whether more is better.
    """
    run = started(cfg.logger, folder.outputs, folder.tracker, **about(cfg, config))
    if run is None:
        return None
    run.define_metric("*", step_metric="images_seen", overwrite=True)
    for name, higher in ranked.items():
        run.define_metric(name, step_metric="images_seen", summary=f"{'max' if higher else 'min'},last")
    return Wandb(experiment=run, save_dir=str(folder.outputs))


def add_to_wandb(folder: Folder, cfg: DictConfig, figures: dict[str, float], images_seen: int) -> None:
    """Add metrics to the W&B run of a folder, if it has one."""
    if not read_json(folder.tracker).get("id") or not cfg.logger:
        return
    try:
        if (run := started(cfg.logger, folder.home, folder.tracker)) is None:
            return
        run.define_metric("*", step_metric="images_seen")
        run.log(figures | {"images_seen": images_seen})
        run.summary.update(figures)
        run.finish()
    except Exception as error:  # noqa: BLE001 - whatever a remote service may raise
        log.warning("W&B did not accept the figures (%s); they are in %s", str(error).splitlines()[0], folder.result)
