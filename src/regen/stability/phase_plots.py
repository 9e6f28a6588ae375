"""Phase portraits of the Dirac-GAN: the gradient field and trajectories of gradient descent."""

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE
from regen.stability.dirac_gan import Dirac
from regen.stability.equilibrium import LocalStability, spelt
from regen.utils.safe_files import write_safely

REACH = 1.6  # limit of both axes
START = (1.0, 0.5)  # theta and psi at the start of trajectories
COLUMNS = 7
DRAWN = 64  # quadrature nodes of expectations in plots
COLOURS = 48  # size of a page's palette, which reduces the file to a quarter
PATHS = {"simultaneous steps": (ORANGE, False), "alternating steps": (BLUE, True)}


@dataclass(frozen=True)
class Portrait:
    """A named game and its analysis; without a game, the analysis contains the reason."""

    name: str
    analysis: LocalStability
    game: Dirac | None = None


def save_one(portrait: Portrait, game: Dirac, path: Path, lr: float, iterations: int, loss: str) -> None:
    """Draw the phase portrait of one game."""
    figure = _figure(6, 6.5)
    figure.subplots_adjust(left=0.11, right=0.97, bottom=0.09, top=0.84)
    axes = figure.add_subplot()
    _draw(axes, game, lr, iterations, arrows=17)
    axes.set_xlabel("θ: G draws this point", fontsize=9, color=INK)
    axes.set_ylabel("ψ: D(x) = ψ x", fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    figure.text(0.11, 0.95, f"{portrait.name}, {loss}", fontsize=11, color=INK, weight="bold")
    eigenvalues = f"eigenvalues {spelt(portrait.analysis.eigenvalues)};  " if portrait.analysis.eigenvalues else ""
    figure.text(0.11, 0.91, f"{eigenvalues}converges locally: {portrait.analysis.answer}", fontsize=10, color=INK)
    _legend(figure, axes, 0.1, 0.9)
    _save(figure, path, dpi=110)


def save_page(portraits: Sequence[Portrait], path: Path, lr: float, iterations: int, heading: str) -> None:
    """Draw small multiples, first those that converge."""
    ranked = sorted(portraits, key=_rank)
    columns = min(COLUMNS, len(ranked))
    rows = math.ceil(len(ranked) / columns)
    width, height = max(1.75 * columns, 6.0), 2.25 * rows + 0.65
    figure = _figure(width, height)
    margins = {"left": 0.1 / width, "right": 1 - 0.1 / width, "bottom": 0.1 / height, "top": 1 - 1.1 / height}
    figure.subplots_adjust(**margins, wspace=0.1, hspace=0.38)
    for place, portrait in enumerate(ranked, 1):
        axes = figure.add_subplot(rows, columns, place, xticks=[], yticks=[])
        colour = GREEN if portrait.analysis.converges else INK
        axes.set_title(_title(portrait), fontsize=7.5, color=colour, pad=3, linespacing=1.15)
        axes.spines[:].set(color=colour if portrait.analysis.converges else PALE, linewidth=1.2)
        if portrait.game is None:
            axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
            said = textwrap.fill(portrait.analysis.why_not.partition(": ")[2], 24, max_lines=8)
            axes.text(0, 0, said, fontsize=7, color=GREY, ha="center", va="center")
        else:
            _draw(axes, portrait.game, lr, iterations, arrows=9)
    figure.text(0.1 / width, 1 - 0.28 / height, heading, fontsize=11, color=INK, weight="bold")
    drawn = next((axes for axes in figure.axes if axes.lines), None)
    if drawn:
        _legend(figure, drawn, 0, 1 - 0.32 / height)
    _save(figure, path, dpi=92, colours=COLOURS)


def trajectory(game: Dirac, lr: float, iterations: int, alternating: bool) -> Tensor:
    """Return theta and psi after each iteration from START, (T, 2), until they are far away or not finite."""
    point = game.at(*START)
    places: list[Tensor] = []
    while len(places) <= iterations and point.isfinite().all() and point.abs().max() < 10 * REACH:
        places.append(point[[0, game.n_g]])
        point = game.updated(point, lr, alternating)
    return torch.stack(places)


def _rank(portrait: Portrait) -> int:
    analysis = portrait.analysis
    return 0 if analysis.converges else 1 if analysis.eigenvalues else 2 if portrait.game else 3


def _title(portrait: Portrait) -> str:
    """Return the name with short strengths, the eigenvalues and the answer."""
    name, _, strengths = portrait.name.partition(" ")
    strengths = strengths.replace("lambda_g", "λ_G").replace("lambda_d", "λ_D")
    analysis = portrait.analysis
    said = f"{spelt(analysis.eigenvalues)}: " if analysis.eigenvalues else ""
    answer = analysis.answer.partition(",")[0] if portrait.game else "not applicable"
    return "\n".join(line for line in (name, strengths, said + answer) if line)


def _draw(axes, game: Dirac, lr: float, iterations: int, arrows: int) -> None:
    """Draw the field as arrows of one length, and one trajectory of each kind."""
    game = game.coarse(DRAWN)
    ticks = torch.linspace(-REACH, REACH, arrows + 2, dtype=torch.float64)[1:-1]
    theta, psi = torch.meshgrid(ticks, ticks, indexing="xy")
    field = torch.stack(
        [game.field(game.at(*place))[[0, game.n_g]] for place in zip(theta.flatten(), psi.flatten(), strict=True)]
    )
    speed = field.norm(dim=1, keepdim=True)
    along, up = torch.where(speed > 1e-9, field / speed, math.nan).T
    axes.quiver(
        theta, psi, along, up, color=GREY, alpha=0.6, pivot="mid", scale=1.4 * arrows, width=0.06 / arrows, headwidth=4
    )
    for name, (colour, alternating) in PATHS.items():
        x, y = trajectory(game, lr, iterations, alternating).T
        axes.plot(x, y, color=colour, linewidth=1.0, alpha=0.9, label=name, zorder=3)
        axes.plot(x[-1], y[-1], "o", color=colour, markersize=2.5, zorder=4)
    axes.plot(*START, "o", color=INK, markersize=3.5, zorder=4, label="start")
    axes.plot(0, 0, "+", color=INK, markersize=7, zorder=2, label="equilibrium", linestyle="none")
    axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")


def _legend(figure, axes, x: float, y: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    style = {"ncols": 4, "fontsize": 8.5, "frameon": False, "labelcolor": INK, "handlelength": 1.4}
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(x, y), borderaxespad=0.2, **style)


def _figure(width: float, height: float):
    """Create a figure of this size in inches without a window or global state."""
    from matplotlib.figure import Figure

    return Figure((width, height))


def _save(figure, path: Path, dpi: int, colours: int | None = None) -> None:
    from PIL import Image

    buffer, smaller = io.BytesIO(), io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    image = Image.open(buffer).convert("RGB")
    (image.quantize(colours) if colours else image).save(smaller, "PNG", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, smaller.getvalue())
