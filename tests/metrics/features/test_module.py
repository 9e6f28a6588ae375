"""A net of one's own: what it may be, and what is said when it is not."""

import pytest
import torch
from torch import nn

from regen.data.images import Images
from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.features import Module
from regen.utils.randomness import Draws, seeded


def noise(channels: int = 1, n: int = 6) -> Images:
    part = Split((Draws("noise", channels).uniform(n, channels, 8, 8) * 256).to(torch.uint8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="noise", full_train=part, train=part, validation=part, test=part, **use)


class Of(nn.Module):
    """The net that is this function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, images):
        return self.function(images)


def small_net() -> nn.Module:
    with seeded("small"):
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5)).eval()


def test_feature_net_is_frozen_and_the_outputs_are_the_features(tmp_path):
    images = Draws("images").uniform(3, 1, 8, 8) * 2 - 1
    net = Module(net=small_net().train()).load(noise(), tmp_path, "cpu")
    assert net(images).equal(small_net()(images))
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_an_exported_program_has_the_features_of_the_net_that_was_exported(tmp_path):
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(small_net(), (torch.zeros(2, 1, 8, 8),), dynamic_shapes=dynamic)
    torch.export.save(program, tmp_path / "net.pt2")
    net = Module(path=str(tmp_path / "net.pt2")).load(noise(), tmp_path, "cpu")
    for batch in (1, 5):
        images = Draws("images").uniform(batch, 1, 8, 8) * 2 - 1
        torch.testing.assert_close(net(images), small_net()(images))


def test_program_for_batches_of_a_fixed_size_is_refused(tmp_path):
    torch.export.save(torch.export.export(small_net(), (torch.zeros(2, 1, 8, 8),)), tmp_path / "net.pt2")
    with pytest.raises(ConfigError, match=r"on 2 and on 1 images of shape \(1, 8, 8\) it failed: .*size\(\)\[0\] == 2"):
        Module(path=str(tmp_path / "net.pt2")).load(noise(), tmp_path, "cpu")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda images: images, r"it made \(2, 1, 8, 8\): flatten"),
        (lambda images: images.flatten(1)[:, :0], r"it made \(2, 0\)"),
        (lambda images: images.mean(), r"it made \(\)"),
        (lambda images: (images,), "it made tuple"),
        (lambda images: images.flatten(1) * torch.inf, "finite features .* are not: "),
        (lambda images: images.flatten(1).long(), "finite features .* are not: "),
        (lambda images: images.flatten(1) - images.mean(), "other images of the batch"),
        (lambda images: nn.Linear(3, 3)(images), r"on 2 and on 1 images of shape \(1, 8, 8\) it failed: "),
    ],
    ids=["images", "none", "number", "tuple", "infinite", "integer", "batch", "fails"],
)
def test_invalid_feature_nets_are_refused(tmp_path, function, said):
    with pytest.raises(ConfigError, match=said):
        Module(net=Of(function)).load(noise(), tmp_path, "cpu")


def test_feature_source_accepts_a_net_or_a_file(tmp_path):
    with pytest.raises(ConfigError, match="got neither"):
        Module()
    with pytest.raises(ConfigError, match="got both"):
        Module(net=small_net(), path="net.pt2")
    with pytest.raises(ConfigError, match=r"net is a dict: expected a torch.nn.Module"):
        Module(net={})
    with pytest.raises(ConfigError, match=r"path=nowhere.pt2: no file .*nowhere.pt2"):
        Module(path="nowhere.pt2").load(noise(), tmp_path, "cpu")
    (tmp_path / "text.pt2").write_text("no program")
    with pytest.raises(ConfigError, match=r"text\.pt2 is not a torch\.export program"):
        Module(path=str(tmp_path / "text.pt2")).load(noise(), tmp_path, "cpu")
