"""Compare runs: python src/compare.py runs=outputs/sweeps/NAME

Prints a table, best first, and writes compare.csv and compare.html; returns the best mean of the monitored figure.
"""

import signal

if __name__ == "__main__":  # before the imports, which take half a second: Ctrl-C ends them without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import hydra
from omegaconf import DictConfig

from regen import cli, config, runs
from regen.startup import loading


@hydra.main(version_base="1.3", config_path=str(runs.ROOT / "conf"), config_name="compare")
def main(cfg: DictConfig) -> float:
    with cli.told_in_job():
        config.check_compare(cfg)
        with loading():
            from regen.comparing import compare  # here: --help does without torch, which takes seconds to import

        return compare(cfg)


if __name__ == "__main__":
    cli.run(main)
