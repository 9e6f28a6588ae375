"""Images and archives on a disk that is full: the file, what it needs, and no temporary files."""

import resource
from pathlib import Path

import numpy as np
import pytest

from regen.sampling.sample_files import Npz, PngFolder

IMAGES = np.random.default_rng(0).integers(
    0, 256, (20, 64, 64, 3), dtype=np.uint8
)  # noise, which PNG does not compress


@pytest.fixture
def full_disk():
    """No file may have more than 4,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_images(folder: Path) -> None:
    with PngFolder(folder / "images", len(IMAGES)) as images:
        images.add(0, IMAGES)


def write_archive(folder: Path) -> None:
    with Npz(folder / "samples.npz", IMAGES.shape, "uint8") as archive:
        archive.add(0, IMAGES)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    ("write", "said"),
    [(write_images, r"images/\d+\.png: .* needs 12,"), (write_archive, r"samples\.npz: .* needs 245,760 ")],
)
def test_full_disk_is_reported_with_file_and_size(tmp_path, write, said):
    with pytest.raises(OSError, match=said):
        write(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
