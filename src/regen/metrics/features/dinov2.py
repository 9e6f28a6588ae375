"""Features of DINOv2, a vision transformer trained without labels."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from regen.errors import ConfigError
from regen.metrics.distances import distances_in
from regen.metrics.features.pretrained import load_weights, read_weights
from regen.metrics.features.torch_fidelity_nets import TorchFidelity

PATCH, GRID = 14, 37  # pixels a side of a patch, patches a side of the images that position embeddings are learned for
OFFSET = 0.1  # added to the size of the grid when position embeddings are interpolated, as the published code does
EPSILON = 1e-6  # of layer norms
ADDRESS = "https://dl.fbaipublicfiles.com/dinov2/{0}/{0}_pretrain.pth"


class Size(NamedTuple):
    """The size of a published vision transformer."""

    name: str
    width: int
    depth: int
    heads: int


SIZES = {
    "dinov2-vit-s-14": Size("dinov2_vits14", 384, 12, 6),
    "dinov2-vit-b-14": Size("dinov2_vitb14", 768, 12, 12),
    "dinov2-vit-l-14": Size("dinov2_vitl14", 1024, 24, 16),
}


class DINOv2(TorchFidelity):
    """The class token of DINOv2 (Oquab et al. 2023), of images as torch-fidelity prepares them.

    Stein et al. 2023 find that distances in these features agree with people's judgement more often than the FID; their
    model is dinov2-vit-l-14. Figures in the features of different models are not comparable. torch-fidelity loads the
    network through torch.hub, which downloads and runs its code; here it is defined below.

    Args:
        model: dinov2-vit-s-14, dinov2-vit-b-14 or dinov2-vit-l-14; on a CPU, s takes 0.14 s an image and l 1.4 s, on one core.
        weights: the file of published weights of this model. None: where torch.hub leaves it.

    Raises:
        ConfigError: unknown model.
    """

    option = "dinov2"
    renames = distances_in("dinov2", "DINOv2", "DINOv2")

    def __init__(self, model: str = "dinov2-vit-l-14", weights: str | None = None) -> None:
        super().__init__(weights)
        if model not in SIZES:
            raise ConfigError(f"metrics.features.model={model}: expected one of {', '.join(SIZES)}")
        self.model = model

    def published(self) -> tuple[str, str]:
        address = ADDRESS.format(SIZES[self.model].name)
        return address, Path(address).name

    def build(self, path: Path) -> tuple[nn.Module, None]:
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

        class Extractor(FeatureExtractorDinoV2):
            """torch-fidelity's, with a network that has its weights already."""

            def __init__(self, name: str, network: nn.Module) -> None:
                FeatureExtractorBase.__init__(self, name, ["dinov2"])
                self.feature_extractor_internal_dtype = torch.float32
                self.model = network

        with torch.device("meta"):
            network = VisionTransformer(*SIZES[self.model][1:])
        network.to_empty(device="cpu")  # no random initialization, which takes seconds
        load_weights(network, read_weights(path), path)
        return Extractor(self.model, network), None


class VisionTransformer(nn.Module):
    """Images (B, 3, H, W), H and W multiples of 14 -> the normalized class token (B, width).

    Parameters are named as in the published weights.
    """

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, PATCH)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of the training
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID * GRID, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](images)
        positions = self._positions(patches.shape[2:])
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches.flatten(2).mT], dim=1)
        return self.norm(self.blocks(tokens + positions)[:, 0])

    def _positions(self, grid: torch.Size) -> Tensor:
        """(1, 1 + h w, width) position embeddings of a grid of h x w patches."""
        if tuple(grid) == (GRID, GRID):
            return self.pos_embed
        of_class, of_patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        scales = [(side + OFFSET) / GRID for side in grid]
        square = of_patches.mT.unflatten(2, (GRID, GRID))
        return torch.cat([of_class, F.interpolate(square, scale_factor=scales, mode="bicubic").flatten(2).mT], dim=1)


class Block(nn.Module):
    """Self-attention and a perceptron, each with a layer norm before it, a scale behind it and a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.attn = Attention(width, heads)
        self.mlp = nn.Sequential()
        for name, layer in (
            ("fc1", nn.Linear(width, 4 * width)),
            ("act", nn.GELU()),
            ("fc2", nn.Linear(4 * width, width)),
        ):
            self.mlp.add_module(name, layer)
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": nn.Parameter(torch.ones(width))}) for _ in range(2))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1["gamma"] * self.attn(self.norm1(tokens))
        return tokens + self.ls2["gamma"] * self.mlp(self.norm2(tokens))


class Attention(nn.Module):
    """Self-attention with several heads, tokens (B, N, width) -> (B, N, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
