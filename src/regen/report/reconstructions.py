"""Held-out images, and what a VAE makes of their codes."""

import torch

from regen.core.condition import given, join
from regen.models.protocols import Encodes, has_latents, inputs, n_classes_of
from regen.plotting import png
from regen.report.context import Evidence
from regen.report.page import Absent

SHOWN = 12


def make(evidence: Evidence) -> dict:
    """Two rows: images, and below each the mean of p(x|z) at the mean of q(z|x), of the averaged nets."""
    look = evidence.drawing
    encoder: object = look.model
    decoder: object = look.model
    if not isinstance(encoder, Encodes) or not has_latents(decoder):
        raise Absent  # a GAN's page does not miss it
    if evidence.mixture is not None:
        raise Absent("its data are points, not images.")
    some = look.held_out.take(torch.arange(min(SHOWN, len(look.held_out))))
    real, labels = next(some.labelled_batches())
    codes = encoder.encode(*inputs(encoder, real, labels))[0]
    reconstructions = decoder.decode(join(codes, *given(labels, n_classes_of(decoder), codes.device)))
    return {"picture": png.grid(torch.cat([real, reconstructions]).cpu(), len(real)), "shown": len(real)}
