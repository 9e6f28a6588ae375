"""The declarations of the two distances, whose names and meanings depend on the features in which they are measured."""

from regen.metrics.figure import Figure

MEANING = (
    "The distance between the distributions of generated and of real images, in quality and in variety, "
    "in the features of"
)


def frechet(name: str, features: str = "a classifier", title: str = "Fréchet distance") -> Figure:
    """Return the figure of the Fréchet distance in these features."""
    return Figure(name, title, f"{MEANING} {features}.", better="lower", uncertainty="standard error")


def kernel(name: str, features: str = "a classifier", title: str = "kernel distance") -> Figure:
    """Return the figure of the kernel distance in these features."""
    meaning = f"{MEANING} {features}; about 0 for real images, at any number."
    return Figure(name, title, meaning, better="lower", uncertainty="standard error")


def distances_in(option: str, features: str, short: str) -> dict[str, Figure]:
    """Return the renamed distances of a feature source: {"fd": the figure fd_clip, "kd": the figure kd_clip}."""
    return {
        "fd": frechet(f"fd_{option}", features, f"Fréchet distance, {short}"),
        "kd": kernel(f"kd_{option}", features, f"kernel distance, {short}"),
    }
