"""Penalties on D's scores and on G's images, as functions of tensors."""

import torch.nn.functional as F
from torch import Tensor


def drift(scores: Tensor) -> Tensor:
    """Return E D(x)² of real images (Karras et al. 2018, progressive GANs, section A.1)."""
    return scores.square().mean()


def label_smoothing(scores: Tensor) -> Tensor:
    """Return E D(x) of real images: its strength is the ε of one-sided label smoothing (Salimans et al. 2016)."""
    return scores.mean()


def lecam(real_scores: Tensor, fake_scores: Tensor, real_mean: Tensor | float, fake_mean: Tensor | float) -> Tensor:
    """Return E max(0, D(x) - α_F)² + E max(0, α_R - D(G(z)))² (Tseng et al. 2021, eq. 4, as in its code).

    Args:
        real_mean: α_R, a moving average of D's mean score of real images, without a graph.
        fake_mean: α_F, that of generated images.
    """
    above = F.relu(real_scores - fake_mean).square().mean()
    return above + F.relu(real_mean - fake_scores).square().mean()


def mixup(scores: Tensor, weights: Tensor) -> Tensor:
    """Return E BCE(D(m x + (1 - m) G(z)), m), of the scores (B,) of mixtures with the weights m (B,) (Zhang et al. 2018)."""
    return F.binary_cross_entropy_with_logits(scores, weights)


def consistency(scores: Tensor, changed_scores: Tensor) -> Tensor:
    """Return E(D(x) - D(T(x)))² for a change T that D should ignore (Zhang et al. 2020)."""
    return (scores - changed_scores).square().mean()


def l2(values: Tensor, reduce: str = "mean") -> Tensor:
    """Return E‖v‖² of G's images (B, ...) or D's scores (B,).

    Args:
        reduce: "mean" or "sum" of an image's values; the batch is averaged.

    Raises ValueError on another reduction.
    """
    return _norm(values.square(), reduce)


def l1(values: Tensor, reduce: str = "mean") -> Tensor:
    """Return E‖v‖₁ of G's images (B, ...) or D's scores (B,); see `l2`."""
    return _norm(values.abs(), reduce)


def total_variation(images: Tensor) -> Tensor:
    """Return the sum of absolute differences of neighbouring pixels, averaged over images (B, C, H, W) (Rudin et al. 1992)."""
    rows, columns = images.diff(dim=2), images.diff(dim=3)
    return rows.abs().flatten(1).sum(1).mean() + columns.abs().flatten(1).sum(1).mean()


def _norm(values: Tensor, reduce: str) -> Tensor:
    if reduce not in ("mean", "sum"):
        raise ValueError(f"reduce={reduce!r}: expected mean or sum")
    values = values.reshape(len(values), -1)
    return (values.mean(1) if reduce == "mean" else values.sum(1)).mean()
