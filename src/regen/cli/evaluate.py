"""Measure runs, ended or still training: regen evaluate run=outputs/RUN

Prints a metric table and a diagnosis of each run; returns the last run's monitored metric.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="evaluate")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_evaluate(cfg)
        with loading():
            from regen.evaluation.run_evaluation import (
                evaluate,  # here: --help does without torch, which takes seconds to import
            )

        return evaluate(cfg)
