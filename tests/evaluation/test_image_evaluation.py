"""python src/judge.py: figures of images that come without a model."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.commands import type_in
from PIL import Image

from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.generalization import generalization
from regen.runs.load import open_run
from regen.utils.json_files import read_json

FAST = ("metrics=[kernel,memorization]", "report=false")


@pytest.fixture
def judge(tmp_path: Path, features: Path, monkeypatch: pytest.MonkeyPatch):
    """judge(*overrides, out="judged", status=None) types the command in the test's folder; the folder of its files."""
    from regen.cli import judge as script

    def typed(*overrides: str, out: str = "judged", status: int | None = None) -> Path:
        monkeypatch.chdir(tmp_path)
        type_in(monkeypatch, script, "threads=1", f"cache={features}", f"out={out}", *overrides, status=status)
        return tmp_path / out

    return typed


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch):
    """sample(*overrides) types python src/sample.py."""
    from regen.cli import sample as script

    return lambda *overrides: type_in(monkeypatch, script, *overrides)


def photos(n: int, seed: int = 0, channels: int = 3, side: int = 8) -> np.ndarray:
    """(n, side, side, channels) uint8: smooth random images, or (n, side, side) for one channel."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (n, channels, 4, 4))).float()
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").byte().permute(0, 2, 3, 1).numpy()
    return images if channels == 3 else images[..., 0]


def write_png(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"{number:04d}.png")
    return folder


def write_npz(path: Path, images: np.ndarray, **arrays: np.ndarray) -> Path:
    np.savez(path, images, **arrays)
    return path


def export(path: Path, part: Split) -> Path:
    """A part of a run's data with its labels, as an archive."""
    labels = {} if part.labels is None else {"labels": part.labels.numpy()}
    return write_npz(path, part.images.permute(0, 2, 3, 1).numpy(), **labels)


def check_figures(judged: Path, run: Path) -> None:
    """All figures that both have agree to 1e-6; those that judge.py lacks need a discriminator."""
    figures, expected = (read_json(path / "result.json")["figures"] for path in (judged, run))
    lacking = {name for name in expected if name not in figures}
    assert lacking == {"train/score", "val/score", "fake/score", "gap/auc", "gap/auc_se"}
    for name in expected.keys() - lacking:
        assert float(figures[name]) == pytest.approx(float(expected[name]), rel=1e-6, abs=1e-6, nan_ok=True), name


def test_images_written_by_sample_have_the_figures_of_the_run(tmp_path, train, sample, judge):
    write_png(tmp_path / "photos", photos(120))
    run = train(
        "data=folder",
        f"data.root={tmp_path / 'photos'}",
        "max_iterations=2",
        "evaluation_samples=40",
        "data.batch_size=8",
    )
    sample(f"run={run}", "n=40", "batch=40", "write=[npz,images]", f"out={tmp_path / 'drawn'}")
    data = open_run(run).data
    inputs = (
        f"train={export(tmp_path / 'train.npz', data.train)}",
        f"held_out={export(tmp_path / 'val.npz', data.validation)}",
    )
    check_figures(judge("samples=drawn/samples.npz", *inputs, "report=false"), run)
    held_out = write_png(tmp_path / "val", data.validation.images.permute(0, 2, 3, 1).numpy())
    check_figures(judge("samples=drawn/images", inputs[0], f"held_out={held_out}", "report=false"), run)


def test_labelled_archives_of_digits_have_the_figures_of_the_run_in_own_features(tmp_path, train, sample, judge):
    run = train("max_iterations=2", "evaluation_samples=60")
    sample(f"run={run}", "n=60", "batch=60", "write=npz", f"out={tmp_path / 'drawn'}")
    data = open_run(run).data
    inputs = (
        f"train={export(tmp_path / 'train.npz', data.train)}",
        f"held_out={export(tmp_path / 'val.npz', data.validation)}",
    )
    judged = judge("samples=drawn/samples.npz", *inputs, "name=digits", "report=false")
    check_figures(judged, run)
    assert read_json(judged / "result.json")["settings"]["features"] == "Own"
    assert read_json(judged / "result.json")["settings"]["classes"] == [str(i) for i in range(10)]


