"""Draw from a run: regen sample run=outputs/RUN n=1000

Writes PNG files, a grid, interpolations, latent directions, a truncation sweep or an .npz archive and prints their paths.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.runs.find import find_runs
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="sample")
def main(cfg: DictConfig) -> None:
    with entry_point.report_job_errors():
        validate.check_sample(cfg)
        found = find_runs(cfg.run)
        with loading():
            from regen.sampling.run_samples import sample_all  # here: --help and a wrong name do without torch

        sample_all(cfg, found)
