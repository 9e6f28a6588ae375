"""Measure what runs are worth to classifiers: regen downstream run=outputs/RUN task=augment

Prints a table of each task, with its baselines; returns the accuracy of the last run's first task.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="downstream")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_downstream(cfg)
        with loading():
            from regen.evaluation.downstream_evaluation import evaluate_downstream

        return evaluate_downstream(cfg)
