"""Values of samples as they are written: those of the data's files, or points in the plane."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from regen.data.mixtures import Mixture
from regen.data.pixels import MODES
from regen.data.window import FULL_8, Window, from_unit, value_dtype
from regen.sampling.sample_files import Npz, PngFolder


class SampleValues:
    """Conversion of samples to values, and the files for them.

    shape    (C, H, W) of a sample
    window   values of black and white in the data's files
    plane    mixture whose points the samples are; None for images
    """

    def __init__(self, shape: tuple[int, int, int], window: Window, plane: Mixture | None) -> None:
        self.shape, self.window, self.plane, self.dtype = shape, window, plane, value_dtype(window)

    @property
    def fit_png(self) -> bool:
        """Return whether PNG files can hold all levels and channels."""
        wide = self.dtype == np.uint16 and self.shape[0] == 1
        return not self.plane and (wide or (self.dtype == np.uint8 and self.shape[0] in MODES))

    def rows(self, samples: Tensor) -> np.ndarray:
        """Convert samples (B, C, H, W) to values (B, H, W, C) as in the data's files, or points (B, 2) in the plane's units."""
        if self.plane:
            return self.plane.to_plane(samples).numpy()
        finite = samples.nan_to_num(0, 0, 0).clamp(-1, 1).permute(0, 2, 3, 1)
        if self.window == FULL_8:
            return finite.add(1).mul(127.5).round().to(torch.uint8).contiguous().numpy()
        return np.ascontiguousarray(from_unit(finite.numpy(), self.window))

    def files(self, folder: Path, n: int, what: Sequence[str]) -> list[PngFolder | Npz]:
        """Return the files for n samples among those that `what` names: images and npz."""
        c, h, w = self.shape
        files: list[PngFolder | Npz] = [PngFolder(folder / "images", n)] if "images" in what else []
        if "npz" in what:
            shape, dtype = ((n, 2), "float32") if self.plane else ((n, h, w, c), self.dtype.name)
            files.append(Npz(folder / "samples.npz", shape, dtype))
        return files
