"""Judge images from any tool: python src/judge.py samples=FOLDER train=FOLDER held_out=FOLDER

Prints the metric table and the diagnosis of generated images, given as a folder of image files or an .npz archive, compared
with the images that the generator was trained on and with images that it has never seen.
"""

import signal

if __name__ == "__main__":  # before the imports, which take half a second: Ctrl-C ends them without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import hydra
from omegaconf import DictConfig

from regen import cli, config, runs
from regen.startup import loading


@hydra.main(version_base="1.3", config_path=str(runs.ROOT / "conf"), config_name="judge")
def main(cfg: DictConfig) -> float:
    with cli.told_in_job():
        config.check_judge(cfg)
        with loading():
            from regen.judgement import judge  # here: --help does without torch, which takes seconds to import

        return judge(cfg)


if __name__ == "__main__":
    cli.run(main)
