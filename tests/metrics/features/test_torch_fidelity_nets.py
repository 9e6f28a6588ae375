"""CLIP's and DINOv2's features from files of weights; the weights are random, since the published ones are a download."""

import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from regen.data.images import Images
from regen.data.split import Split, as_float
from regen.errors import ConfigError
from regen.metrics.features import CLIP, DINOv2, dinov2
from regen.metrics.features.dinov2 import VisionTransformer
from regen.utils.randomness import Draws, seeded

pytest.importorskip("torch_fidelity")

SOURCES = {"clip": CLIP, "dinov2": DINOv2}
ADDRESSES = {
    "clip": "https://openaipublic.azureedge.net/clip/models/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/"
    "ViT-B-32.pt",
    "dinov2": "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
}
FILES = {
    "clip": "clip-vit-b-32-40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af.pt",
    "dinov2": "dinov2_vitl14_pretrain.pth",
}


@pytest.fixture
def data() -> Images:
    part = Split((Draws("noise").uniform(3, 1, 16, 16) * 256).to(torch.uint8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="noise", full_train=part, train=part, validation=part, test=part, **use)


@pytest.fixture
def clip_file(tmp_path) -> Path:
    """A tiny CLIP with random weights, as a state_dict."""
    from torch_fidelity.feature_extractor_clip import CLIPVisual

    with seeded("clip"):
        weights = CLIPVisual(24, 64, 1, 64, 32).state_dict()
    torch.save(weights | {"text_projection": torch.zeros(8, 24)}, tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


def test_clip_from_a_file_of_weights_has_embeddings_as_features(data, clip_file, tmp_path, caplog):
    net = CLIP(weights=str(clip_file)).load(data, tmp_path, "cpu")
    features = net(as_float(data.train.images))
    assert features.shape == (3, 24)
    assert features.std(0).min() > 0
    assert not hasattr(net, "classify")
    assert "is not the published file" in caplog.text


def test_dinov2_from_a_file_of_weights_has_the_class_token_as_features(data, tmp_path, monkeypatch):
    monkeypatch.setitem(dinov2.SIZES, "dinov2-vit-s-14", dinov2.Size("dinov2_vits14", 16, 2, 2))
    with seeded("dinov2"):
        torch.save(VisionTransformer(16, 2, 2).state_dict(), tmp_path / "dinov2.pth")
    net = DINOv2("dinov2-vit-s-14", str(tmp_path / "dinov2.pth")).load(data, tmp_path, "cpu")
    features = net(as_float(data.train.images))
    assert features.shape == (3, 16)
    assert features.std(0).min() > 0
    assert not hasattr(net, "classify")


def test_position_embeddings_are_unchanged_at_518_pixels():
    with seeded("positions"):
        network = VisionTransformer(4, 1, 1)
        nn.init.normal_(network.pos_embed)
    assert network._positions(torch.Size((37, 37))) is network.pos_embed
    positions = network._positions(torch.Size((16, 16)))
    assert positions.shape == (1, 257, 4)
    assert positions[:, 0].equal(network.pos_embed[:, 0])


@pytest.mark.parametrize("option", SOURCES)
def test_missing_file_is_an_error_with_the_address_and_the_override_to_type(option, data, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ConfigError) as error:
        SOURCES[option]().load(data, tmp_path, "cpu")
    for text in (
        f"no file {tmp_path}/hub/checkpoints/{FILES[option]}",
        f"fetch {ADDRESSES[option]}",
        "metrics.features.weights=FILE",
        "metrics/features=imagenet",
    ):
        assert text in str(error.value)


@pytest.mark.parametrize("option", SOURCES)
def test_weights_of_another_network_are_refused(option, data, tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"other.pth does not hold (the )?weights of"):
        SOURCES[option](weights=str(tmp_path / "other.pth")).load(data, tmp_path, "cpu")


def test_clip_opens_only_the_published_torchscript_archive(data, tmp_path):
    path = tmp_path / "archive.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
        archive.writestr("archive/constants.pkl", b"")
    with pytest.raises(ConfigError, match=r"archive.pt is a TorchScript archive, .* and not the published one"):
        CLIP(weights=str(path)).load(data, tmp_path, "cpu")


@pytest.mark.parametrize("option", SOURCES)
def test_unknown_models_are_answered_with_the_known_models(option, data, tmp_path):
    with pytest.raises(ConfigError, match=rf"metrics.features.model=other: expected one of {option}-"):
        SOURCES[option]("other").load(data, tmp_path, "cpu")


@pytest.mark.parametrize("option", SOURCES)
def test_figures_are_named_after_the_features(option):
    names = {name: figure.name for name, figure in SOURCES[option].renames.items()}
    assert names == {"fd": f"fd_{option}", "kd": f"kd_{option}"}


@pytest.mark.parametrize("option", SOURCES)
def test_missing_torch_fidelity_is_an_error_with_the_command_to_install(option, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"pip install 'regen\[eval\]'"):
        SOURCES[option]().load(data, tmp_path, "cpu")
