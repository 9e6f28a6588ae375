"""Inception's features against torch-fidelity's; the weights are made up here, since the published ones are a download."""

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from regen.data.images import Images
from regen.data.split import Split, as_float
from regen.errors import ConfigError
from regen.metrics.features import Inception
from regen.metrics.frechet_distance import FrechetDistance, frechet_distance
from regen.metrics.image_set import ImageSet
from regen.metrics.inception_score import InceptionScore
from regen.metrics.kernel_distance import KernelDistance, kernel_distance
from regen.metrics.precision_recall import PrecisionRecall
from regen.utils.randomness import Draws, generator

pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose features have about the spread of the images, whatever the depth."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Untrained(FeatureExtractorInceptionV3):
        def load_state_dict(self, weights):
            """There are none yet."""

    file = tmp_path_factory.mktemp("weights") / "made-up.pth"
    torch.save({}, file)
    net = Untrained("untrained", ["2048"], str(file))
    for name, weight in net.named_parameters():
        if weight.ndim > 1:
            weight.copy_(torch.randn(weight.shape, generator=generator(name)) * (2 / weight[0].numel()) ** 0.5)
    net.fc.weight.mul_(10)  # so that classes are certain
    torch.save(net.state_dict(), file)
    return file


def photographs(n: int, contrast: float, purpose: str) -> Tensor:
    """(n, 1, 32, 32) uint8: blurred noise, in grey."""
    noise = Draws("photographs", purpose).normal(n, 1, 4, 4) * contrast
    return nn.functional.interpolate(noise, size=32, mode="bilinear").add(128).clamp(0, 255).to(torch.uint8)


def data_of(images: Tensor) -> Images:
    part = Split(images)
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="photographs", full_train=part, train=part, validation=part, test=part, **use)


class Coloured(Dataset):
    """As torch-fidelity wants images: (3, H, W) uint8, one at a time."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index].repeat(3, 1, 1)


def test_figures_equal_torch_fidelity(file, tmp_path, caplog):
    from torch_fidelity import calculate_metrics

    n, neighbours = 4, 2
    real, fake = photographs(n, 60, "real"), photographs(n, 50, "fake")
    with caplog.at_level(logging.WARNING):
        net = Inception(weights=str(file)).load(data_of(real), tmp_path, "cpu")
    assert "is not the published file" in caplog.text
    of_real, of_fake = ImageSet(Split(real), net), ImageSet(as_float(fake), net)
    published = calculate_metrics(
        input1=Coloured(fake),
        input2=Coloured(real),
        feature_extractor="inception-v3-compat",  # for all of them: its precision is of another net's features by default
        feature_extractor_weights_path=str(file),
        **dict.fromkeys(("isc", "kid", "prc", "save_cpu_ram"), True),
        **dict.fromkeys(("cuda", "cache", "verbose"), False),
        isc_splits=1,
        kid_subsets=1,
        kid_subset_size=n,
        prc_neighborhood=neighbours,
    )
    assert of_fake.features.shape == (n, 2048)
    score = InceptionScore().of(of_fake.probabilities)["classifier_score"]
    assert float(score) == pytest.approx(published["inception_score_mean"], rel=1e-5)
    assert kernel_distance(of_fake.features, of_real.features)[0] == pytest.approx(
        published["kernel_inception_distance_mean"], rel=1e-3
    )
    found = PrecisionRecall(neighbours, symmetric=False).of(of_real.features, of_fake.features)
    assert found == pytest.approx({name: published[name] for name in ("precision", "recall")})
    assert score > 1.02
    assert of_real.features.std(0).mean() > 1e-3

    some = torch.arange(0, 2048, 40)  # torch-fidelity takes seconds for all
    assert frechet_distance(of_fake.features[:, some], of_real.features[:, some]) == pytest.approx(
        of_torch_fidelity(of_fake.features[:, some], of_real.features[:, some]), rel=1e-4
    )


def of_torch_fidelity(*features: Tensor) -> float:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = [fid_features_to_statistics(one) for one in features]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def test_official_names_are_given_to_figures_that_exist():
    metrics = (FrechetDistance, KernelDistance, InceptionScore)
    assert set(Inception.renames) == {
        name for metric in metrics for name in metric().outputs if not name.endswith("_se")
    }


def test_missing_weights_are_an_error_with_file_address_and_alternatives(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ConfigError) as error:
        Inception().load(data_of(photographs(2, 1, "")), tmp_path, "cpu")
    for said in (
        f"no file {tmp_path}/hub/checkpoints/weights-inception-2015-12-05-6726825d.pth",
        "fetch https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "metrics.features.weights=FILE",
        "metrics/features=imagenet",
    ):
        assert said in str(error.value)


def test_weights_of_another_net_and_images_without_colours_are_refused(tmp_path):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    data = data_of(photographs(2, 1, ""))
    with pytest.raises(ConfigError, match=r"other.pth does not hold the weights of https://.*Missing key"):
        Inception(weights=str(tmp_path / "other.pth")).load(data, tmp_path, "cpu")
    part = Split(torch.zeros(2, 2, 1, 1))
    with pytest.raises(ConfigError, match=r"looks at images; .* \(2, 1, 1\)"):
        Inception().load(replace(data, full_train=part, train=part), tmp_path, "cpu")


def test_missing_torch_fidelity_is_an_error_with_the_command_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)  # as if it were not installed
    with pytest.raises(ConfigError, match=r"pip install 'regen\[eval\]'"):
        Inception().load(data_of(photographs(2, 1, "")), tmp_path, "cpu")
