"""Features of real images are computed once; whatever they depend on is in their key."""

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from regen.data.images import Images
from regen.data.mixtures import grid
from regen.data.split import Files, Split
from regen.metrics import reference_features
from regen.metrics.features.plane import Plane
from regen.metrics.image_set import ImageSet
from regen.metrics.reference_features import Reference, reference
from regen.utils.randomness import Draws, seeded


class Counting(nn.Module):
    """Two features of an image, and how many images have been shown."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain, self.shown = gain, []
        self.register_buffer("shift", torch.zeros(2), persistent=False)
        with seeded("counting"):
            self.linear = nn.Linear(16, 2)

    def forward(self, images):
        self.shown.append(len(images))
        return self.gain * self.linear(images.flatten(1)) + self.shift


def data_of(n: int = 20, name: str = "noise") -> Images:
    part = Split((Draws("noise").uniform(n, 1, 4, 4) * 256).to(torch.uint8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name=name, full_train=part, train=part, validation=part.take(torch.arange(9)), test=part, **use)


@pytest.fixture
def key(tmp_path):
    """key(net, data) of the features of its training images."""
    return lambda net=None, data=None: reference(data or data_of(), "train", net or Counting(), tmp_path).path.name


def test_features_are_computed_once_and_equal_direct_features(tmp_path):
    first, second = Counting(), Counting()
    features = reference(data_of(), "train", first, tmp_path).features
    again = reference(data_of(), "train", second, tmp_path).features
    assert features.equal(again)
    assert features.equal(ImageSet(data_of().train, Counting()).features)
    assert (first.shown, second.shown) == ([20], [reference_features.CHECKED])
    (file,) = tmp_path.glob("references/*.pt")
    assert file.name.startswith("noise-train-")


def test_requested_features_are_computed_alone_unless_all_are_known(tmp_path):
    net, some = Counting(), torch.tensor([7, 3, 12])
    taken = reference(data_of(), "train", net, tmp_path).take(some)
    alone = taken.features
    assert net.shown == [3]
    everyone = reference(data_of(), "train", net, tmp_path)
    assert everyone.features[some].allclose(alone)
    assert everyone.take(some).features.equal(everyone.features[some])
    assert net.shown == [3, 20]


def test_the_key_is_the_same_for_the_same(key):
    assert key() == key()


def test_key_changes_with_images_order_shape_and_part(key, tmp_path):
    data = data_of()
    pixels = data.train.images.clone()
    pixels[19, 0, 3, 3] ^= 1
    other = [pixels, data.train.images.flip(0), data.train.images.view(20, 1, 2, 8), data.train.images[:19]]
    keys = {key(data=replace(data, train=Split(images))) for images in other}
    keys |= {key(), key(data=data_of(name="other")), reference(data, "test", Counting(), tmp_path).path.name}
    assert len(keys) == 7


@pytest.mark.parametrize("name", ["linear.weight", "linear.bias", "shift"])
def test_the_key_changes_with_every_weight_and_buffer(key, name):
    net = Counting()
    owner, _, attribute = name.rpartition(".")
    with torch.no_grad():
        getattr(net.get_submodule(owner), attribute).view(-1)[-1] += 1e-6
    assert key(net) != key()


def test_key_changes_with_class_and_plain_attributes(key):
    class Other(Counting):
        pass

    assert len({key(), key(Other()), key(Counting(gain=1.001)), key(nn.Sequential(Counting()))}) == 4


def test_the_key_changes_with_the_file_in_which_the_class_stands(key, tmp_path, monkeypatch):
    def net(code: str) -> nn.Module:
        file = tmp_path / "mine.py"
        file.write_text(f"from torch import nn\nclass Net(nn.Flatten):\n    def forward(self, x):\n        {code}\n")
        spec = importlib.util.spec_from_file_location("mine", file)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "mine", module)
        spec.loader.exec_module(module)
        made = module.Net()
        made.weight = nn.Parameter(torch.ones(1))
        return made

    codes = ["return x.flatten(1)", "return x.flatten(1)", "return 2 * x.flatten(1)"]
    same, again, doubled = (key(net(code)) for code in codes)
    assert same == again != doubled


def test_changes_missed_by_the_key_are_detected_by_recomputing_a_few(tmp_path, caplog):
    reference(data_of(), "train", Counting(), tmp_path).features  # noqa: B018
    net = Counting()
    net.gain = torch.nn.functional.relu  # no plain attribute: represents code in another file
    net.forward = lambda images: net.gain(net.linear(images.flatten(1)))
    (file,) = tmp_path.glob("references/*.pt")
    changed = reference(data_of(), "train", net, tmp_path)
    file.rename(changed.path)
    assert changed.features.equal(ImageSet(data_of().train, net).features)
    assert "something else: computing" in caplog.text


def test_images_in_files_are_identified_by_name_size_and_time(key, tmp_path):
    paths = [tmp_path / f"{i}.bmp" for i in range(4)]
    for i, path in enumerate(paths):
        Image.new("L", (4, 4), 60 * i).save(path)
    files = Files(paths, None, 4, 1)
    data = replace(data_of(), train=files)
    before = key(data=data)
    assert key(data=data) == before
    Image.new("L", (4, 4), 99).save(paths[0])  # of the same size
    os.utime(paths[0], ns=(0, 0))
    assert key(data=data) != before
    seen = reference(data, "train", Counting(), tmp_path)
    assert isinstance(seen, Reference)
    assert seen.features.equal(ImageSet(files, Counting()).features)


def test_points_in_the_plane_are_not_worth_keeping(tmp_path):
    use = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    data = grid(train=50, validation=20, test=20, **use)
    seen = reference(data, "validation", Plane(data.scale), tmp_path)
    assert seen.features.equal(data.to_plane(data.validation.images))
    assert not [*tmp_path.iterdir()]


def test_least_recently_used_features_are_removed(tmp_path, monkeypatch):
    data = data_of()
    for part in ("train", "validation"):
        reference(data, part, Counting(), tmp_path).features  # noqa: B018
    folder = tmp_path / "references"
    for age, file in enumerate(sorted(folder.glob("*.pt"))):
        os.utime(file, ns=(age, age))  # train, then validation
    monkeypatch.setattr(reference_features, "MOST", 2 * max(file.stat().st_size for file in folder.glob("*.pt")))
    reference(data, "train", Counting(), tmp_path).features  # noqa: B018
    reference(data, "test", Counting(), tmp_path).features  # noqa: B018
    assert {file.name.split("-")[1] for file in folder.glob("*.pt")} == {"train", "test"}


def test_a_folder_that_cannot_be_written_fails_nothing(tmp_path, caplog):
    (tmp_path / "file").touch()
    cache = Path(tmp_path / "file" / "cache")
    for part in ("train", "validation"):
        assert reference(data_of(), part, Counting(), cache).features.isfinite().all()
    assert caplog.text.count("cannot be written") == 1