def test_result_holds_inputs_settings_and_diagnosis(tmp_path, judge, capsys):
    write_png(tmp_path / "samples", photos(20, 1))
    write_png(tmp_path / "train", photos(30, 2))
    write_npz(tmp_path / "held_out.npz", photos(12, 3))
    out = judge("samples=samples", "train=train", "held_out=held_out.npz", "feature_samples=15")
    result = read_json(out / "result.json")
    assert result["status"] == "judged" and result["name"] == "train" and result["diagnosis"]["kind"]
    assert {key: facts["images"] for key, facts in result["inputs"].items()} == {
        "samples": 20,
        "train": 30,
        "held_out": 12,
    }
    assert result["inputs"]["held_out"]["path"] == str(tmp_path / "held_out.npz")
    settings = {"image_size": [8, 8], "channels": 3, "classes": None, "features": "ImageNet", "feature_samples": 15}
    settings |= {"window": [0, 255], "background": [255, 255, 255]}
    assert result["settings"] == settings
    assert result["command"][0] == "judge.py" and result["commit"]
    with open(out / "figures.csv", newline="") as file:
        rows = {row["figure"]: float(row["value"]) for row in csv.DictReader(file)}
    assert rows == {name: float(value) for name, value in result["figures"].items()} or any(
        map(math.isnan, rows.values())
    )
    assert "<html" in (out / "report.html").read_text()
    printed = capsys.readouterr().out
    assert "colour images of 8 x 8 pixels" in printed and "first 15 samples" in printed
    assert result["diagnosis"]["sentence"].split()[0] in printed
    for name in ("report.html", "figures.csv", "result.json"):
        assert f"judged/{name}" in printed


def test_report_leaves_out_the_sections_of_a_run(tmp_path, judge):
    write_png(tmp_path / "train", photos(30, 2))
    out = judge("samples=train", "train=train", "held_out=train", "metrics=[kernel,memorization]")
    page = (out / "report.html").read_text()
    assert "it could not be made" not in page and "has no attribute" not in page
    for section in ("samples", "neighbours"):
        assert f'<section id="{section}">' in page


def test_memorization_is_measured_on_all_samples(tmp_path, judge):
    train = photos(40, 2)
    write_npz(tmp_path / "train.npz", train)
    write_npz(tmp_path / "held_out.npz", photos(40, 3))
    write_npz(tmp_path / "samples.npz", np.concatenate([photos(20, 4), train[:20]]))
    inputs = "samples=samples.npz", "train=train.npz", "held_out=held_out.npz"
    figures = read_json(judge(*inputs, *FAST, "feature_samples=20") / "result.json")["figures"]
    assert figures["fake/copies"] == 0.5
    figures = {name: float(value) for name, value in figures.items()}
    expected = generalization(figures, "val")["val/generalization"]
    assert figures["val/generalization"] == pytest.approx(expected, nan_ok=True)


def test_copies_of_training_images_are_diagnosed_as_memorized(tmp_path, judge, capsys):
    train = photos(200, 2)
    write_npz(tmp_path / "train.npz", train)
    write_npz(tmp_path / "held_out.npz", photos(60, 3))
    write_npz(tmp_path / "samples.npz", train[:60])
    out = judge("samples=samples.npz", "train=train.npz", "held_out=held_out.npz", *FAST)
    assert read_json(out / "result.json")["diagnosis"]["kind"] == "memorizes"
    assert "Memorizes: 100% of the samples are copies" in " ".join(capsys.readouterr().out.split())


def test_class_subfolders_are_labels_if_training_and_held_out_images_have_the_same(tmp_path, judge):
    for part, classes in {"train": "ab", "held_out": "ab", "other": "ac"}.items():
        for seed, name in enumerate(classes):
            write_png(tmp_path / part / name, photos(12, seed))
    for held_out, classes in {"held_out": ["a", "b"], "other": None}.items():
        out = judge("samples=train/a", "train=train", f"held_out={held_out}", *FAST)
        assert read_json(out / "result.json")["settings"]["classes"] == classes


def test_images_sorted_by_class_are_put_in_another_order(tmp_path):
    from regen.data.compared_inputs import open_images
    from regen.evaluation.compared_images import load

    labels = np.repeat([0, 1], 20)
    for name in ("samples", "train", "held_out"):
        write_npz(tmp_path / f"{name}.npz", np.full((40, 8, 8), labels[:, None, None], dtype=np.uint8), labels=labels)
    inputs = [open_images(key, str(tmp_path / f"{key}.npz")) for key in ("samples", "train", "held_out")]
    samples, data = load(inputs, None, None)
    for split in (samples, data.train, data.validation):
        assert 4 < split.images[:20].float().mean() * 20 < 16
    assert torch.equal(data.train.images[:, 0, 0, 0].long(), data.train.labels)


