"""Spectra and norms: each layer's weight as a matrix, its first dimension as rows and all others as columns."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from regen.core.forward import apart
from regen.metrics.number_format import number
from regen.report.context import Evidence

MOST_WORK = 3e10  # multiplications for a spectrum: what takes more is left out
POINTS = 40  # of a small plot


@dataclass(frozen=True)
class Layer:
    """A layer, the shape of its weight, and what is known of its singular values ("" where it is not)."""

    name: str
    shape: str
    largest: str
    smallest: str
    rank: str
    of: int
    norm: str
    points: str


def make(evidence: Evidence) -> dict:
    """The layers of the averaged nets and of the discriminator."""
    return {"nets": {name: _layers(net) for name, net in evidence.look.model.networks().items()}}


def matrices(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The weights of a net's layers as matrices, by the names of the layers; of a net of other layers its own parameters."""
    weights = [(name, getattr(layer, "weight", None)) for name, layer in net.named_modules()]
    found = [(name, weight) for name, weight in weights if isinstance(weight, Tensor) and weight.ndim >= 2]
    for name, weight in found or [(name, one) for name, one in net.named_parameters() if one.ndim >= 2]:
        yield name, weight.detach().flatten(1)


def spectrum(matrix: Tensor) -> Tensor:
    """(min(N, M),) the singular values of a matrix (N, M), descending; of the smaller Gram matrix, in float64."""
    matrix = (matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T).double()
    return torch.linalg.eigvalsh(matrix @ matrix.T).clamp_min(0).sqrt().flip(0)


def effective_rank(values: Tensor) -> float:
    """exp of the entropy of the singular values' shares (Roy and Vetterli 2007): n for n equal values, 1 for a single one."""
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def _layers(net: nn.Module) -> list[Layer]:
    with torch.no_grad(), apart(net):  # spectral norm's vectors stay as they are
        return [_layer(name, matrix) for name, matrix in matrices(net)]


def _layer(name: str, matrix: Tensor) -> Layer:
    few, many = sorted(matrix.shape)
    shape, norm = f"{matrix.shape[0]}×{matrix.shape[1]}", number(float(matrix.double().norm()))
    if not matrix.isfinite().all() or few**2 * many > MOST_WORK or not matrix.any():
        return Layer(name, shape, "", "", "", few, norm, "")
    values = spectrum(matrix).cpu()
    largest, smallest = number(float(values[0])), number(float(values[-1]))
    return Layer(name, shape, largest, smallest, f"{effective_rank(values):.1f}", few, norm, _points(values))


def _points(values: Tensor) -> str:
    """Corners of a polyline in a box of 100 by 30: the values in the share of the largest, from left to right."""
    places = torch.linspace(0, len(values) - 1, min(POINTS, max(len(values), 2))).round().long()
    heights = (29 - 28 * values[places] / values[0]).tolist()
    x = torch.linspace(0, 100, len(places)).tolist()
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, heights, strict=True))
