"""Train a regularized generative model: regen train regularizer=l2 lambda_g=0.1

Prints a metric table and the paths of samples and curves; returns the monitored metric for sweepers.
"""

from collections.abc import Callable
from functools import partial

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.runs.refused_run import leaving_no_folder
from regen.sweeps.job import job
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def main(cfg: DictConfig) -> float:
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return job(cfg, load_train)
    with entry_point.report_errors(), leaving_no_folder():
        validate.check(cfg)
        return load_train()(cfg)


def load_train() -> Callable[[DictConfig], float]:
    """Import the training: --help and --cfg job do without torch, which takes seconds to import."""
    with loading():
        from regen.report.run_page import write_with_curves
        from regen.training.training_process import train

    return partial(train, write_report=write_with_curves)
