"""Pictures: their shapes, what they survive, and that they stay small in what they import."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regen.plotting import curve_panels, training_curves
from regen.plotting import plots as pictures
from regen.utils.randomness import Draws


def test_small_images_are_enlarged_by_a_whole_factor_to_readable_size():
    picture = pictures.grid(torch.zeros(16, 1, 8, 8))
    assert picture.dtype == torch.uint8
    assert picture.shape == (3, 2 * (6 * 8 + 2) + 2, 8 * (6 * 8 + 2) + 2)  # 8 columns, 6 pixels for one, gaps of 2


def test_large_images_keep_the_size():
    assert pictures.grid(torch.zeros(4, 3, 128, 128), columns=4).shape == (3, 128 + 4, 4 * 130 + 2)


def test_minus_1_is_black_1_is_white_and_non_finite_is_grey():
    images = torch.tensor([-1.0, 1.0, math.nan, 7.0]).view(4, 1, 1, 1).expand(4, 1, 400, 400)
    picture = pictures.grid(images, columns=4)
    assert [picture[0, 200, 202 + i * 402].item() for i in range(4)] == [0, 255, 128, 255]


def test_a_single_image_is_a_picture():
    assert pictures.grid(torch.zeros(1, 3, 32, 32)).shape[0] == 3


def test_scatter_shows_points_that_are_there():
    means = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    empty = pictures.scatter(torch.full((50, 2), math.nan), means, std=0.05)
    full = pictures.scatter(Draws("points").normal(50, 2) * 0.05 + means[0], means, std=0.05)
    assert full.shape == empty.shape
    assert full.dtype == torch.uint8
    assert not full.equal(empty)


def test_scatter_shows_nothing_of_the_previous_scatter():
    means, points = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), Draws("points").normal(50, 2)
    alone = pictures.scatter(points, means, std=0.05)
    pictures.scatter(9 * points, means, std=0.05)
    pictures.scatter(points, means, std=0.3)
    assert pictures.scatter(points, means, std=0.05).equal(alone)


def test_saved_picture_is_read_unchanged(tmp_path):
    picture = (Draws("picture").uniform(3, 20, 30) * 255).to(torch.uint8)
    pictures.save_png(picture, tmp_path / "new" / "folder" / "picture.png")
    read = np.asarray(Image.open(tmp_path / "new" / "folder" / "picture.png"))
    assert torch.from_numpy(read.copy()).permute(2, 0, 1).equal(picture)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["picture.png"]


def table(path: Path, *rows: dict[str, float]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_related_figures_share_a_panel_and_no_panel_is_empty(tmp_path):
    update = {"d/loss": 1, "g/loss": 2, "d/data": 1, "g/data": 1.5, "d/real_score": 1, "d/fake_score": -1}
    penalties = {"d/r1": 0.1, "d/l2": 1, "g/l2": 2, "images_per_second": 100, "d/never": math.nan}
    figures = {"val/fd": 9, "train/fd": 8, "gap/fd": 0.5, "real/fd": 3}
    at = {"iteration": 50, "images_seen": 3200}
    path = table(tmp_path / "metrics.csv", at | update | penalties, at | figures)
    found = curve_panels.panels(curve_panels.series(path))
    assert {title: sorted(lines) for title, lines in found.items()} == {
        "Fréchet distance": ["real/fd", "train/fd", "val/fd"],
        "generalization gap (Fréchet distance)": ["gap/fd"],
        "losses": ["d/loss", "g/data", "g/loss"],  # d/data is d/loss here
        "logits of D": ["d/fake_score", "d/real_score"],
        "l2, unweighted": ["d/l2", "g/l2"],
        "r1, unweighted": ["d/r1"],
        "training speed (images/s)": ["images_per_second"],
    }


@pytest.mark.parametrize("rows", [1, 5, 300])
def test_curves_are_drawn_from_any_number_of_rows_with_values_that_are_not_finite(tmp_path, rows):
    odd = {1: math.nan, 2: math.inf, 3: -math.inf}
    series = [{"images_seen": 64 * i, "d/loss": odd.get(i, 10.0 ** -(i % 9)), "gap/fd": -i} for i in range(rows)]
    training_curves.curves(table(tmp_path / "metrics.csv", *series), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 400


def test_panel_shows_nothing_of_previous_panels(tmp_path):
    losses = [{"images_seen": 64 * i, "d/loss": 10.0**-i, "g/loss": 3.0, "gap/fd": i - 2} for i in range(5)]
    speeds = [{"images_seen": 64 * i, "images_per_second": 100 + i} for i in range(5)]
    training_curves.curves(
        table(tmp_path / "many.csv", *(a | b for a, b in zip(losses, speeds, strict=True))), tmp_path / "many.png"
    )
    training_curves.curves(table(tmp_path / "one.csv", *speeds), tmp_path / "one.png")
    with Image.open(tmp_path / "many.png") as many, Image.open(tmp_path / "one.png") as one:
        assert many.size == (3 * one.width, one.height)
        last = many.crop((2 * one.width, 0, many.width, one.height))
        assert np.array_equal(np.asarray(last), np.asarray(one))


def test_numbers_on_an_axis_are_short_and_distinct():
    shown = {0: "0", 0.25: "0.25", -1500: "−1500", 20_000: "2e4", 12_100: "1.21e4", 12_250: "1.225e4", 2e-5: "2e−5"}
    assert {value: pictures.short(value) for value in shown} == shown


def test_a_table_without_a_finite_value_makes_no_picture(tmp_path):
    path = table(tmp_path / "metrics.csv", {"iteration": 1, "images_seen": 64, "d/loss": math.nan})
    training_curves.curves(path, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_matplotlib_is_loaded_only_to_draw():
    check = (
        "import sys; from regen.utils.lazy_imports import loading\nwith loading(): import regen.plotting.plots\n"
        "sys.exit('matplotlib' in sys.modules or 'torchvision' in sys.modules)"
    )
    source = Path(pictures.__file__).parents[1]
    subprocess.run([sys.executable, "-c", check], check=True, cwd=source, timeout=60)


def test_figures_of_a_vae_have_panels_in_words_with_bounds_of_training_and_held_out_images():
    names = ("val/elbo_nats", "train/elbo_nats", "gap/elbo_nats", "val/elbo_nats_se", "val/kl_nats", "g/kl", "g/scale")
    found = curve_panels.panels({name: [(64.0, 1.0), (128.0, 2.0)] for name in names})
    assert {title: list(lines) for title, lines in found.items()} == {
        "KL of the code from its prior (nats per image)": ["val/kl_nats"],
        "evidence lower bound (nats per image)": ["train/elbo_nats", "val/elbo_nats"],
        "generalization gap (evidence lower bound) (nats per image)": ["gap/elbo_nats"],
        "kl, unweighted": ["g/kl"],
        "scale of the likelihood": ["g/scale"],
    }


@pytest.mark.parametrize(("channels", "drawn"), [(1, 1), (2, 2), (3, 1), (4, 4), (5, 5)])
def test_channels_other_than_grey_and_colour_stand_side_by_side(channels, drawn):
    images = torch.linspace(-1, 1, channels)[None, :, None, None].expand(2, -1, 6, 4).contiguous()
    shown = pictures.side_by_side(images)
    assert shown.shape == (2, 3 if channels == 3 else 1, 6, 4 * drawn)
    if channels not in (1, 3):
        assert torch.equal(shown[0, 0, 0, ::4], images[0, :, 0, 0])
    picture = pictures.grid(images, columns=2)
    assert picture.shape[0] == 3 and picture.dtype == torch.uint8


def test_oblong_images_keep_the_proportions():
    picture = pictures.grid(torch.zeros(3, 1, 24, 16), columns=3)
    factor = (picture.shape[2] - 2) // 3 // 16
    assert picture.shape == (3, 24 * factor + 4, 3 * (16 * factor + 2) + 2)
