"""Inline SVG plots by matplotlib, in colours that follow the page's light or dark scheme."""

import io
import json
import math
import re
from collections.abc import Callable

from markupsafe import Markup, escape

from regen.metrics.number_format import number
from regen.plotting.plots import BLUE, GREEN, GREY, INK, ORANGE, PALE, PURPLE

WIDTH, HEIGHT = 300, 190  # SVG units, about a pixel each on a phone, so that text has its nominal size
TEXT = 13.5  # at least 14 pixels on the narrowest phone
INKS = {
    ORANGE: "held-out",
    BLUE: "train",
    GREEN: "fake",
    GREY: "real",
    PURPLE: "purple",
    INK: "ink",
    PALE: "line",
}  # variables in page.css
MARGINS = {"left": 66, "right": 8, "top": 10, "bottom": 40}
HOVERED = 100  # points of a curve with values on hover


def add_hover(axes, x: float, y: float, text: str) -> None:
    """Show a text when the pointer is near a point of the axes."""
    axes.hover_points = [*getattr(axes, "hover_points", []), (x, y, text)]


def plot(name: str, alt: str, draw: Callable, size: tuple[int, int] = (WIDTH, HEIGHT), bare: bool = False) -> Markup:
    """Return an <svg> of draw(axes) on matplotlib axes; `name` makes ids unique, `alt` is the alternative text.

    size   width and height; the plot fills the column with their ratio
    bare   no axes and no margins
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    width, height = size
    figure = Figure((width / 72, height / 72))
    figure.patch.set_visible(False)
    edges = dict.fromkeys(MARGINS, 1) if bare else MARGINS
    left, bottom = edges["left"] / width, edges["bottom"] / height
    axes = figure.add_axes((left, bottom, 1 - edges["right"] / width - left, 1 - edges["top"] / height - bottom))
    axes.patch.set_visible(False)
    axes.tick_params(which="both", labelsize=TEXT, colors=INK, length=3)
    axes.spines[:].set_color(GREY)
    axes.spines[["top", "right"]].set_visible(bare)
    axes.locator_params(nbins=5)
    draw(axes)
    axes.xaxis.label.set(size=TEXT, color=INK)
    axes.yaxis.label.set(size=TEXT, color=INK)
    written = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "axes.unicode_minus": True}):
        FigureCanvasSVG(figure).print_svg(written)
    return Markup(_inline(written.getvalue(), name, alt, "" if bare else _hover_data(axes, height)))


def _hover_data(axes, height: int) -> str:
    """Return JSON of points with values on hover, in SVG units: [[x, y, text], …]."""
    points = list(getattr(axes, "hover_points", []))
    for line in axes.lines:
        if line.get_label().startswith("_") or line.get_transform() != axes.transData:
            continue
        pairs = list(zip(*line.get_data(), strict=True))
        for x, y in pairs[:: max(1, len(pairs) // HOVERED)]:
            points.append((x, y, f"{line.get_label()}: {number(float(y))} at {x:,.0f} {axes.get_xlabel()}"))
    scale = 72 / axes.figure.dpi
    found = []
    for x, y, text in points:
        if math.isfinite(x) and math.isfinite(y):
            across, up = axes.transData.transform((x, y)) * scale
            found.append([round(float(across), 1), round(height - float(up), 1), text])
    return json.dumps(found, ensure_ascii=False) if found else ""


def _inline(svg: str, name: str, alt: str, hover: str) -> str:
    """Convert matplotlib's SVG for a page: without fonts, styles and namespaces, and with unique ids."""
    svg = svg[svg.index("<svg") :]
    for unwanted in (
        r"<metadata>.*?</metadata>",
        r"<style.*?</style>",
        r"<!--.*?-->",
        r' (?:xmlns[:\w]*|version)="[^"]*"',
    ):
        svg = re.sub(unwanted, "", svg, flags=re.DOTALL)
    svg = re.sub(r' font-family: [^;"]*;', "", svg).replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, ink in INKS.items():
        svg = svg.replace(colour, f"var(--{ink})")
    svg = re.sub(r"(\d\.\d\d)\d+(?=[^<>]*>)", r"\1", svg)  # two decimals, except in text
    label = f'<svg class="plot" role="img" aria-label="{escape(alt)}"'
    label += f' data-points="{escape(hover)}"' if hover else ""
    svg = re.sub(r'<svg width="[^"]*" height="[^"]*"', lambda _: label, svg, count=1)
    return re.sub(r"\s*\n\s*", " ", svg).strip()
