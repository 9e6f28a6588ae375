"""Ways between samples: what lies between two latents should be as good as what lies at them."""

from torch import Tensor

from regen.models.latents import paths
from regen.models.protocols import HasLatents, has_latents, n_classes_of
from regen.plotting import png
from regen.report import plane_plots
from regen.report.context import Evidence
from regen.report.page import Absent
from regen.utils.randomness import Draws

ROWS, STEPS = 4, 8
FINE = 100  # steps of a path in the plane


def make(evidence: Evidence) -> dict:
    """Rows of images from one latent to another, or paths in the plane."""
    look = evidence.drawing
    if not has_latents(look.model):
        raise Absent("the model has its own way from latents to samples.")
    if (mixture := evidence.mixture) is not None:
        return {"plot": plane_plots.paths(mixture, _drawn(look.model, look.model.seed, FINE)), "rows": ROWS}
    return {
        "picture": png.grid(_drawn(look.model, look.model.seed, STEPS).flatten(0, 1), STEPS),
        "rows": ROWS,
        "steps": STEPS,
    }


def _drawn(model: HasLatents, seed: int, steps: int) -> Tensor:
    """(ROWS, steps, C, H, W) in [-1, 1], of the averaged generator."""
    z = Draws(seed, "interpolations").normal(ROWS + 1, model.latent_size)
    images = model.decode(paths(model.codes(z), steps, n_classes_of(model))).cpu()
    return images.unflatten(0, (ROWS, steps))
