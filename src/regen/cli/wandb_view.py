"""Create a W&B workspace that compares runs: regen wandb-view sweep=outputs/sweeps/NAME

Writes its specification to a file and saves it for the configured account; exit status 2 without one.
"""

import sys

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="wandb_view")
def main(cfg: DictConfig) -> None:
    with entry_point.report_job_errors():
        validate.check_wandb_view(cfg)
        with loading():
            from regen.tracking.saved_view import view  # here: --help does without wandb, which takes seconds to import

        if not view(cfg):
            sys.exit(2)
