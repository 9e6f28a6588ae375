"""Near twins of training images among held-out images are found and reported."""

import io
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from regen.data.duplicates import NearDuplicates, find_near_duplicates, warn_of_near_duplicates
from regen.data.images import Images
from regen.data.split import Split
from regen.utils.randomness import generator


def pictures(count: int, first: int = 0, size: int = 32) -> np.ndarray:
    """(count, size, size, 3) smooth random pictures with some grey detail."""
    rows = []
    for number in range(first, first + count):
        draws = generator("pictures", number)
        coarse, fine = torch.randn(1, 3, 4, 4, generator=draws), torch.randn(1, 1, 16, 16, generator=draws)
        scale = {"size": (size, size), "mode": "bicubic"}
        picture = torch.nn.functional.interpolate(coarse, **scale) + 0.3 * torch.nn.functional.interpolate(
            fine, **scale
        )
        rows.append((picture[0] * 60 + 128).clamp(0, 255).byte().permute(1, 2, 0).numpy())
    return np.stack(rows)


def as_split(images: np.ndarray) -> Split:
    return Split(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())


def compressed(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=70)
    return np.asarray(Image.open(file))


def resized(image: np.ndarray) -> np.ndarray:
    size = image.shape[0]
    smaller = Image.fromarray(image).resize((size * 3 // 4,) * 2, Image.Resampling.BICUBIC)
    return np.asarray(smaller.resize((size, size), Image.Resampling.BICUBIC))


TWINS = {
    "exact": lambda image: image,
    "JPEG": compressed,
    "shifted": lambda image: np.pad(image, ((1, 0), (0, 1), (0, 0)), mode="edge")[:-1, 1:],
    "resized": resized,
}


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("twin", TWINS)
def test_planted_twins_are_found_and_others_are_not(twin, size):
    held_out, train = pictures(40, size=size), pictures(200, first=1000, size=size)
    planted = np.stack([TWINS[twin](image) for image in held_out[:20]])
    found = find_near_duplicates(as_split(np.concatenate([train, planted])), [as_split(held_out)])
    assert 19 <= found.twins <= 20 and (found.held_out, found.training) == (40, 220)


def data(held_out: np.ndarray, train: np.ndarray, **fields) -> Images:
    parts = {"full_train": as_split(train), "train": as_split(train)}
    parts |= {"validation": as_split(held_out), "test": as_split(held_out)}
    return Images(name="folder-x", batch_size=2, workers=0, monitor="val/fd", **parts, **fields)


def test_warning_names_the_number_and_is_cached(tmp_path, caplog, monkeypatch):
    own = data(pictures(10), np.concatenate([pictures(4), pictures(30, first=50)]), family="folder")
    found = warn_of_near_duplicates(own, tmp_path)
    assert "8 of 20 held-out images" in caplog.text and "data.group=" in caplog.text
    monkeypatch.setattr("regen.data.duplicates.find_near_duplicates", None)
    assert warn_of_near_duplicates(own, tmp_path) == found == NearDuplicates(8, 20, 34)


def test_built_in_sets_and_points_are_not_looked_through():
    assert warn_of_near_duplicates(data(pictures(4), pictures(4)), None) is None
    small = pictures(4)[:, :1, :1]
    assert warn_of_near_duplicates(data(small, small, family="folder"), None) is None


def test_search_ends_in_time():
    assert find_near_duplicates(as_split(pictures(300)), [as_split(pictures(200))], seconds=0).held_out == 128


def test_small_held_out_parts_are_reported_with_a_sufficient_number(caplog):
    data(pictures(5), pictures(8)).check_held_out()
    assert "the test part has 5 images" in caplog.text and "75 would be enough" in caplog.text


def test_nearly_constant_images_are_reported(caplog):
    caplog.set_level(logging.WARNING)
    constant = np.full((80, 8, 8, 3), 100, np.uint8)
    constant[::7, 0, 0, 0] = 101
    data(constant, constant).check_varied()
    assert "are nearly the same" in caplog.text
