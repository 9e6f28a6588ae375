"""Histograms of the discriminator's logits on training, held-out and generated images."""

import math

import torch
from markupsafe import Markup

from regen.metrics.number_format import measurement, number
from regen.models.protocols import Scores, inputs
from regen.plotting.plots import BLUE, GREEN, ORANGE
from regen.plotting.svg import plot
from regen.report.context import Evidence
from regen.report.page import Absent

MOST = 1000  # images of each set in a histogram
BINS = 30


def make(evidence: Evidence) -> dict:
    """The histograms, the means of the sets, and the AUC of training against held-out images."""
    look = evidence.look
    if not isinstance(look.model, Scores):
        raise Absent("the model has no discriminator.")
    sets = {
        "training": (look.some_train, BLUE),
        "held-out": (look.some_held_out, ORANGE),
        "generated": (look.fake, GREEN),
    }
    try:
        logits = {name: (_logits(look.model, images), colour) for name, (images, colour) in sets.items()}
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # raised by a user's own network
        raise Absent(f"D does not score single images ({str(error).splitlines()[0]}).") from error
    if not all(values.isfinite().all() for values, _ in logits.values()):
        raise Absent("D's logits are not finite.")
    auc, deviation = evidence.figure("gap/auc"), evidence.figure("gap/auc_se")
    return {
        "histogram": _histogram(logits),
        "auc": None if math.isnan(auc) else number(auc) if math.isnan(deviation) else measurement(auc, deviation),
        "guesses": abs(auc - 0.5) <= 2 * deviation,
        "means": {name: number(float(values.mean())) for name, (values, _) in logits.items()},
        "augmented": [name for name, one in look.model.objective.regularizers.items() if one.overrides("augment")],
    }


def _logits(model, images) -> torch.Tensor:
    some = images.take(torch.arange(min(MOST, len(images))))
    logits = [model.score(*inputs(model, *batch)) for batch in some.labelled_batches()]
    if any(batch is None for batch in logits):
        raise ValueError("it has no logit for them")
    return torch.cat(logits).float().cpu().flatten()


def _histogram(logits: dict[str, tuple[torch.Tensor, str]]) -> Markup:
    everything = torch.cat([values for values, _ in logits.values()])
    low, high = everything.min().item(), everything.max().item()
    edges = torch.linspace(low, max(high, low + 1e-6), BINS + 1)
    styles = dict(zip(logits, ("-", "--", ":"), strict=True))

    def draw(axes) -> None:
        for name, (values, colour) in logits.items():
            shares = torch.histogram(values, edges).hist / len(values)
            axes.stairs(shares.numpy(), edges.numpy(), fill=True, color=colour, alpha=0.18)
            axes.stairs(shares.numpy(), edges.numpy(), color=colour, linewidth=1.8, linestyle=styles[name])
        axes.set(xlabel="D's logit", ylabel="share of images", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")

    means = ", ".join(f"{name} around {number(float(values.mean()))}" for name, (values, _) in logits.items())
    return plot("logits", f"Histograms of D's logits: {means}", draw)
