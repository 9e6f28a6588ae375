"""Shapes with known factors."""

from itertools import product
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from regen.data.images import Images
from regen.data.shapes import MOST, VALUES, draw, factors_of, shapes
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.plotting.plots import grid, save_png

USE = {"batch_size": 8, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
COUNTS = {"train": 600, "validation": 200, "test": 200}
PICTURE = Path(__file__).parents[2] / "docs" / "shapes.png"


def small(**changes) -> Images:
    return shapes(**{"image_size": 16, "channels": 3, **COUNTS, **USE, **changes})


def one(size: int = 32, channels: int = 1, **values: int) -> torch.Tensor:
    """(channels, size, size) in 0..255 of the values that are named, brightest and in the middle of their range else."""
    numbers = {"shape": 0, "scale": 5, "rotation": 0, "x": 3, "y": 3, "colour": 5 if channels == 1 else 0} | values
    return draw(torch.tensor([list(numbers.values())]), size, channels)[0].float()


def picture() -> torch.Tensor:
    """Each factor over its values, a row each: docs/shapes.png, which `python tests/data/test_shapes.py` draws."""
    middle = torch.tensor([2, 4, 1, 3, 3, 0])
    cells = torch.full((6, 8, 3, 32, 32), 255, dtype=torch.uint8)
    for row, values in enumerate(VALUES.values()):
        factors = middle.repeat(values, 1)
        factors[:, row] = torch.arange(values)
        cells[row, :values] = draw(factors, 32, 3)
    return grid(as_float(cells.flatten(0, 1)))


def test_part_holds_images_factors_and_the_shape_as_label():
    data = small()
    assert data.shape == (3, 16, 16) and data.classes == 3 and data.name == "shapes"
    assert data.factors == ("shape", "scale", "rotation", "x", "y", "colour")
    for part, count in ((data.train, 600), (data.validation, 200), (data.test, 200)):
        assert part.images.shape == (count, 3, 16, 16) and part.images.dtype == torch.uint8
        assert torch.equal(part.labels, part.factors[:, 0])
        assert torch.equal(part.images, draw(part.factors, 16, 3))


def test_no_image_is_in_two_parts_and_a_run_sees_the_same_images_again():
    data, again = small(), small(image_size=8, train=700)
    numbers = {tuple(row) for part in (data.train, data.validation, data.test) for row in part.factors.tolist()}
    assert len(numbers) == 1000
    for part in ("validation", "test"):
        assert torch.equal(getattr(data, part).factors, getattr(again, part).factors)
    assert torch.equal(data.train.factors, again.train.factors[:600])


def test_every_factor_is_uniform_and_no_two_go_together():
    factors = small(train=20_000, image_size=1).train.factors
    for column, values in zip(factors.T, VALUES.values(), strict=True):
        assert (column.bincount(minlength=values) / len(column) - 1 / values).abs().max() < 0.01
    assert (torch.corrcoef(factors.T.double()) - torch.eye(6)).abs().max() < 0.03


def test_indices_of_all_images_enumerate_the_factors():
    assert factors_of(torch.arange(MOST)).tolist() == [list(f) for f in product(*map(range, VALUES.values()))]


@pytest.mark.parametrize("channels", [1, 3])
def test_all_images_differ(channels):
    images = torch.cat([draw(part, 16, channels) for part in factors_of(torch.arange(MOST)).split(5000)])
    assert len({image.tobytes() for image in images.numpy()}) == MOST


@pytest.mark.parametrize("scale", range(6))
def test_every_shape_covers_the_area_of_the_square_around_the_same_middle(scale):
    at = (torch.arange(128, dtype=torch.float64) + 0.5) / 64 - 1
    for shape, rotation in product(range(3), (0, 5)):
        covered = one(128, shape=shape, scale=scale, rotation=rotation, x=2, y=6).double()[0] / 255
        area = covered.sum()
        assert float(area) / 64**2 == pytest.approx((0.6 * (0.5 + scale / 10)) ** 2, rel=0.01)
        middle = (covered.sum(0) @ at / area, covered.sum(1) @ at / area)
        assert torch.stack(middle).tolist() == pytest.approx([-0.45 + 0.9 * 2 / 7, -0.45 + 0.9 * 6 / 7], abs=0.004)


def test_upright_square_has_full_pixels_and_covered_fractions():
    image = one(20, x=0, y=7)[0]  # 0.6 wide is 6 pixels; from -0.75 to -0.15 is from pixel 2.5 to pixel 8.5
    row = [0.0] * 2 + [127.5] + [255] * 5 + [127.5] + [0] * 11
    assert image[14].tolist() == pytest.approx(row, abs=0.51)
    assert image[:, 5].tolist() == pytest.approx(row[::-1], abs=0.51)


def test_edges_are_as_smooth_as_an_averaged_image_of_eight_times_the_size():
    for shape, rotation in product(range(3), range(8)):
        fine = one(256, shape=shape, rotation=rotation)
        apart = (one(32, shape=shape, rotation=rotation) - torch.nn.functional.avg_pool2d(fine[None], 8)[0]).abs()
        assert apart.mean() < 1
        assert apart.max() < 64  # a corner in the middle of a pixel covers a quarter of it, and is drawn as a half


def test_rotation_is_clockwise_and_stops_short_of_the_quarter_turn_that_gives_the_square_again():
    ellipse = one(64, shape=1, rotation=4)[0]  # by 45°: from the upper left to the lower right
    assert ellipse.trace() > 2 * ellipse.flip(0).trace()
    for shape in range(3):
        turned, upright = one(64, shape=shape, rotation=8, x=4), one(64, shape=shape)
        assert (turned - upright.rot90(-1, dims=(1, 2))).abs().max() <= 1
    assert (one(64, rotation=8) - one(64)).abs().max() <= 1 < (one(64, rotation=7) - one(64)).abs().max()


def test_a_shape_stays_inside_at_every_place():
    for shape, rotation, place in product(range(3), range(8), (0, 7)):
        image = one(64, shape=shape, rotation=rotation, x=place, y=place)[0]
        edge = torch.cat([image[0], image[-1], image[:, 0], image[:, -1]])
        assert edge.max() == 0


def test_the_sixth_factor_is_the_colour_or_the_brightness():
    inside = [one(16, 3, colour=colour)[:, 6, 6].tolist() for colour in range(6)]
    assert inside == [[255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255], [0, 0, 255], [255, 0, 255]]
    grey = [float(one(16, 1, colour=brightness).max()) for brightness in range(6)]
    assert grey == pytest.approx([127.5, 153, 178.5, 204, 229.5, 255], abs=0.51)
    assert small(channels=1).factors[5] == "brightness" and small(channels=1).shape == (1, 16, 16)


def test_factors_follow_the_images_into_subsets_and_folds():
    data = small(subset=100, folds=5, fold=4)
    assert len(data.train) == 100 and len(data.validation) == 160
    for part in (data.train, data.validation, data.train.take(torch.tensor([7, 3])), data.train.to("cpu")):
        assert torch.equal(part.images, draw(part.factors, 16, 3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 2}, r"data\.channels=2: expected 3 \(colours\) or 1 \(brightness\)"),
        ({"test": 1}, r"data\.test=1: .* like data\.test=5000"),
        ({"train": 55_000}, r"55400 images, .* 55296 different"),
        ({"image_size": 0}, r"data\.image_size=0: expected a whole number of pixels"),
    ],
    ids=str,
)
def test_impossible_shapes_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        small(**changes)


def test_picture_in_the_docs_is_current():
    shown = pil_to_tensor(Image.open(PICTURE)).int()
    assert (shown - picture().int()).abs().max() <= 2  # processors may round differently


def test_a_gan_is_trained_on_shapes_and_measured(train):
    small = (
        "data.train=100",
        "data.validation=40",
        "data.test=40",
        "data.batch_size=8",
        "metrics=[sliced_wasserstein]",
    )
    folder = train("data=shapes", *small, "monitor=val/swd", "max_iterations=2")
    assert (folder / "samples.png").exists()


if __name__ == "__main__":
    save_png(picture(), PICTURE)
