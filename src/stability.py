"""The stability microscope: python src/stability.py regularizer=r1 lambda_d=1, or all=true

Puts the loss and the regularizers into the Dirac-GAN and prints the eigenvalues at its equilibrium, whether it converges
locally, the best strength, and simultaneous against alternating steps; saves a phase portrait. Returns the largest real part.
"""

from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from regen import cli, config, runs
from regen.startup import loading


@hydra.main(version_base="1.3", config_path=str(runs.ROOT / "conf"), config_name="stability")
def main(cfg: DictConfig) -> float:
    with cli.told_in_job():
        config.check_stability(cfg)
        with loading():
            from regen.dirac import microscope  # here: --help and --cfg job do without torch

        folder = Path(HydraConfig.get().runtime.output_dir)
        return microscope.look_at_all(cfg, folder) if cfg.all else microscope.look(cfg, folder)


if __name__ == "__main__":
    cli.run(main)
