"""python src/sample.py as it is typed, the latents that it draws from, and the files that it writes."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.untrained_runs import made
from omegaconf import OmegaConf
from PIL import Image

from regen.cli import entry_point
from regen.config.instantiate import build
from regen.data.images import Images
from regen.data.pixels import MODES
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.models.latent_directions import sefa, traversals
from regen.models.latents import Latents, paths, slerp
from regen.plotting.plots import grid
from regen.runs.load import open_run
from regen.sampling.sample_files import Npz, PngFolder
from regen.utils.project import ROOT
from regen.utils.randomness import Draws


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """sample(*overrides, out="out", status=None) types the command; the folder of what it drew."""
    from regen.cli import sample as script

    def typed(*overrides: str, out: str = "out", status: int | None = None) -> Path:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["sample.py", *overrides, f"out={out}"])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as cli.run sets it, and undone after the test
        left = None
        try:
            entry_point.run(script.main)
        except SystemExit as leaving:
            left = leaving.code
        assert left == status
        return tmp_path / out

    return typed


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def array(path: Path) -> np.ndarray:
    with np.load(path) as archive:
        assert archive.files == ["arr_0"]
        return archive["arr_0"]


def test_run_draws_the_images_of_samples_png(train, sample, capsys):
    run = train()
    sample(f"run={run}", out="null")
    folder = run / "drawn/iteration_20_ema_64"
    assert (folder / "grid.png").read_bytes() == (run / "samples.png").read_bytes()
    files = sorted((folder / "images").iterdir())
    assert [files[0].name, files[-1].name, len(files)] == ["000000.png", "000063.png", 64]
    enlarged = pixels(run / "samples.png")  # 8 by 8 images of 8 pixels, each 6 wide, and gaps of 2
    for number, (row, column) in {0: (0, 0), 1: (0, 1), 63: (7, 7)}.items():
        tile = enlarged[2 + 50 * row :, 2 + 50 * column :][:48:6, :48:6, 0]
        assert np.array_equal(pixels(files[number]), tile)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"grid           {folder}/grid.png",
        f"images         {folder}/images",
    ]


def test_same_seed_draws_the_same_files_for_any_batch(tmp_path, sample):
    made(tmp_path / "run", "data.image_size=16", network="dcgan", shape=(1, 16, 16))
    asked = ["run=run", "n=9", "seed=3", "write=[images,npz]"]
    one, other = sample(*asked, out="one"), sample(*asked, "batch=4", out="other")
    written = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(written) == 10
    assert all((one / path).read_bytes() == (other / path).read_bytes() for path in written)
    fewer, all_of_them = sample("run=run", "n=5", "seed=3", "write=npz", out="fewer"), array(one / "samples.npz")
    assert np.array_equal(array(fewer / "samples.npz"), all_of_them[:5])
    assert np.array_equal(pixels(one / "images/000008.png"), all_of_them[8, ..., 0])


def test_seeds_weights_and_checkpoints_draw_different_images(tmp_path, sample):
    made(tmp_path / "run", iterations=2)
    options = ["seed=1", "seed=2", "weights=raw", "truncation=0.5", "seed=null"]
    drawn = [
        array(sample("run=run", "n=4", "write=npz", option, out=str(i)) / "samples.npz")
        for i, option in enumerate(options)
    ]
    assert drawn[0].shape == (4, 8, 8, 1) and drawn[0].dtype == np.uint8
    assert len({one.tobytes() for one in drawn}) == len(options)
    still = array(sample("run=run", "n=4", "write=npz", "truncation=0", out="still") / "samples.npz")
    assert (still == still[0]).all()


def test_sweep_begins_with_the_grid_and_an_interpolation_passes_through_the_grid(tmp_path, sample):
    made(tmp_path / "run")
    out = sample("run=run", "write=[grid,sweep,interpolation]", "rows=3", "columns=3", "steps=3", "truncations=[1,0]")
    grid, sweep, interpolation = (pixels(out / f"{name}.png") for name in ("grid", "sweep", "interpolation"))
    side = (grid.shape[0] - 2) // 3  # of an image with its gap
    assert np.array_equal(sweep[:side], grid[:side]) and sweep.shape[0] == 2 * side + 2
    ends = interpolation[2:side, 2 : side + 1], interpolation[2:side, 2 + 2 * side :]
    assert np.array_equal(ends[0][:, : side - 2], grid[2:side, 2:side])
    assert np.array_equal(ends[1][:, : side - 2], grid[2:side, 2 + side : 2 * side])
    assert np.array_equal(interpolation[2 + side : 2 * side, 2:side], ends[1][:, : side - 2])


def test_directions_move_the_first_latent_along_directions_of_the_first_layer(tmp_path, sample):
    model = made(tmp_path / "run")
    out = sample("run=run", "write=directions", "rows=3", "steps=5", "reach=2")
    z, found = Latents(8, model.seed, "samples")(0, 1)[0], sefa(model.ema.net, 8)
    with torch.inference_mode():
        expected = grid(model.ema(traversals(z, found.vectors[:3], 5, reach=2)), 5)
    assert np.array_equal(pixels(out / "directions.png"), expected.permute(1, 2, 0).numpy())


def test_a_traversal_goes_along_the_axes_of_a_vaes_code_the_most_used_first(tmp_path, sample):
    model = made(tmp_path / "run", model="vae", network="resnet")
    out = sample("run=run", "write=[traversal,directions]", "rows=2", "steps=3")
    held_out = open_run(tmp_path / "run").data.validation
    means = model.encode(as_float(held_out[torch.arange(len(held_out))][0]))[0]
    z = Latents(8, model.seed, "samples")(0, 1)[0].repeat(2, 3, 1)  # (2 axes, 3 steps, Z)
    for row, axis in zip(z, means.var(dim=0).argsort(descending=True), strict=False):
        row[:, axis] = torch.tensor([-3.0, 0.0, 3.0])
    expected = grid(model.ema(z.flatten(0, 1)), 3).permute(1, 2, 0).numpy()
    assert np.abs(pixels(out / "traversal.png").astype(int) - expected).max() <= 1
    assert pixels(out / "directions.png").shape == expected.shape


def test_a_generator_without_an_encoder_has_no_axes_to_go_along(tmp_path, sample, capsys):
    made(tmp_path / "run")
    sample("run=run", "write=traversal", status=78)
    assert "write=traversal: run has no encoder" in capsys.readouterr().err


def test_points_are_a_scatter_plot_and_an_array_in_the_planes_own_units(tmp_path, sample, capsys):
    model = made(tmp_path / "run", "data.train=64", "data.validation=8", "data.test=8", data="ring", shape=(2, 1, 1))
    out = sample("run=run", "n=70")
    points, scale = array(out / "samples.npz"), 1 + 10 * 0.01
    assert sorted(path.name for path in out.iterdir()) == ["grid.png", "samples.npz"]
    assert points.shape == (70, 2) and points.dtype == np.float32
    assert np.allclose(points, scale * model.sample(0, 70).flatten(1), atol=1e-6)
    sample("run=run", "write=[npz,images]", status=78)
    assert "type write=[grid,npz]" in capsys.readouterr().err


def test_several_runs_are_sampled_and_an_unusable_run_is_named(tmp_path, sample, capsys):
    for name in ("a", "b"):
        made(tmp_path / "runs" / name)
    made(tmp_path / "runs/none", iterations=0)
    out = sample("run=runs/*", "write=grid", "n=2")
    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]
    assert "none has no checkpoint yet" in capsys.readouterr().out
    sample("run=[runs/none,runs/none/]", "write=grid", status=78)
    assert "runs/none has no checkpoint yet" in capsys.readouterr().err


def test_own_class_is_sampled_with_the_config_dir(tmp_path, sample):
    made(tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/drawn_from.py").write_text("from regen.networks import mlp\nclass Own(mlp.Generator): pass\n")
    config = tmp_path / "run/config.yaml"
    config.write_text(config.read_text().replace("regen.networks.mlp.Generator", "drawn_from.Own"))
    sample("run=run", "n=1", status=78)
    assert (sample("--config-dir", str(tmp_path / "mine"), "run=run", "n=1") / "images/000000.png").exists()


COPYCAT = """
import torch
from regen.data.digits import digits
from regen.networks import mlp

