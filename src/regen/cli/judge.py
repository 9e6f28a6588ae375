"""Judge images from any tool: regen judge samples=FOLDER train=FOLDER held_out=FOLDER

Prints the metric table and the diagnosis of generated images, given as a folder of image files or an .npz archive, compared
with the images that the generator was trained on and with held-out images.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="judge")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_judge(cfg)
        with loading():
            from regen.evaluation.image_evaluation import judge  # here: --help does without torch
            from regen.report import run_page

        return judge(cfg, run_page.write)
