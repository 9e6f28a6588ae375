"""Features of Inception-v3, in which the figures have their official names."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from regen.metrics.distances import frechet, kernel
from regen.metrics.features.pretrained import read_weights
from regen.metrics.features.torch_fidelity_nets import TorchFidelity, has_digest
from regen.metrics.figure import Figure

ISC = Figure(
    "isc",
    "Inception score",
    "High if each generated image belongs clearly to one ImageNet class and many classes are drawn.",
    better="higher",
    uncertainty="standard error",
)


class Inception(TorchFidelity):
    """2048 features of the Inception-v3 of the original FID, as torch-fidelity has ported it (Obukhov et al. 2020).

    fd is then the FID (Heusel et al. 2017), kd the KID (Bińkowski et al. 2018) and the score the Inception score (Salimans
    et al. 2016), those that torch-fidelity computes of the same images.
    """

    option = "inception"
    renames = {
        "fd": frechet("fid", "Inception", "Fréchet Inception distance"),
        "kd": kernel("kid", "Inception", "kernel Inception distance"),
        "classifier_score": ISC,
    }

    def published(self) -> tuple[str, str]:
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

        return URL_INCEPTION_V3, Path(URL_INCEPTION_V3).name

    def build(self, path: Path) -> tuple[nn.Module, nn.Module]:
        from torch_fidelity import FeatureExtractorInceptionV3

        read_weights(path)  # torch-fidelity reads the file again, with less care
        extractor = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
        has_digest(path, self.published()[1].removesuffix(".pth").rpartition("-")[2])
        classify = nn.Linear(2048, 1008, bias=False)  # of the "unbiased" logits: the published score leaves it out
        classify.weight = extractor.fc.weight
        return extractor, classify
