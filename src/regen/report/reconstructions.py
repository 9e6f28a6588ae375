"""Held-out images, and what a VAE makes of their codes."""

import torch

from regen.plotting import png
from regen.report.context import Evidence
from regen.report.page import Absent

SHOWN = 12


def make(evidence: Evidence) -> dict:
    """Two rows: images, and below each the mean of p(x|z) at the mean of q(z|x), of the averaged nets."""
    look = evidence.drawing
    if not hasattr(look.model, "encode"):
        raise Absent  # a GAN's page does not miss it
    if evidence.in_plane:
        raise Absent("its data are points, not images.")
    real = next(look.held_out.batches())[:SHOWN]
    with torch.inference_mode():
        made = look.model.ema(look.model.encode(real)[0]).float()
    return {"picture": png.grid(torch.cat([real, made]).cpu(), len(real)), "shown": len(real)}
