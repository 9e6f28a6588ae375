"""Files for many images: a folder of PNG files, and an .npz archive. Both write images in batches."""

import contextlib
import io
import math
import os
import zipfile
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from regen.errors import ConfigError
from regen.utils.safe_files import disk_errors, open_replacement

DIGITS = 6  # least number of digits in a file name
AHEAD = 2  # waiting batches per thread


class PngFolder:
    """Folder of images/000000.png and so on, encoded by one thread per core (Pillow and zlib release the GIL).

    A file gets its name when it is complete. Files are not synced, which would take ten times as long: after a power failure
    draw again. Raises ConfigError if the folder holds other images, which would be mistaken for these.
    """

    def __init__(self, folder: Path, n: int) -> None:
        self.folder, self.digits = folder, max(DIGITS, len(str(n - 1)))
        names = {self._name(i) for i in range(n)}
        if others := sorted(path.name for path in folder.glob("*.png") if path.name not in names):
            raise ConfigError(
                f"{folder} holds {others[0]} and {len(others) - 1} other images that are not among the {n:,} asked for: "
                "type out=FOLDER for another folder, or remove them"
            )

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.pool, self.most = ThreadPoolExecutor(threads, "png"), AHEAD * threads
        self.under_way: deque[Future] = deque()
        return self

    def add(self, first: int, pixels: np.ndarray) -> None:
        """Add images (B, H, W, C), uint8 or grey uint16, numbered from `first`; waits while the threads are far behind."""
        self.under_way.append(self.pool.submit(self._write, first, np.asarray(pixels)))
        while len(self.under_way) > self.most:
            self.under_way.popleft().result()

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            while kind is None and self.under_way:
                self.under_way.popleft().result()
        finally:
            self.pool.shutdown(cancel_futures=True)

    def _name(self, number: int) -> str:
        return f"{number:0{self.digits}d}.png"

    def _write(self, first: int, pixels: np.ndarray) -> None:
        for number, image in enumerate(pixels, first):
            path, encoded = self.folder / self._name(number), io.BytesIO()
            Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(encoded, "PNG")
            with disk_errors(path, encoded.tell()), open_replacement(path, sync=False) as file:
                file.write(encoded.getbuffer())


class Npz:
    """Archive of one array, arr_0, in the format of guided-diffusion's evaluator (Dhariwal and Nichol 2021).

    shape, dtype   of the whole array: (N, H, W, C) for images
    """

    def __init__(self, path: Path, shape: Sequence[int], dtype: str) -> None:
        self.path, self.size = path, math.prod(shape) * np.dtype(dtype).itemsize
        self.header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(disk_errors(self.path, self.size))
            file = stack.enter_context(open_replacement(self.path, sync=False))
            archive = stack.enter_context(zipfile.ZipFile(file, "w"))
            member = zipfile.ZipInfo("arr_0.npy")  # a fixed date of 1980: equal images give equal files
            self.member = stack.enter_context(archive.open(member, "w", force_zip64=True))
            np.lib.format.write_array_header_1_0(self.member, self.header)
            self.stack = stack.pop_all()
        return self

    def add(self, _: int, rows: np.ndarray) -> None:
        """Add the next rows."""
        self.member.write(np.ascontiguousarray(rows).tobytes())

    def __exit__(self, *error: Any) -> None:
        self.stack.__exit__(*error)
