"""Export a run's sampler: regen export run=outputs/RUN

Writes safetensors weights, a torch.export and an ONNX program and a model card, each program verified against the original;
prints the files. Returns the largest difference.
"""

import hydra
from omegaconf import DictConfig

from regen.cli import entry_point
from regen.config import validate
from regen.utils.lazy_imports import loading
from regen.utils.project import CONF


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="export")
def main(cfg: DictConfig) -> float:
    with entry_point.report_job_errors():
        validate.check_export(cfg)
        with loading():
            from regen.export.exported_model import export_all  # here: --help and --cfg job do without torch

        return export_all(cfg)
