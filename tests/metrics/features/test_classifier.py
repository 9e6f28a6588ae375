"""The feature network: learnt once per data set, kept, the same every time."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from regen.data.digits import digits
from regen.data.images import Images
from regen.data.split import Files, Split, as_float
from regen.metrics.features.classifier import feature_network, lower_bound, warn_if_weak
from regen.utils.randomness import Draws


def stripes(n: int = 60, size: int = 8, channels: int = 1, labelled: bool = True) -> Images:
    """Noisy images whose left, middle or right third is bright."""
    labels = torch.arange(n) % 3
    images = Draws("stripes", size).uniform(n, channels, size, size) * 100
    for third, image in zip(labels.tolist(), images, strict=True):
        image[..., third * size // 3 : (third + 1) * size // 3] += 100
    part = Split(images.to(torch.uint8), labels if labelled else None)
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="stripes", full_train=part, train=part, validation=part, test=part, **use)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in network.state_dict().values()])


def test_digits_are_distinguished_on_held_out_images(tmp_path):
    use = {"batch_size": 64, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
    data = digits(image_size=28, validation=0.15, test=0.15, **use)
    network = feature_network(data, tmp_path, "cpu")
    assert network.accuracy >= 0.95
    features = network(as_float(data.full_train.images))
    assert features.shape == (len(data.full_train), 64)
    torch.testing.assert_close(features.std(0).mean(), torch.tensor(1.0), atol=0.05, rtol=0)


def test_classifier_is_trained_once_and_then_read(tmp_path):
    first = feature_network(stripes(), tmp_path, "cpu")
    (file,) = tmp_path.glob("*.pt")
    assert file.name.startswith("stripes-")
    written = file.stat().st_mtime_ns
    second = feature_network(stripes(), tmp_path, "cpu")
    assert file.stat().st_mtime_ns == written
    assert weights(first).equal(weights(second))
    assert first.accuracy == second.accuracy


def test_classifier_gets_the_same_weights_again_and_leaves_the_global_generator_unchanged(tmp_path):
    before = torch.get_rng_state()
    first, second = (feature_network(stripes(), tmp_path / place, "cpu") for place in "ab")
    assert weights(first).equal(weights(second))
    assert torch.get_rng_state().equal(before)


def test_classifier_is_frozen(tmp_path):
    network = feature_network(stripes(), tmp_path, "cpu")
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_flipped_byte_is_noticed_and_the_classifier_trained_again(tmp_path, caplog):
    first = feature_network(stripes(), tmp_path, "cpu")
    (file,) = tmp_path.glob("*.pt")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        second = feature_network(stripes(), tmp_path, "cpu")
    assert "damaged" in caplog.text
    assert weights(first).equal(weights(second))


@pytest.mark.parametrize("left", [0, 1000])
def test_a_truncated_file_is_replaced(tmp_path, left):
    feature_network(stripes(), tmp_path, "cpu")
    (file,) = tmp_path.glob("*.pt")
    content = file.read_bytes()
    file.write_bytes(content[:left])
    feature_network(stripes(), tmp_path, "cpu")
    assert len(file.read_bytes()) == len(content)


def test_other_images_or_labels_get_other_classifiers(tmp_path):
    data = stripes()
    relabelled = Split(data.full_train.images, data.full_train.labels.flip(0))
    feature_network(data, tmp_path, "cpu")
    feature_network(replace(data, full_train=relabelled), tmp_path, "cpu")
    feature_network(stripes(n=57), tmp_path, "cpu")
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_a_subset_of_the_training_images_has_the_features_of_the_whole(tmp_path):
    data = stripes()
    feature_network(data, tmp_path, "cpu")
    feature_network(replace(data, train=data.train.take(torch.arange(10))), tmp_path, "cpu")
    assert len(list(tmp_path.glob("*.pt"))) == 1


def test_classifier_without_labels_predicts_rotations(tmp_path):
    network = feature_network(stripes(labelled=False), tmp_path, "cpu")
    assert network.classify[-1].out_features == 4
    assert network.accuracy > 0.3


def test_classifier_without_labels_predicts_half_turns_of_oblong_images(tmp_path):
    bright_above = Draws("half turns").uniform(60, 2, 8, 12) * 100 + torch.linspace(155, 0, 8)[:, None]
    part = Split(bright_above.to(torch.uint8))
    data = replace(stripes(), full_train=part, train=part, validation=part, test=part)
    network = feature_network(data, tmp_path, "cpu")
    assert network.classify[-1].out_features == 2 and network.accuracy > 0.9
    assert network(torch.zeros(3, 2, 8, 12)).shape == (3, 64)


@pytest.mark.parametrize(("size", "channels"), [(8, 3), (33, 1), (128, 3)])
def test_images_of_any_size_have_64_features(tmp_path, size, channels):
    network = feature_network(stripes(6, size, channels), tmp_path, "cpu")
    assert network(torch.zeros(2, channels, size, size)).shape == (2, 64)


def test_images_in_files_are_identified_by_name_and_size(tmp_path):
    from PIL import Image

    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        Image.new("L", (8, 8), 60 * i).save(path)

    def learnt() -> set[Path]:
        files = Files(paths, None, 8, 1)
        feature_network(
            replace(stripes(), full_train=files, train=files, validation=files, test=files), tmp_path, "cpu"
        )
        return set(tmp_path.glob("*.pt"))

    before = learnt()
    assert learnt() == before
    Image.linear_gradient("L").save(paths[0])
    assert len(learnt()) == 2


def test_weak_features_are_reported_at_every_load(tmp_path, caplog):
    data = stripes()
    noise = Split((Draws("noise").uniform(60, 1, 8, 8) * 256).to(torch.uint8), data.train.labels)
    for _ in ("trained", "read"):
        caplog.clear()
        network = feature_network(replace(data, validation=noise), tmp_path, "cpu")
        assert f"held-out accuracy is {network.accuracy:.2f}" in caplog.text
        assert "type metrics/features=imagenet" in caplog.text


def test_features_of_an_accurate_network_are_not_announced_as_weak(tmp_path, caplog):
    feature_network(stripes(), tmp_path, "cpu")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("accuracy", "images", "classes", "weak"),
    [(0.98, 270, 10, False), (0.88, 60, 10, False), (0.375, 64, 4, True), (0.53, 800, 10, True), (1.0, 2, 10, True)],
)
def test_the_criterion_is_the_lower_bound_of_the_accuracy_halfway_from_chance_to_1(
    accuracy, images, classes, weak, caplog
):
    warn_if_weak(accuracy, images, classes, "noise")
    assert bool(caplog.messages) == weak


def test_lower_bound_of_an_accuracy_equals_published_values():
    assert lower_bound(0.5, 100) == pytest.approx(0.4038, abs=1e-4)
    assert lower_bound(1.0, 10) == pytest.approx(0.7225, abs=1e-4)
