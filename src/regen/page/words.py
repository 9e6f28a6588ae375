"""What each figure means, in plain words; the README has the definitions."""

import math
from dataclasses import dataclass

from regen.panels import TITLES


@dataclass(frozen=True)
class Words:
    """A figure's title, its meaning, and which way is better ("" where a number in the middle is)."""

    title: str
    meaning: str
    better: str = "lower"


DISTANCE = "How far generated images are from real ones, in looks and in variety alike, "
MEANINGS = {
    "fd": (DISTANCE + "in the features of a classifier.", "lower"),
    "fid": (DISTANCE + "in the features of Inception.", "lower"),
    "kd": (DISTANCE + "in the features of a classifier; about 0 for real ones, whatever their number.", "lower"),
    "kid": (DISTANCE + "in the features of Inception; about 0 for real ones, whatever their number.", "lower"),
    "fd_imagenet": (DISTANCE + "in the features of EfficientNet-Lite0, trained on ImageNet.", "lower"),
    "kd_imagenet": (
        DISTANCE + "in the features of EfficientNet-Lite0, trained on ImageNet; about 0 for real ones, at any number.",
        "lower",
    ),
    "fd_dinov2": (DISTANCE + "in the features of DINOv2.", "lower"),
    "kd_dinov2": (DISTANCE + "in the features of DINOv2; about 0 for real ones, at any number.", "lower"),
    "fd_clip": (DISTANCE + "in the features of CLIP.", "lower"),
    "kd_clip": (DISTANCE + "in the features of CLIP; about 0 for real ones, at any number.", "lower"),
    "swd": (DISTANCE + "seen from many directions one at a time.", "lower"),
    "precision": ("The share of generated images that look like real ones.", "higher"),
    "recall": ("The share of real images that look like something generated: variety.", "higher"),
    "density": ("How many real images lie around a generated one; 1 is as among real ones.", "higher"),
    "coverage": ("The share of real images with a generated one in their neighbourhood: variety.", "higher"),
    "classifier_score": ("Generated images are each of a clear class, and all classes are there.", "higher"),
    "isc": ("Generated images are each of a clear class of Inception's, and many classes are there.", "higher"),
    "ms_ssim": (
        "How alike two generated images are on average: above real images' value, variety is lacking.",
        "lower",
    ),
    "spread": (
        "How varied they are: the mean variance of the features. Far below real images', variety is lacking.",
        "",
    ),
    "score": ("What D thinks of them on average: higher is more real.", ""),
    "auc": (
        "How often D scores a training image above a held-out one: 0.5 is guessing, 1 is knowing them by heart.",
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
    "copies": (
        "The share of images that are copies of a training image, up to a shift by a pixel; the gap is what generated images "
        "have beyond held-out ones.",
        "lower",
    ),
    "attraction": (
        "How many more samples than chance explains have a training image for their nearest real image.",
        "lower",
    ),
    "ct": ("Below -3, samples are nearer to the training images than held-out images are, beyond chance.", ""),
    "authenticity": (
        "The share of images farther from their nearest training image than this is from its own nearest.",
        "",
    ),
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
