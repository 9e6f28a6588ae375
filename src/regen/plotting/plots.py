"""Sample grids, scatter plots and curves, without a display or matplotlib's global state."""

import functools
import io
import math
from pathlib import Path

import torch
from torch import Tensor

from regen.metrics.registry import parse
from regen.plotting import curve_panels
from regen.plotting.curve_panels import DECADES, SMOOTHED, Points, running_mean
from regen.utils.safe_files import write_safely

WIDTH = 400  # least width of a grid in pixels
GAP = 2  # pixels between the images of a grid
STEPS = (1, 2, 2.5, 5, 10)  # tick steps, times a power of ten
# Colour-blind people can distinguish these (tests/test_page_colours.py); the first and third are of Okabe and Ito's palette.
ORANGE, BLUE, GREEN, PURPLE = "#d55e00", "#1a5fa8", "#009e73", "#a0206a"
INK, PALE, GREY = "#333333", "#dddddd", "#777777"
COLOURS = {"g": ORANGE, "d": BLUE, "val": ORANGE, "train": BLUE, "real": GREY}
COLOURS |= {"d/fake_score": ORANGE, "val/generalization": INK}


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """Draw images (B, C, H, W) in [-1, 1] as a grid (3, H', W') uint8, row by row; non-finite pixels are grey.

    Small images are enlarged by an integer factor. Channels other than one or three are drawn side by side in grey.
    """
    from torchvision.utils import make_grid

    images = side_by_side(images)
    columns = min(columns, len(images))
    factor = math.ceil((WIDTH / columns - GAP) / images.shape[3]) if images.shape[3] * columns < WIDTH else 1
    pixels = images.detach().cpu().float().nan_to_num(0, 0, 0).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    enlarged = pixels.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)
    return make_grid(enlarged, nrow=columns, padding=GAP, pad_value=255)


def side_by_side(images: Tensor) -> Tensor:
    """Return images (B, C, H, W) with one or three channels unchanged, and others as (B, 1, H, C W), channels side by side."""
    return images if images.shape[1] in (1, 3) else images.transpose(1, 2).flatten(2)[:, None]


def scatter(points: Tensor, means: Tensor, std: float = 0.0) -> Tensor:
    """Draw points (B, 2) over the modes of a mixture, (3, H', W') uint8.

    A mode is a cross within a circle of 3 standard deviations. The axes depend only on the means, so that plots of one
    mixture are comparable; the title counts points outside.
    """
    axes = _plane(tuple(map(tuple, means.tolist())), std)
    inside = int((points.abs() <= axes.get_xlim()[1]).all(1).sum())
    beyond = f", {len(points) - inside:,} of them beyond the axes" if inside < len(points) else ""
    axes.set_title(
        f"{len(points):,} generated points{beyond}", y=1, fontsize=10, color=INK
    )  # a fixed y avoids a search
    x, y = points.detach().cpu().numpy().T
    size = min(max(2_000 / len(points), 3), 12)
    shown = axes.scatter(x, y, s=size, color=ORANGE, alpha=0.5, linewidths=0, zorder=2)
    picture = rendered(axes.figure)
    shown.remove()
    return picture


