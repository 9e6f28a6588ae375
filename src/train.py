"""Train a regularized generative model: python src/train.py regularizer=l2 lambda_g=0.1

Prints a table of figures and the paths of the picture and of the curves; returns the monitored figure, for sweepers.
"""

import hydra
from omegaconf import DictConfig

from regen import cli, config, runs


@hydra.main(version_base="1.3", config_path=str(runs.ROOT / "conf"), config_name="train")
def main(cfg: DictConfig) -> float:
    with cli.told_in_job():
        config.check(cfg)
        from regen.training import train  # here: --help and --cfg job do without torch, which takes seconds to import

        return train(cfg)


if __name__ == "__main__":
    cli.run(main)
