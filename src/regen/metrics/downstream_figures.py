"""The figures of downstream tasks (`regen.downstream`), logged as "downstream/augment"; each has a baseline and a gain."""

from regen.metrics.figure import DETAIL, PERCENT, Figure
from regen.metrics.registry import declare

MEANINGS = {
    "cas": (
        "accuracy of a classifier of generated images",
        "Accuracy on real images of a classifier trained on generated ones (classification accuracy score).",
    ),
    "augment": (
        "accuracy with generated images",
        "Accuracy of a classifier trained on real and generated images, copies of training images left out.",
    ),
    "features": (
        "accuracy of a probe of features",
        "Accuracy of a linear probe of the discriminator's or the encoder's features.",
    ),
    "front": ("accuracy of a probe of latents", "Accuracy of a linear probe of the latents of real images."),
    "shared": (
        "accuracy with a shared trunk",
        "Accuracy of a classifier on the discriminator's or the encoder's trunk, trained jointly with the generative loss.",
    ),
}


def _figures(name: str, title: str, meaning: str) -> tuple[Figure, ...]:
    return (
        Figure(name, title, meaning, PERCENT, "higher", "standard error"),
        Figure(
            f"{name}_baseline",
            f"best baseline of {name}",
            f"Accuracy of the best baseline of the task {name}, which uses no generative model.",
            PERCENT,
            "higher",
            "standard error",
            priority=DETAIL,
        ),
        Figure(
            f"{name}_gain",
            f"gain over the best baseline of {name}",
            f"Accuracy of the task {name} less that of its best baseline, on the same images with the same seeds.",
            PERCENT,
            "higher",
            "standard error",
        ),
    )


declare((figure for name, words in MEANINGS.items() for figure in _figures(name, *words)), __name__)
