"""Features of CLIP's image encoder."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.metrics.distances import distances_in
from regen.metrics.features.pretrained import read_weights
from regen.metrics.features.torch_fidelity_nets import TorchFidelity, has_digest


class CLIP(TorchFidelity):
    """Embeddings of images by CLIP (Radford et al. 2021), as torch-fidelity computes them.

    Kynkäänniemi et al. 2023 recommend them next to Inception's, whose classes generators can exploit. Their model is
    clip-vit-b-32; figures in the features of different models are not comparable.

    Args:
        model: torch-fidelity's name, as clip-vit-b-32 or clip-rn50.
        weights: OpenAI's TorchScript archive of this model, or a file of its state_dict. None: the archive, where
            torch-fidelity leaves it in torch.hub's folder.

    Raises:
        ConfigError: torch-fidelity does not know the model (`load`).
    """

    option = "clip"
    renames = distances_in("clip", "CLIP", "CLIP")

    def __init__(self, model: str = "clip-vit-b-32", weights: str | None = None) -> None:
        super().__init__(weights)
        self.model = model

    def published(self) -> tuple[str, str]:
        from torch_fidelity.feature_extractor_clip import MODEL_URLS

        if self.model not in MODEL_URLS:
            raise ConfigError(f"metrics.features.model={self.model}: expected one of {', '.join(MODEL_URLS)}")
        return MODEL_URLS[self.model], f"{self.model}-{self._digest()}.pt"

    def build(self, path: Path) -> tuple[nn.Module, None]:
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP, build_model

        class Extractor(FeatureExtractorCLIP):
            """torch-fidelity's, with weights that have been read already."""

            def __init__(self, name: str, weights: dict[str, Tensor]) -> None:
                FeatureExtractorBase.__init__(self, name, ["clip"])
                self.feature_extractor_internal_dtype = torch.float32
                self.model = build_model(weights, torch.float32)
                self.resolution = self.model.visual.input_resolution

        return Extractor(self.model, self._read(path)), None

    def _read(self, path: Path) -> dict[str, Tensor]:
        """The weights; of TorchScript archives, which hold code, only the published one is opened."""
        if has_digest(path, self._digest()):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*torch.jit.load. is deprecated")
                return torch.jit.load(path, map_location="cpu").state_dict()
        if zipfile.is_zipfile(path) and any(
            name.endswith("/constants.pkl") for name in zipfile.ZipFile(path).namelist()
        ):
            raise ConfigError(
                f"{path} is a TorchScript archive, which may hold code, and not the published one: fetch it again, or save "
                "its state_dict with torch.save"
            )
        return read_weights(path)

    def _digest(self) -> str:
        from torch_fidelity.feature_extractor_clip import MODEL_METADATA

        return MODEL_METADATA[self.model]["hash"]
