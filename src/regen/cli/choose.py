"""Choose a strength: regen choose regularizer=r1 data=digits

Cross-validates strengths over folds and seeds; prints and saves the regularization path, the best strength, whether
regularization helps, and the command that trains the final model. If repeated, it runs only missing fits.
"""

import hydra
from omegaconf import DictConfig

from regen.cli.train import load_train
from regen.sweeps.job import job
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="choose")
def main(cfg: DictConfig) -> float:
    """Train one fit; hydra/sweeper=race (regen.cross_validation) selects the fits."""
    return job(cfg, load_train)
