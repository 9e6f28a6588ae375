"""Generated images next to held-out images, and generated images during training."""

import torch

from regen.plotting import png
from regen.report import plane_plots
from regen.report.context import Evidence
from regen.report.page import Absent

SHOWN = 64
COLUMNS = 8


def make(evidence: Evidence) -> dict:
    """Two pictures of equally many samples and held-out images."""
    look = evidence.drawing
    if (mixture := evidence.mixture) is not None:
        return {"plots": plane_plots.samples(mixture, look)}
    rows = {"generated": look.fake, "held-out": look.held_out}
    n = min(SHOWN, *map(len, rows.values()))
    taken = {name: images.take(torch.arange(n)).images for name, images in rows.items()}
    return {"n": n, "pictures": {name: png.grid(images, COLUMNS) for name, images in taken.items()}}


def over_time(evidence: Evidence) -> dict:
    """Return an animation of the same latents at every evaluation."""
    paths = sorted((evidence.folder.path / "samples").glob("images_*.png"))
    if len(paths) < 2:
        raise Absent(f"{'one evaluation was' if paths else 'no evaluation was'} drawn: type evaluate_every=… for more.")
    animation, last, n = png.animation(paths)
    first, end = (png.seen(path) for path in (paths[0], paths[-1]))
    return {"animation": animation, "last": last, "n": n, "first": first, "end": end}
