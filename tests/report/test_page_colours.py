"""The colours of lines on pages: colour-blind readers can distinguish them, and all contrast with the paper."""

import itertools
import re

import numpy as np
import pytest

from regen.plotting.plots import BLUE, GREEN, ORANGE, PURPLE
from regen.utils.project import ROOT

CSS = (ROOT / "src/regen/report/templates/page.css").read_text()
LINES = ("fake", "train", "held-out", "purple")
# Machado, Oliveira and Fernandes 2009: what people without one kind of cone see, in linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ.sum(1)


def schemes() -> dict[str, dict[str, str]]:
    """The variables of the light and of the dark scheme."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)[:2]
    read = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in (light, dark)]
    return {"light": read[0], "dark": read[0] | read[1]}


def linear(colour: str) -> np.ndarray:
    """(3,) linear RGB of #rrggbb."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """(3,) CIELAB of linear RGB."""
    f = np.cbrt(np.maximum(XYZ @ rgb.clip(0, 1), 1e-6) / WHITE)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG."""
    bright, dark = sorted((float(XYZ[1] @ linear(colour)) for colour in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["light", "dark", "png"])
def test_colours_of_lines_differ_for_every_kind_of_vision(scheme, vision):
    of_png = {"held-out": ORANGE, "train": BLUE, "fake": GREEN, "purple": PURPLE}
    colours = of_png if scheme == "png" else schemes()[scheme]
    seen = [lab(np.array(VISION[vision]) @ linear(colours[name])) for name in LINES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_stand_out_from_the_paper(scheme):
    colours = schemes()[scheme]
    assert min(contrast(colours[name], colours["paper"]) for name in LINES) > 4.5
