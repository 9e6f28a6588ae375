"""Analyse local stability: regen stability regularizer=r1 lambda_d=1, or all=true

Applies the loss and the regularizers to the Dirac-GAN and prints the eigenvalues at its equilibrium, whether it converges
locally, the best strength, and spectral radii of simultaneous and alternating steps; saves a phase portrait. Returns the
largest real part.
"""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="stability")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_stability(cfg)
        with loading():
            from regen.stability import inspection  # here: --help and --cfg job do without torch

        folder = Path(HydraConfig.get().runtime.output_dir)
        return inspection.look_at_all(cfg, folder) if cfg.all else inspection.look(cfg, folder)
