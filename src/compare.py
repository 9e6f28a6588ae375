"""Compare runs: python src/compare.py runs=outputs/sweeps/NAME

Prints a table, best first, and writes compare.csv and compare.html; returns the best mean of the monitored figure.
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


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="compare")
def main(cfg: DictConfig) -> float:
    with entry_point.told_in_job():
        validate.check_compare(cfg)
        with loading():
            from regen.report.compare import compare  # here: --help does without torch, which takes seconds to import

        return compare(cfg)


if __name__ == "__main__":
    entry_point.run(main)
