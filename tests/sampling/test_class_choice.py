"""python src/sample.py label=… of conditional runs: the classes of images, grids, arcs and sweeps."""

import numpy as np
import pytest
import torch
from helpers.commands import type_in
from helpers.untrained_runs import made

import regen
from regen.cli import sample
from regen.errors import ConfigError
from regen.models.latents import Latents
from regen.runs.class_names import to_label
from regen.runs.load import open_run
from regen.sampling.class_choice import ClassChoice

CLASSES = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A conditional run, and its model."""
    folder = tmp_path_factory.mktemp("runs") / "conditional"
    return folder, made(folder, "model.conditional=true", n_classes=CLASSES)


def drawn(run, monkeypatch, tmp_path, *words: str) -> torch.Tensor:
    """The images of samples.npz as samples (N, C, H, W)."""
    type_in(monkeypatch, sample, f"run={run[0]}", f"out={tmp_path}", "write=[npz]", *words)
    with np.load(tmp_path / "samples.npz") as archive:
        return torch.from_numpy(archive["arr_0"]).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def assert_close(images: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(images, expected, rtol=0, atol=1 / 127.5)  # rounded to 8 bits


def test_samples_of_a_label_are_of_this_class(run, monkeypatch, tmp_path):
    images = drawn(run, monkeypatch, tmp_path, "label=2", "n=5")
    assert_close(images, run[1].sample(0, 5, torch.full((5,), 2)))


def test_samples_without_a_label_are_the_numbered_samples_of_the_model(run, monkeypatch, tmp_path):
    assert_close(drawn(run, monkeypatch, tmp_path, "n=6"), run[1].sample(0, 6))


def test_samples_of_all_labels_have_a_class_in_each_row_of_the_grid(run, monkeypatch, tmp_path):
    images = drawn(run, monkeypatch, tmp_path, "label=all", "columns=4")
    assert_close(images, run[1].sample(0, 12, torch.arange(CLASSES).repeat_interleave(4)))


def test_truncation_changes_no_class(run):
    choice, latents = ClassChoice(None, run[1], columns=8), Latents(run[1].latent_size, "latents")(0, 50)
    whole, truncated = choice.codes(0, latents), choice.codes(0, latents, truncation=0.5)
    assert torch.equal(whole[:, -CLASSES:], truncated[:, -CLASSES:]) and torch.equal(whole[:, :8] / 2, truncated[:, :8])


def test_arcs_with_a_label_stay_in_the_class(run):
    codes = ClassChoice(1, run[1], columns=8).interpolated(Latents(run[1].latent_size, "latents")(0, 3), 1.0, steps=4)
    assert codes[:, -CLASSES:].unique(dim=0).tolist() == [[0, 1, 0]] and len(codes[:, :8].unique(dim=0)) > 4


def test_arcs_with_all_labels_lead_from_class_to_class_at_one_latent(run):
    latents = Latents(run[1].latent_size, "latents")(0, 3)
    codes = ClassChoice("all", run[1], columns=8).interpolated(latents, 1.0, steps=3)
    torch.testing.assert_close(codes[:, :8], latents[:1, :8].expand(6, 8))
    assert codes[:3, -CLASSES:].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]]


@pytest.mark.parametrize("what", ["interpolation", "sweep", "directions", "grid"])
def test_pictures_of_all_classes_are_written(run, monkeypatch, tmp_path, what):
    type_in(monkeypatch, sample, f"run={run[0]}", f"out={tmp_path}", f"write=[{what}]", "label=all")
    assert (tmp_path / f"{what}.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("label=3",), "label=3: expected a class from 0 to 2, or all"),
        (("label=true",), "label=True: expected a class from 0 to 2, or all"),
        (("label=cat",), "label=cat: expected a class from 0 to 2, or all"),
        (("label=all", "refuse_copies=true"), "without copies a grid would not show a class in each row"),
    ],
)
def test_a_label_that_cannot_be_drawn_is_refused(run, monkeypatch, tmp_path, capsys, words, reason):
    type_in(monkeypatch, sample, f"run={run[0]}", f"out={tmp_path}", *words, status=78)
    assert reason in capsys.readouterr().err


def test_a_label_of_a_run_without_classes_is_refused(monkeypatch, tmp_path, capsys):
    made(tmp_path / "plain")
    type_in(monkeypatch, sample, f"run={tmp_path}/plain", "label=1", status=78)
    assert "label=1: the run generates without classes" in capsys.readouterr().err


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """A conditional run of data whose classes have names."""
    folder = tmp_path_factory.mktemp("animals") / "run"
    model = made(folder, "model.conditional=true", n_classes=CLASSES)
    config = folder / "config.yaml"
    config.write_text(config.read_text() + "\ndataset:\n  classes: [bird, cat, great dane]\n")
    return folder, model


def test_samples_of_a_class_are_asked_for_by_name(animals, monkeypatch, tmp_path):
    images = drawn(animals, monkeypatch, tmp_path, "label='great dane'", "n=5")
    assert_close(images, animals[1].sample(0, 5, torch.full((5,), 2)))
    torch.testing.assert_close(
        regen.load(animals[0]).sample(5, label="cat"), animals[1].sample(0, 5, torch.ones(5).long())
    )


def test_an_unknown_name_of_a_class_is_answered_with_the_names(animals, monkeypatch, tmp_path, capsys):
    type_in(monkeypatch, sample, f"run={animals[0]}", f"out={tmp_path}", "label=dog", status=78)
    assert "label=dog: expected a class from 0 to 2, one of bird, cat, great dane, or all" in capsys.readouterr().err


def test_a_number_that_is_the_name_of_another_class_is_refused(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "numbered"
    model = made(folder, "model.conditional=true", n_classes=CLASSES)
    config = folder / "config.yaml"
    config.write_text(config.read_text() + "\ndataset:\n  classes: ['1', '10', '2']\n")
    type_in(monkeypatch, sample, f"run={folder}", f"out={tmp_path}/second", "label=2", "n=5")
    with pytest.raises(
        ConfigError, match="label=1: class 1, counted from 0, has the name 10, and another one the name 1"
    ):
        regen.load(folder).sample(5, label=1)
    images = drawn((folder, model), monkeypatch, tmp_path, "label='1'", "n=5")
    assert_close(images, model.sample(0, 5, torch.zeros(5).long()))


@pytest.mark.parametrize(
    ("label", "names", "number"),
    [
        (np.int64(1), ["0", "1"], 1),
        (torch.tensor(1), ["cat", "dog"], 1),
        (20, ["10", "20"], 1),  # no number of a class, but a name
        (1.5, ["1", "1.5"], 1),
        (True, ["false", "true"], 1),
        (0, ["0", "1"], 0),
    ],
)
def test_a_label_is_the_number_of_a_class_or_else_a_name(label, names, number):
    assert to_label(label, names) == number


@pytest.mark.parametrize("classes", ["[null, b, c]", "[b, b, c]", "[b, c]", "[a, b, c, d]"])
def test_names_that_do_not_fit_the_model_are_numbers(tmp_path, classes):
    folder = tmp_path / "foreign"
    made(folder, "model.conditional=true", n_classes=CLASSES)
    config = folder / "config.yaml"
    config.write_text(config.read_text() + f"\ndataset:\n  classes: {classes}\n")
    assert open_run(folder).class_names == ["0", "1", "2"]