def test_folders_are_resized_to_the_samples_with_a_note(tmp_path, judge, capsys):
    write_png(tmp_path / "samples", photos(12, 1))
    for part in ("train", "held_out"):
        write_png(tmp_path / part, photos(12, 2, side=16))
    inputs = "samples=samples", "train=train", "held_out=held_out"
    assert read_json(judge(*inputs, *FAST) / "result.json")["settings"]["image_size"] == [8, 8]
    assert "resized to 8 x 8 pixels" in capsys.readouterr().out
    assert read_json(judge(*inputs, *FAST, "image_size=16") / "result.json")["settings"]["image_size"] == [16, 16]


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ("", "Type samples=FOLDER"),
        ("samples=a train=b held_out=", "held_out=: the path is empty"),
        ("samples=nowhere", "samples=nowhere: no such folder or .npz archive. Looked at"),
        ("samples=text.txt", "text.txt (another file)"),
        ("samples=empty", "type samples=/path/to/your/images"),
        ("samples=damaged.npz", "damaged.npz cannot be read as an .npz archive"),
        (
            "samples=floats.npz",
            "samples holds float32, train holds uint8",
        ),
        ("samples=complex.npz", "arr_0 is complex128 of shape (3, 8, 8, 3)"),
        (
            "image_size=[8,0]",
            "image_size=[8, 0]: expected a whole number",
        ),
        ("window=[5,1]", "window=[5, 1]: expected auto"),
        ("background=red", "background=red: expected auto, white, black"),
        ("samples=channels_first.npz", "arr_0 is uint8 of shape (3, 3, 8, 8), expected"),
        ("samples=named.npz", "no array arr_0 but images"),
        ("train=labels.npz", "labels is int64 of shape (2,)"),
        ("train=large.npz", "holds images of 16 x 16 pixels, expected 8 x 8"),
        ("train=large.npz", "type image_size=16"),
        ("image_size=4", "holds images of 8 x 8 pixels, expected 4 x 4"),
        (
            "train=grey.npz",
            "archives are not: type channels=1",
        ),
        ("train=parts", "parts test and train"),
        ("train=one.npz", "has 1 images: expected 2 or more"),
        ("out=run", "out=run is the folder of a run"),
        ("channels=2", "holds images of 3 channels, expected 2"),
        ("channels=0", "channels must be at least 1, got 0"),
        ("feature_samples=0", "feature_samples must be at least 1, got 0"),
        ("feature_samples=2", "kernel needs 3 or more"),
        ("device=gpu", "device=gpu: expected auto or cpu or cuda"),
        ("run=x", "unknown key run"),
        ("sample=x", "unknown key sample (did you mean samples"),
    ],
)
def test_bad_input_is_refused_in_words(tmp_path, judge, capsys, overrides, error):
    write_npz(tmp_path / "good.npz", photos(3))
    write_npz(tmp_path / "floats.npz", photos(3).astype(np.float32))
    write_npz(tmp_path / "complex.npz", photos(3).astype(complex))
    write_npz(tmp_path / "channels_first.npz", photos(3).transpose(0, 3, 1, 2))
    np.savez(tmp_path / "named.npz", images=photos(3))
    write_npz(tmp_path / "labels.npz", photos(3), labels=np.arange(2))
    write_npz(tmp_path / "large.npz", photos(3, side=16))
    write_npz(tmp_path / "grey.npz", photos(3, channels=1))
    write_npz(tmp_path / "one.npz", photos(1))
    (tmp_path / "damaged.npz").write_bytes(b"no archive")
    (tmp_path / "text.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.yaml").touch()
    for part in ("train", "test"):
        write_png(tmp_path / "parts" / part, photos(2))
    given = dict(word.split("=") for word in overrides.split())
    named = dict.fromkeys(("samples", "train", "held_out"), "good.npz") if overrides else {}
    judge(*FAST, *(f"{key}={value}" for key, value in (named | given).items()), status=78)
    assert error in " ".join(capsys.readouterr().err.split())


def test_wide_images_of_any_proportions_and_channels_are_compared_in_a_common_window(tmp_path, judge):
    for seed, name in enumerate(("samples", "train", "held_out")):
        wide = np.random.default_rng(seed).integers(0, 4096, (12, 12, 8, 5)).astype(np.uint16)
        wide[0, 0, 0] = 4095
        write_npz(tmp_path / f"{name}.npz", wide)
    folder = judge(*FAST, "samples=samples.npz", "train=train.npz", "held_out=held_out.npz")
    settings = read_json(folder / "result.json")["settings"]
    assert settings["window"] == [0, 4095] and settings["image_size"] == [12, 8] and settings["channels"] == 5


def test_folders_of_16_bits_keep_the_levels_and_allow_any_proportions(tmp_path):
    from regen.data.compared_inputs import open_images
    from regen.evaluation.compared_images import load

    for seed, name in enumerate(("samples", "train", "held_out")):
        (tmp_path / name).mkdir()
        for number in range(4):
            levels = np.random.default_rng([seed, number]).integers(0, 4096, (12, 8)).astype(np.uint16)
            levels[0, 0] = 4095
            Image.fromarray(levels).save(tmp_path / name / f"{number}.png")
    inputs = [open_images(name, str(tmp_path / name)) for name in ("samples", "train", "held_out")]
    samples, data = load(inputs, [12, 8], None)
    assert samples.shape == data.shape == (1, 12, 8) and data.recorded["window"] == [0, 4095]
    assert len(samples.images.unique()) > 300
    write_npz(tmp_path / "bytes.npz", np.zeros((4, 12, 8), np.uint8))
    inputs[0] = open_images("samples", str(tmp_path / "bytes.npz"))
    with pytest.raises(ConfigError, match=r"samples holds uint8, train holds uint16"):
        load(inputs, [12, 8], None)
