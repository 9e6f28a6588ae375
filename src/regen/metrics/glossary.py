"""What each figure means, in plain words; the README has the definitions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from regen.plotting.curve_panels import TITLES


@dataclass(frozen=True)
class Words:
    """A figure's title, its meaning, and which way is better ("" where a number in the middle is)."""

    title: str
    meaning: str
    better: str = "lower"


SHARES = ("copies", "missing_modes")  # figures that are written in percent
DISTANCE = "The distance between the distributions of generated and of real images, in quality and in variety, "
MEANINGS = {
    "fd": (DISTANCE + "in the features of a classifier.", "lower"),
    "fid": (DISTANCE + "in the features of Inception.", "lower"),
    "kd": (DISTANCE + "in the features of a classifier; about 0 for real images, at any number.", "lower"),
    "kid": (DISTANCE + "in the features of Inception; about 0 for real images, at any number.", "lower"),
    "fd_imagenet": (DISTANCE + "in the features of EfficientNet-Lite0, trained on ImageNet.", "lower"),
    "kd_imagenet": (
        DISTANCE
        + "in the features of EfficientNet-Lite0, trained on ImageNet; about 0 for real images, at any number.",
        "lower",
    ),
    "fd_dinov2": (DISTANCE + "in the features of DINOv2.", "lower"),
    "kd_dinov2": (DISTANCE + "in the features of DINOv2; about 0 for real images, at any number.", "lower"),
    "fd_clip": (DISTANCE + "in the features of CLIP.", "lower"),
    "kd_clip": (DISTANCE + "in the features of CLIP; about 0 for real images, at any number.", "lower"),
    "swd": (DISTANCE + "the mean over random projections of the pixels.", "lower"),
    "precision": ("The share of generated images that look like real ones.", "higher"),
    "sym_precision": ("The share of generated images that look like real ones; blurred images do not.", "higher"),
    "sym_recall": ("The share of real images that look like something generated: variety.", "higher"),
    "skill_of_drawn": ("The skill with regard to those held-out images whose class or cluster is drawn.", "higher"),
    "recall": ("The share of real images that look like something generated: variety.", "higher"),
    "density": ("How many real images lie around a generated one, relative to real images: 1 is as many.", "higher"),
    "coverage": ("The share of real images with a generated one in their neighbourhood: variety.", "higher"),
    "classifier_score": (
        "High if each generated image belongs clearly to one class and all classes are drawn.",
        "higher",
    ),
    "isc": ("High if each generated image belongs clearly to one ImageNet class and many classes are drawn.", "higher"),
    "ms_ssim": (
        "The mean similarity of two generated images: above that of real images, variety is lacking.",
        "lower",
    ),
    "spread": (
        "The total variance of the features: far below that of real images, variety is lacking.",
        "",
    ),
    "score": ("The mean logit that D gives to images: higher is more real.", ""),
    "auc": (
        "The probability that D scores a training image above a held-out one: 0.5 is guessing, 1 tells all of them apart.",
        "",
    ),
    "skill": (
        "1: as near to held-out images as unseen real images are; 0: no nearer than a Gaussian of the training pixels.",
        "higher",
    ),
    "generalization": (
        "The skill times the share of samples that are not memorized: 1 for unseen real images, 0 for copies.",
        "higher",
    ),
    "gap": (
        "The gap of the first distance, relative to the distance to held-out images: 0 is no nearer to training images.",
        "lower",
    ),
    "copies": (
        "The share of images that are copies of a training image, up to a shift by a pixel. The gap is the share of samples "
        "beyond that of held-out images.",
        "lower",
    ),
    "attraction": (
        "The share of samples, beyond that expected by chance, whose nearest real image is a training image.",
        "lower",
    ),
    "ct": ("Below -3, samples are nearer to the training images than held-out images are, beyond chance.", ""),
    "authenticity": (
        "The share of images farther from their nearest training image than this is from its own nearest.",
        "",
    ),
    "repeats": ("The share of images that nearly repeat another one of the same set: high after a collapse.", "lower"),
    "fld": ("How unlikely held-out images are, given the generated ones; copies do not help.", "lower"),
    "missing_modes": ("The share of real images in classes or clusters that samples hardly reach.", "lower"),
    "ndb": ("The share of classes or clusters that are drawn significantly too often or too rarely.", "lower"),
    "mig": (
        "How much more one number of the code knows of a factor than any other does, as a share of all there is to know.",
        "higher",
    ),
    "dci_disentanglement": ("Each number of the code tells one factor only: 1; all of them alike: 0.", "higher"),
    "dci_completeness": ("Each factor is told by one number of the code only: 1; by all of them alike: 0.", "higher"),
    "dci_informativeness": ("The share of factors' values that are told right from the whole code.", "higher"),
    "sap": ("How much better the best number of the code tells a factor than the second best does.", "higher"),
    "elbo_nats": (
        "What the code and the decoder say of images, at least: a bound of their log likelihood. A rise by 1 means that an "
        "image is e times as likely.",
        "higher",
    ),
    "elbo_bpd": (
        "The bits that an image's value costs at most, coded by this model; 8 of grey levels that it does not know.",
        "lower",
    ),
    "reconstruction_nats": ("The part of the bound that images cost once their code is known.", "lower"),
    "kl_nats": ("The part of the bound that the code itself costs: what it says of an image. About 0: nothing.", ""),
    "active_units": (
        "Numbers of the code that differ from image to image; the others are noise that the decoder ignores.",
        "",
    ),
    "nll_nats": (
        "What images cost under the model, by many draws of the code: at most what the bound says, and nearer to the truth.",
        "lower",
    ),
    "nll_bpd": (
        "The bits that an image's value costs under the model; 8 of grey levels that it does not know.",
        "lower",
    ),
    "nll_ess": (
        "How many of the draws count: near 1, more of them are needed, and the likelihood is better than it says.",
        "higher",
    ),
    "modes": ("Clusters of the data in which at least one generated point lies.", "higher"),
    "high_quality": ("The share of generated points that lie within 3 standard deviations of a cluster.", "higher"),
    "reverse_kl": ("How unevenly generated points are spread over the clusters: 0 is even.", "lower"),
}


