"""Train a regularized generative model: regen train regularizer=l2 lambda_g=0.1

Prints a table of figures and the paths of the picture and of the curves; returns the monitored figure, for sweepers.
"""

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
        return job(cfg, trained)
    with entry_point.told(), leaving_no_folder():
        validate.check(cfg)
        return trained(cfg)


def trained(cfg: DictConfig) -> float:
    """The monitored figure of the run that a configuration describes."""
    with loading():
        from regen.training.run import (
            train,  # here: --help and --cfg job do without torch, which takes seconds to import
        )

    return train(cfg)
