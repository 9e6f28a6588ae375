"""Directions in latent space: what changes in an image along each of them, and how much."""

from dataclasses import dataclass

import torch
from markupsafe import Markup
from torch import Tensor

from regen.errors import ConfigError
from regen.metrics.number_format import number
from regen.models.latent_directions import REACH, Directions, change, sefa, traversals, used
from regen.models.latents import Latents
from regen.models.protocols import Encodes, has_latents
from regen.plotting import png
from regen.plotting.svg import INKS
from regen.report import factors, plane_plots
from regen.report.context import Evidence
from regen.report.page import Absent

SHOWN = 8  # directions, in the plane fewer: each has a colour
STEPS = 7  # images along a direction
FINE = 100  # steps of a path in the plane
STARTS = 8  # latents from which changes are measured
ENCODED = 1000  # held-out images by whose codes used axes are found


@dataclass(frozen=True)
class Row:
    """A direction: its name, how strong it is, how much images change along it, and images in its order."""

    name: str
    strength: str
    change: str
    strip: str


@dataclass(frozen=True)
class Kind:
    """Directions of one origin, the strongest first: the axes of a code, or SeFa's. Points in the plane have a plot."""

    name: str
    rows: list[Row]
    of: int
    plot: Markup | None


def make(evidence: Evidence) -> dict:
    """Rows of images along the axes of the code, with what these know of factors, and along SeFa's directions."""
    if not has_latents(evidence.drawing.model):
        raise Absent("the model has its own way from latents to samples.")
    kinds, reason, known = [], "", None
    encoder: object = evidence.drawing.model
    if isinstance(encoder, Encodes):
        kinds.append(_axes(evidence, encoder))
        known = factors.make(evidence, encoder)
    try:
        kinds.append(_sefa(evidence))
    except ConfigError as error:
        reason = str(error)
    if not kinds:
        raise Absent(f"{reason}.")
    inks = [INKS[colour] for colour in plane_plots.PATHS]
    about = {"reason": reason, "reach": f"{REACH:g}", "steps": STEPS, "encoded": ENCODED, "inks": inks}
    return {"kinds": kinds, "known": known, **about}


def _axes(evidence: Evidence, encoder: Encodes) -> Kind:
    look = evidence.drawing
    some = look.held_out.take(torch.arange(min(ENCODED, len(look.held_out))))
    found = used(encoder, some.labelled_batches())
    names = [f"axis {place}" for place in found.vectors.argmax(1).tolist()]
    return _kind(evidence, "axes", found, names, [number(value) for value in found.strengths.tolist()])


def _sefa(evidence: Evidence) -> Kind:
    model = evidence.drawing.model
    if (network := model.decoder_network()) is None:
        raise ConfigError(
            f"{type(model).__name__} takes more than one pass to samples, so that no layer gives directions"
        )
    found = sefa(network, model.latent_dim)
    names = [str(place) for place in range(1, len(found.strengths) + 1)]
    return _kind(evidence, "sefa", found, names, [f"{share:.1%}" for share in found.strengths.tolist()])


def _kind(evidence: Evidence, name: str, found: Directions, names: list[str], strengths: list[str]) -> Kind:
    model, mixture = evidence.drawing.model, evidence.mixture
    few = found.first(SHOWN if mixture is None else len(plane_plots.PATHS)).vectors.cpu()
    z = model.codes(Latents(model.latent_size, model.seed, "samples")(0, STARTS)).cpu()  # the first samples'

    def sample(z: Tensor) -> Tensor:
        return model.decode(z).cpu()

    steps = STEPS if mixture is None else FINE
    drawn = sample(traversals(z[0], few, steps)).unflatten(0, (len(few), steps))
    strips = [png.grid(row, steps) for row in drawn] if mixture is None else [""] * len(few)
    changes = [number(value) for value in change(sample, z, few).tolist()]
    rows = [Row(*row) for row in zip(names, strengths, changes, strips, strict=False)]
    where = f"along {len(few)} directions"
    plot = None if mixture is None else plane_plots.paths(mixture, drawn, f"paths-{name}", where)
    return Kind(name, rows, len(found.strengths), plot)
