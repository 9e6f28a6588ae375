"""Measure runs, ended or still training: python src/evaluate.py run=outputs/RUN

Prints a board of figures for each run and what it says of the run; returns the last one's monitored figure.
"""

import signal

if __name__ == "__main__":  # before the imports, which take half a second: Ctrl-C ends them without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import ROOT


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="evaluate")
def main(cfg: DictConfig) -> float:
    with entry_point.told_in_job():
        validate.check_evaluate(cfg)
        with loading():
            from regen.evaluation.run_evaluation import (
                evaluate,  # here: --help does without torch, which takes seconds to import
            )

        return evaluate(cfg)


if __name__ == "__main__":
    entry_point.run(main)
