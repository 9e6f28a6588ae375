"""Measure runs, ended or still training: python src/evaluate.py run=outputs/RUN

Prints a board of figures for each run and what it says of the run; returns the last one's monitored figure.
"""

import signal

if __name__ == "__main__":  # before the imports, which take half a second: Ctrl-C ends them without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import hydra
from omegaconf import DictConfig

from regen import cli, config, runs
from regen.startup import loading


@hydra.main(version_base="1.3", config_path=str(runs.ROOT / "conf"), config_name="evaluate")
def main(cfg: DictConfig) -> float:
    with cli.told_in_job():
        config.check_evaluate(cfg)
        with loading():
            from regen.evaluating import evaluate  # here: --help does without torch, which takes seconds to import

        return evaluate(cfg)


if __name__ == "__main__":
    cli.run(main)
