"""Regenerate the page of a run: regen report run=outputs/RUN

Writes report.html into each run's folder and prints its path; returns the number of pages.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="report")
def main(cfg: DictConfig) -> int:
    with entry_point.report_job_errors():
        validate.check_report(cfg)
        with loading():
            from regen.report.regenerate import regenerate_pages  # here: --help needs no torch, which loads for seconds

        return regenerate_pages(cfg)
