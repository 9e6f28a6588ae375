"""Sample grids, scatter plots, colours and figures, without a display or matplotlib's global state."""

import functools
import io
import math
from pathlib import Path

import torch
from torch import Tensor

from regen.utils.safe_files import write_safely

WIDTH = 400  # least width of a grid in pixels
GAP = 2  # pixels between the images of a grid
# Colour-blind people can distinguish these (tests/test_page_colours.py); the first and third are of Okabe and Ito's palette.
ORANGE, BLUE, GREEN, PURPLE = "#d55e00", "#1a5fa8", "#009e73", "#a0206a"
INK, PALE, GREY = "#333333", "#dddddd", "#777777"


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
