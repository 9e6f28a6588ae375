"""Ways between samples: what lies between two latents should be as good as what lies at them."""

import torch
from torch import Tensor

from regen.page import pixels, plane
from regen.page.evidence import Evidence
from regen.randomness import Draws

ROWS, STEPS = 4, 8
FINE = 100  # steps of a path in the plane


def make(evidence: Evidence) -> dict:
    """Rows of images from one latent to another, or paths in the plane."""
    look = evidence.drawing
    if evidence.in_plane:
        return {"plot": plane.paths(evidence.of, _drawn(look.model, FINE)), "rows": ROWS}
    return {"picture": pixels.grid(_drawn(look.model, STEPS).flatten(0, 1), STEPS), "rows": ROWS, "steps": STEPS}


def slerp(one: Tensor, other: Tensor, steps: int) -> Tensor:
    """Latents (B, Z) and (B, Z) -> (B, steps, Z) along the great circle from one to the other (Shoemake 1985).

    sin((1 - t) a) / sin(a) one + sin(t a) / sin(a) other, a the angle between them: the length stays that of a Gaussian
    latent, where the straight way would pass near the origin.
    """
    cosine = torch.cosine_similarity(one, other, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None, None].clamp_min(1e-4)
    t = torch.linspace(0, 1, steps, device=one.device)[None, :, None]
    return (((1 - t) * angle).sin() * one[:, None] + (t * angle).sin() * other[:, None]) / angle.sin().clamp_min(1e-6)


def _drawn(model, steps: int) -> Tensor:
    """(ROWS, steps, C, H, W) in [-1, 1], of the averaged generator."""
    ends = Draws(model.seed, "interpolations", device=model.device).normal(2 * ROWS, model.z_size)
    with torch.inference_mode():
        images = model.ema(slerp(ends[:ROWS], ends[ROWS:], steps).flatten(0, 1)).float().cpu()
    return images.unflatten(0, (ROWS, steps))