USE = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}

class Generator(mlp.Generator):
    def forward(self, z):
        data = digits(image_size=8, validation=0.15, test=0.15, **USE)
        number = (z[:, :4].double().sum(1).abs() * 1e6).long()
        is_copy = ((number // 7) % 1000 < 1000 * SHARE)[:, None, None, None]
        copied, fresh = (part.images[number % len(part)] for part in (data.train, data.test))
        return torch.where(is_copy, copied, fresh).float() / 127.5 - 1
"""


@pytest.fixture
def copycat(tmp_path, monkeypatch):
    """copycat(share) writes a run whose samples are training images in this share and test images otherwise."""

    def write(share: float) -> tuple[str, ...]:
        made(tmp_path / "run")
        (tmp_path / "own").mkdir()
        (tmp_path / "own/copycat.py").write_text(COPYCAT.replace("SHARE", str(share)))
        config = tmp_path / "run/config.yaml"
        config.write_text(config.read_text().replace("regen.networks.mlp.Generator", "copycat.Generator"))
        monkeypatch.delitem(sys.modules, "copycat", raising=False)
        monkeypatch.syspath_prepend(tmp_path / "own")
        return "--config-dir", str(tmp_path / "own"), "run=run", "refuse_copies=true"

    return write


def test_refuse_copies_leaves_out_training_images_in_all_files(tmp_path, sample, copycat, capsys):
    out = sample(*copycat(0.5), "n=40", "batch=16", "rows=2", "columns=2", "write=[grid,images,npz]")
    images = torch.from_numpy(array(out / "samples.npz")).permute(0, 3, 1, 2)
    data = build(OmegaConf.load(tmp_path / "run/config.yaml").data, "data", Images)
    rows = {part: {image.numpy().tobytes() for image in getattr(data, part).images} for part in ("train", "test")}
    assert len(images) == 40
    assert all(image.numpy().tobytes() in rows["test"] - rows["train"] for image in images)
    files = sorted((out / "images").iterdir())
    assert np.array_equal(np.stack([pixels(file) for file in files]), images[:, 0].numpy())
    assert np.array_equal(pixels(out / "grid.png"), grid(as_float(images[:4]), 2).permute(1, 2, 0).numpy())
    printed = re.search(r"(\d+) of (\d+) images were copies of training images", capsys.readouterr().out)
    refused, seen = map(int, printed.groups())
    assert seen - refused == 40 and 0.3 < refused / seen < 0.7


def test_refuse_copies_writes_the_same_first_images_at_any_n(sample, copycat):
    command = copycat(0.5)
    five, nine = (sample(*command, f"n={n}", "write=npz", out=str(n)) / "samples.npz" for n in (5, 9))
    assert np.array_equal(array(five), array(nine)[:5])


def test_refuse_copies_of_a_run_without_copies_changes_nothing(tmp_path, sample, capsys):
    made(tmp_path / "run")
    asked = ("run=run", "n=9", "write=[grid,npz]")
    plain, filtered = sample(*asked, out="plain"), sample(*asked, "refuse_copies=true", out="filtered")
    assert "0 of 9 images were copies" in capsys.readouterr().out
    for name in ("grid.png", "samples.npz"):
        assert (plain / name).read_bytes() == (filtered / name).read_bytes()


def test_refuse_copies_ends_with_an_error_if_all_images_are_copies(sample, copycat, capsys):
    out = sample(*copycat(1.0), "n=4", "write=npz", status=78)
    error = capsys.readouterr().err
    assert "refuse_copies=true: 1,280" in error
    assert list(out.glob("*")) == []


def test_refuse_copies_is_refused_for_points_in_the_plane(tmp_path, sample, capsys):
    made(tmp_path / "run", "data.train=64", "data.validation=8", "data.test=8", data="ring", shape=(2, 1, 1))
    sample("run=run", "refuse_copies=true", status=78)
    assert "refuse_copies=true: run draws points" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("", "which run? Type run=outputs/RUN"),
        ("run=", "run=: the path is empty"),
        ("run=nowhere", "run=nowhere: no run there; looked in"),
        ("run", "run names no key: type run=run"),
        ("run=x wieghts=raw", "wieghts (did you mean weights?)"),
        ("run=x resume=x", "unknown key resume"),
        ("run=x data=mnist", "unknown key data"),
        ("run=x write=[gird]", "write=['gird']: expected some of grid"),
        ("run=x write=[]", "write=[]: expected some of"),
        ("run=x weights=both", "weights=both: expected ema or raw"),
        ("run=x checkpoint=last", "checkpoint=last: expected newest or best"),
        ("run=x n=0", "n must be at least 1, got 0"),
        ("run=x n=many", "n: Value 'many'"),
        ("run=x steps=1", "steps=1: expected 2 or more"),
        ("run=x reach=0", "reach=0: expected a finite number > 0"),
        ("run=x truncation=-1", "truncation=-1: expected a finite number >= 0"),
        ("run=x truncations=[]", "truncations=[]: expected one or more"),
        ("run=x refuse_copies=true write=[grid,sweep]", "write=sweep: refuse_copies=true applies to grid, images, npz"),
    ],
)
def test_bad_input_is_refused_in_words(sample, capsys, overrides, message):
    sample(*overrides.split(), status=78)
    assert message in capsys.readouterr().err


def test_a_wrong_name_is_answered_without_torch_which_takes_seconds_to_import():
    program = "import sys; from regen.cli import sample; print({'torch', 'lightning', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_latents_of_a_run_are_the_latents_sampled_by_the_model():
    own = Latents(3, 7, "samples")
    blocks = torch.cat([Draws(7, "samples", block).normal(512, 3) for block in range(3)])
    assert torch.equal(own(0, 1100), blocks[:1100]) and torch.equal(own(500, 30), blocks[500:530])
    assert not torch.equal(own(0, 5), Latents(3, 7, "drawn")(0, 5))


def test_midpoint_of_orthogonal_latents_is_the_mean_times_root_two():
    one, other = torch.tensor([[2.0, 0, 0]]), torch.tensor([[0, 2.0, 0]])
    assert torch.allclose(slerp(one, other, 0.5), (one + other) / math.sqrt(2))


def test_a_third_of_the_way_is_a_third_of_the_angle_at_the_same_length():
    z = Draws("slerp").normal(2, 5, 16)
    one, other = z / z.norm(dim=2, keepdim=True)
    angle = (one * other).sum(1).arccos()
    between = slerp(one, other, 1 / 3)
    assert torch.allclose((one * between).sum(1).arccos(), angle / 3, atol=1e-5)
    assert torch.allclose(between.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0])
def test_latents_on_a_line_are_joined_by_that_line(factor):
    one = Draws("line").normal(2, 4)
    assert torch.allclose(slerp(one, factor * one, 0.25), torch.lerp(one, factor * one, 0.25), atol=1e-6)


def test_each_row_of_an_interpolation_begins_at_the_end_of_the_row_above():
    stations = Latents(6, "stations")(0, 4)
    rows = paths(stations, 5).view(3, 5, 6)
    assert torch.allclose(rows[:, 0], stations[:-1], atol=1e-6) and torch.allclose(rows[:, -1], stations[1:], atol=1e-6)


@pytest.mark.parametrize("channels", MODES)
def test_png_files_hold_the_pixels_and_nothing_else_is_left(tmp_path, channels):
    images = torch.arange(5 * 4 * 3 * channels, dtype=torch.uint8).view(5, 4, 3, channels)
    with PngFolder(tmp_path / "images", 5) as folder:
        folder.add(0, images[:3])
        folder.add(3, images[3:])
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"00000{i}.png" for i in range(5)]
    for number, image in enumerate(images):
        assert np.array_equal(pixels(tmp_path / f"images/00000{number}.png").reshape(4, 3, channels), image)


def test_images_of_an_earlier_command_are_not_mixed_with_new_images(tmp_path):
    (tmp_path / "000002.png").touch()
    PngFolder(tmp_path, 3)
    with pytest.raises(ConfigError, match=r"holds 000002\.png and 0 other images"):
        PngFolder(tmp_path, 2)


def test_a_file_that_cannot_be_written_ends_the_drawing(tmp_path):
    (tmp_path / "000001.png").mkdir()
    with pytest.raises(OSError, match="000001"), PngFolder(tmp_path, 2) as folder:
        folder.add(0, torch.zeros(2, 4, 4, 1, dtype=torch.uint8))


def test_an_archive_is_whole_or_not_there(tmp_path):
    with pytest.raises(KeyboardInterrupt), Npz(tmp_path / "samples.npz", (2, 3), "float32"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with Npz(tmp_path / "samples.npz", (2, 3), "float32") as archive:
        archive.add(0, torch.ones(1, 3))
        archive.add(1, torch.zeros(1, 3))
    assert array(tmp_path / "samples.npz").tolist() == [[1, 1, 1], [0, 0, 0]]
    assert [path.name for path in tmp_path.iterdir()] == ["samples.npz"]
