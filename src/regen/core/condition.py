"""Classes as inputs of conditional networks.

A class is a row of K weights, one-hot for an image of one class; rows between two one-hot rows lie between the classes.
The generator of a conditional model maps codes [z, classes] (B, Z + K); its discriminator and encoder take the classes (B, K)
as a second argument.
"""

import torch
from torch import Tensor


def one_hot(labels: Tensor, n_classes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Labels (B,) int64 -> classes (B, K); a row of zeros for a label outside 0 … K - 1, so that no device is waited for."""
    return (labels[:, None] == torch.arange(n_classes, device=labels.device)).to(dtype)


def join(z: Tensor, classes: Tensor | None = None) -> Tensor:
    """Latents (B, Z) and classes (B, K) -> codes (B, Z + K); without classes the latents."""
    return z if classes is None else torch.cat([z, classes.to(z.dtype)], dim=1)


def split(codes: Tensor, n_classes: int) -> tuple[Tensor, Tensor]:
    """Codes (B, Z + K) -> latents (B, Z) and classes (B, K)."""
    z, classes = codes.split([codes.shape[1] - n_classes, n_classes], dim=1)
    return z, classes


def with_planes(images: Tensor, classes: Tensor) -> Tensor:
    """Images (B, C, H, W) and classes (B, K) -> (B, C + K, H, W), each class weight as a constant channel."""
    planes = classes[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return torch.cat([images, planes.to(images.dtype)], dim=1)


def given(labels: Tensor | None, n_classes: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return the second argument of a conditional discriminator or encoder, the classes (B, K) of labels (B,).

    () in a model without classes. Raises ValueError if a conditional model gets no labels.
    """
    if not n_classes:
        return ()
    if labels is None:
        raise ValueError("a conditional model needs the labels of images")
    return (one_hot(labels.to(device), n_classes),)
