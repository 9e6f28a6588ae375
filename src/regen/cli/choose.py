"""Choose a strength: regen choose regularizer=r1 data=digits

Cross-validates strengths over folds and seeds; prints and saves the path, the best, whether regularizing helps at all, and the
command that trains the final model. Typed again, it does what is missing.
"""

import hydra
from omegaconf import DictConfig

from regen.cli.train import load_train
from regen.sweeps.job import job
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="choose")
def main(cfg: DictConfig) -> float:
    """One fit: which ones are worth training is decided by hydra/sweeper=race (regen.cross_validation)."""
    return job(cfg, load_train)
