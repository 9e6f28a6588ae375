"""Pictures of points in the plane: what is drawn, and the paths that G takes between latents."""

from typing import TYPE_CHECKING

from markupsafe import Markup
from torch import Tensor

from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE
from regen.plotting.svg import plot

if TYPE_CHECKING:
    from regen.data.mixtures import Mixture
    from regen.metrics.base import EvaluationBatch

SQUARE = (300, 300)
SHOWN = 2500
PATHS = (GREEN, BLUE, ORANGE, INK)


def samples(data: "Mixture", look: "EvaluationBatch") -> dict[str, Markup]:
    """Generated and held-out points, by what they are."""
    sets = {"generated": (look.fake, GREEN), "held-out": (look.held_out, ORANGE)}
    n = min(SHOWN, *(len(seen) for seen, _ in sets.values()))
    drawn = {}
    for name, (seen, colour) in sets.items():
        points = data.to_plane(seen.images[:n])

        def draw(axes, points: Tensor = points, colour: str = colour) -> None:
            _frame(axes, data)
            axes.scatter(*points.T.numpy(), s=3, color=colour, alpha=0.6, linewidths=0, rasterized=True)

        drawn[f"{n:,} {name} points"] = plot(
            f"points-{name}", f"{n:,} {name} points over the clusters", draw, SQUARE, bare=True
        )
    return drawn


def paths(data: "Mixture", drawn: Tensor, name: str = "paths", where: str = "between two latents each") -> Markup:
    """Paths (P, S, 2, 1, 1) of G's outputs in [-1, 1], over the clusters; `where` says which way latents go."""

    def draw(axes) -> None:
        _frame(axes, data)
        for i, path in enumerate(drawn):
            points = data.to_plane(path).T.numpy()
            axes.plot(*points, color=PATHS[i % len(PATHS)], linewidth=1, marker=".", markersize=3)

    return plot(
        name,
        f"{len(drawn)} paths of the generator {where}, over the clusters",
        draw,
        SQUARE,
        bare=True,
    )


def _frame(axes, data: "Mixture") -> None:
    """The clusters, each a cross, within axes that depend on them alone."""
    reach = 1.4 * float(data.means.abs().max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    axes.scatter(*data.means.T.numpy(), marker="+", s=60, color=GREY, linewidths=1)
