"""Choose a strength: python src/choose.py regularizer=r1 data=digits

Cross-validates strengths over folds and seeds; prints and saves the path, the best, whether regularizing helps at all, and the
command that trains the final model. Typed again, it does what is missing.
"""

import signal

if __name__ == "__main__":  # before the imports, which take half a second: Ctrl-C ends them without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.sweeps.job import job
from regen.utils.project import ROOT


@hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name="choose")
def main(cfg: DictConfig) -> float:
    """One fit: which ones are worth training is decided by hydra/sweeper=race (regen.cross_validation)."""
    from train import trained

    return job(cfg, trained)


if __name__ == "__main__":
    entry_point.run(main)
