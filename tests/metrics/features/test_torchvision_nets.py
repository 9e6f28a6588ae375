"""torchvision's classifiers against torchvision's own use of them; their weights are made up here."""

import math
from pathlib import Path

import pytest
import torch
from torchvision import models
from torchvision.transforms.functional import to_pil_image

from regen.data.images import Images
from regen.data.split import Split, as_float
from regen.errors import ConfigError
from regen.metrics.features import Torchvision
from regen.metrics.features.torchvision_nets import _cut_off_head, _untrained
from regen.utils.randomness import Draws, generator, seeded

NAME, WEIGHTS = "shufflenet_v2_x0_5", models.ShuffleNet_V2_X0_5_Weights.DEFAULT


def noise(channels: int = 3, size: int = 24) -> Images:
    part = Split((Draws("noise").uniform(2, channels, size, size) * 256).to(torch.uint8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="noise", full_train=part, train=part, validation=part, test=part, **use)


@pytest.fixture(scope="module")
def made_up() -> torch.nn.Module:
    with seeded("made up"):
        net = models.get_model(NAME, weights=None)
    with torch.no_grad():
        for name, parameter in sorted(net.named_parameters()):
            size = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.5
            parameter.add_(torch.randn(parameter.shape, generator=generator(name)) * size)
    return net.eval()


@pytest.fixture
def hub(tmp_path, monkeypatch, made_up) -> Path:
    """torch.hub's folder, as it is once torchvision has downloaded the weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / WEIGHTS.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(made_up.state_dict(), file)
    return file


def test_classifier_of_features_equals_torchvision_classifier(hub, made_up):
    images = noise().train.images
    net = Torchvision(NAME).load(noise(), hub.parent, "cpu")
    features = net(as_float(images))
    assert features.shape == (2, 1024)
    torch.testing.assert_close(net.classify(features), made_up(WEIGHTS.transforms()(images / 255)))


def test_transforms_equal_pillow_up_to_rounding():
    transforms, images = WEIGHTS.transforms(), noise().train.images
    pillow = torch.stack([transforms(to_pil_image(image)) for image in images])
    one_level = 1 / 255 / min(transforms.std)
    torch.testing.assert_close(transforms(images / 255), pillow, atol=1.01 * one_level, rtol=0)


def test_net_sees_images_as_displayed_and_grey_for_values_that_are_not_finite(hub):
    grey = as_float(noise(1).train.images)
    net = Torchvision(NAME, weights=str(hub)).load(noise(1), hub.parent, "cpu")
    colour = grey.repeat(1, 3, 1, 1)
    for same in (colour, colour + 0.9 / 255, colour - 0.9 / 255):  # less than half of a pixel's 256 steps, 2 / 255 each
        assert net(grey).equal(net(same))
    broken = grey.clone()
    broken[1, 0, 3, 3] = math.nan
    assert net(broken)[0].equal(net(grey)[0])
    assert net(broken)[1].isnan().all()


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "densenet121", "googlenet"])
def test_features_are_the_input_of_the_last_linear_layer(name):
    net = _untrained(name)
    head = _cut_off_head(net, name)
    with torch.no_grad():
        assert net.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, head.in_features)
    assert head.out_features == 1000


def test_names_and_files_that_do_not_exist_are_answered(hub):
    load = lambda *chosen: Torchvision(*chosen).load(noise(), hub.parent, "cpu")  # noqa: E731
    with pytest.raises(ConfigError, match="did you mean resnet18"):
        load("ResNet-18")
    with pytest.raises(ConfigError, match="squeezenet1_1 does not end in a linear layer"):
        _cut_off_head(_untrained("squeezenet1_1"), "squeezenet1_1")
    with pytest.raises(ConfigError, match=r"no file .*resnet18-f37072fd.pth. Nothing is downloaded here: fetch https"):
        load("resnet18")
    with pytest.raises(ConfigError, match=r"no file .*mine.pth"):
        load(NAME, "mine.pth")
    with pytest.raises(ConfigError, match=r"does not hold weights of ResNet: .*Missing key"):
        load("resnet18", str(hub))
    with pytest.raises(ConfigError, match="looks at images; those of noise have the shape"):
        Torchvision(NAME).load(noise(2, size=1), hub.parent, "cpu")


def test_files_that_hold_no_weights_are_refused(hub):
    for content, said in ((b"", "cannot be read as weights"), (hub.read_bytes()[:5000], "cannot be read as weights")):
        hub.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            Torchvision(NAME).load(noise(), hub.parent, "cpu")
    torch.save([1], hub)
    with pytest.raises(ConfigError, match="holds a list: expected a state_dict"):
        Torchvision(NAME).load(noise(), hub.parent, "cpu")