def words(figure: str) -> Words:
    """Of a figure by its name behind the slash; of one that is not known, its name."""
    title = TITLES.get(figure, figure.replace("_", " "))
    return Words(title, *MEANINGS.get(figure, ("", "")))


def with_error(figures: Mapping[str, float], name: str, digits: int = 2) -> str:
    """A figure as it is read, with its standard error or its interval if it has one: "0.77 ± 0.07", "1.5% [0.0, 3.1]"."""
    value, error, low = (figures.get(f"{name}{end}") for end in ("", "_se", "_low"))
    text = percent(value) if name.rpartition("/")[2] in SHARES else number(value)
    if error is not None:
        return measurement(value, error, digits)
    if low is None:
        return text
    return f"{text} [{', '.join(percent(end).rstrip('%') for end in (low, figures[f'{name}_high']))}]"


def measurement(value: float, error: float, digits: int = 2) -> str:
    """A value with its standard error, rounded to so many digits of the error: −0.75 ± 0.31. (An error of 1… has two.)"""
    if not (math.isfinite(value) and math.isfinite(error)) or not 1e-6 < error < 1e6:
        return f"{number(value)} ± {number(error)}"
    if f"{error:.1e}".startswith("1"):
        digits = max(digits, 2)
    places = max(digits - 1 - math.floor(math.log10(float(f"{error:.{digits - 1}e}"))), 0)
    value = round(value, places) + 0.0  # + 0.0: no −0
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def percent(value: float) -> str:
    """A share of 1 in percent, with one decimal."""
    return f"{100 * value + 0.0:.1f}%".replace("-", "−") if math.isfinite(value) else number(value)


def number(value: object) -> str:
    """As a person reads it: about three digits, thousands apart, a true minus."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if isinstance(value, int) or 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    text = f"{value:.3g}" if 100 <= abs(value) < 1000 or value == 0 else f"{value:#.3g}"
    return text.replace("-", "−")
