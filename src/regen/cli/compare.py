"""Compare runs: regen compare runs=outputs/sweeps/NAME

Prints a table, best first, and writes compare.csv and compare.html; returns the best mean of the monitored figure.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="compare")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_compare(cfg)
        with loading():
            from regen.report.comparison_report import (
                compare,  # here: --help does without torch, which takes seconds to import
            )

        return compare(cfg)
