"""Judge generated images from Python."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from regen.api.composition import compose_running, list_overrides, running
from regen.config import validate
from regen.config.resolvers import folder_name
from regen.utils.json_files import read_json
from regen.utils.lazy_imports import loading
from regen.utils.project import ROOT

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

ImagesOrPath = Union[str, os.PathLike, "np.ndarray", "Tensor"]


@dataclass(frozen=True)
class Judgement:
    """Metrics and diagnosis of generated images.

    Attributes:
        folder: result.json, figures.csv and report.html
        result: the contents of result.json
    """

    folder: Path
    result: dict

    @property
    def figures(self) -> dict[str, float]:
        """Return all metrics by name, like "val/fd"."""
        return {name: float(value) for name, value in self.result["figures"].items()}

    @property
    def diagnosis(self) -> str:
        """The diagnosis in a sentence."""
        return self.result["diagnosis"]["sentence"]


def judge(*, samples: ImagesOrPath, train: ImagesOrPath, held_out: ImagesOrPath, **settings: object) -> Judgement:
    """Judge generated images, as `regen judge` does, and return the metrics and the diagnosis.

    Args:
        samples: the generated images: a folder, an .npz archive, or an array (N, H, W), (N, H, W, C) or (N, C, H, W).
        train: the images that the generator was trained on, likewise.
        held_out: images of the same kind that it was not trained on, likewise.
        settings: keys of conf/judge.yaml, like image_size=32, out="folder", report=False.

    Arrays (N, C, H, W) need 1 or 3 channels. Raises ConfigError on images that cannot be compared.
    """
    with tempfile.TemporaryDirectory() as temporary:
        given = {"samples": samples, "train": train, "held_out": held_out}
        paths = {key: _path(key, images, Path(temporary)) for key, images in given.items()}
        folder_name.cache_clear()
        name = folder_name("samples" if paths["samples"].parent == Path(temporary) else paths["samples"].stem)
        out = Path(str(settings.pop("out", None) or ROOT / "outputs/judge" / name)).absolute()
        words = list_overrides({**paths, "out": out, **settings})
        with running("judge", words) as prepared:
            cfg = compose_running("judge", prepared)
            validate.check_judge(cfg)
            with loading():
                from regen.evaluation.image_evaluation import judge as judge_configured
                from regen.report import run_page
            judge_configured(cfg, run_page.write)
    return Judgement(out, read_json(out / "result.json"))


def _path(key: str, images: ImagesOrPath, folder: Path) -> Path:
    """Return the path of images, after arrays were written to a file in the folder."""
    if isinstance(images, str | os.PathLike):
        return Path(images).expanduser().absolute()
    import numpy as np

    array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    path = folder / f"{key}.npz"
    np.savez(path, arr_0=array)
    return path