@functools.lru_cache(4)  # creating axes takes half of the time, and evaluations draw the same ones
def _plane(means: tuple[tuple[float, float], ...], std: float):
    """Create axes with the modes of a mixture."""
    from matplotlib.collections import EllipseCollection

    reach = 1.4 * max(abs(place) for mean in means for place in mean)
    axes = blank(5, 5).add_subplot(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    axes.scatter(*zip(*means, strict=True), marker="+", s=120, color="#999999", linewidths=1, zorder=1)
    circles = {"units": "xy", "offsets": means, "offset_transform": axes.transData, "facecolors": "none"}
    circles |= {"edgecolors": INK, "linewidths": 0.8, "zorder": 3}
    axes.add_collection(EllipseCollection(6 * std, 6 * std, 0, **circles), autolim=False)
    axes.grid(color=PALE, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK)
    return axes


def save_png(picture: Tensor, *paths: Path) -> None:
    """Write a picture (3, H, W) uint8 to each path, atomically."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safely(path, buffer.getvalue())


def curves(csv_path: Path, path: Path) -> None:
    """Draw a run's metrics.csv against images seen, related columns in one panel.

    Non-finite values leave a gap; without finite values nothing is written.
    """
    from torchvision.utils import make_grid

    drawn = curve_panels.panels(curve_panels.series(Path(csv_path)))
    if not drawn:
        return
    last = max(points[-1][0] for lines in drawn.values() for points in lines.values())
    figure = blank(4.2, 2.8)
    figure.subplots_adjust(left=0.14, right=0.95, bottom=0.2, top=0.86)  # three times as fast as an automatic layout
    axes = figure.add_subplot()  # shared by all panels, because creating axes and ticks is slow
    axes.xaxis.set_label_coords(0.5, -0.15)  # like the title's y: a fixed position
    axes.tick_params(labelsize=8, colors=INK)
    axes.grid(color=PALE, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    made = torch.stack([_panel(axes, title, lines, last) for title, lines in drawn.items()])
    save_png(make_grid(made, nrow=3, padding=0, pad_value=255), path)


def _panel(axes, title: str, lines: dict[str, Points], last: float) -> Tensor:
    """Draw only these curves on the axes, (3, H', W') uint8."""
    for old in list(axes.lines):
        old.remove()
    axes.relim()
    axes.set_title(title, fontsize=min(10, 480 / len(title)), color=INK, y=1)  # so that a long one fits
    for name, points in lines.items():
        line(axes, name, points)
    scale(axes, [y for points in lines.values() for _, y in points if math.isfinite(y)], last)
    axes.xaxis.label.set(size=8, color=INK)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    return rendered(axes.figure)


def line(axes, name: str, points: Points) -> None:
    """Draw the curve of a logged name onto matplotlib axes, in its fixed colour and style."""
    parsed = parse(name)
    kind = parsed.prefix
    colour = COLOURS.get(name, COLOURS.get(kind[:1] if kind[1:2] == "/" else kind, GREEN))
    style = {
        "label": name,
        "color": colour,
        "linestyle": "--" if kind == "real" or parsed.figure.name == "data" else "-",
    }
    if parsed.suffix:  # a bound of an interval
        style["linestyle"] = ":"
    finite = [point for point in points if math.isfinite(point[1])]
    if kind == "gap" or name == "images_per_second":
        axes.axhline(parsed.figure.neutral, color=GREY, linewidth=0.8, zorder=1)  # so that it is visible
    if kind == "real":  # a constant reference
        axes.axhline(finite[-1][1], linewidth=1.2, **style)
    elif len(finite) <= SMOOTHED:
        marker = "o" if len(points) <= 30 else None
        axes.plot(*zip(*points, strict=True), linewidth=1.4, marker=marker, markersize=3, **style)
    else:
        axes.plot(*zip(*points, strict=True), linewidth=0.6, color=colour, alpha=0.25)
        axes.plot(*running_mean(finite), linewidth=1.4, **style)


def scale(axes, values: list[float], last: float) -> None:
    """Set scales and ticks of matplotlib axes for finite values against images seen up to `last`."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = min(values), max(values)
    decades = math.log10(high / low) if low > 0 else 0
    axes.set_yscale("log" if decades > DECADES else "linear")
    if decades > DECADES:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,), numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
        if low < 0 < high:
            axes.axhline(0, color=GREY, linewidth=0.8, zorder=1)
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.set_xlim(0, 1.03 * max(last, 1))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("images seen")


def short(value: float, position: int = 0) -> str:
    """Format a number on an axis compactly."""
    if value and not 1e-3 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.4g}".replace("-", "−").partition("e")
        return f"{mantissa}e{exponent[0].replace('+', '')}{exponent[1:].lstrip('0')}" if exponent else mantissa
    return f"{value:g}".replace("-", "−")


def blank(width: float, height: float):
    """Create a figure of this size in inches without a window or global state."""
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=110)


def png_bytes(figure) -> bytes:
    """Render a figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def rendered(figure) -> Tensor:
    """(3, H', W') uint8"""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    pixels = torch.frombuffer(bytearray(canvas.buffer_rgba()), dtype=torch.uint8).view(height, width, 4)
    return pixels[..., :3].permute(2, 0, 1).contiguous()
