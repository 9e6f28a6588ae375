"""The board: the figures of an evaluation side by side, on held-out and on training images, and of real ones."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

COLUMNS = ("held out", "training", "gap", "real", "generated")
WIDE = 130  # characters: room for the words, too
PLACES = {"val": "held out", "test": "held out", "train": "training", "gap": "gap", "real": "real", "fake": "generated"}
WORDS = {
    "": "share of the first distance that G is nearer to training images",
    "fd": "Fréchet distance",
    "fid": "Fréchet Inception distance",
    "kd": "kernel distance",
    "kid": "kernel Inception distance",
    "swd": "sliced Wasserstein distance",
    "precision": "share of samples that lie among real images",
    "recall": "share of real images that lie among samples",
    "classifier_score": "Inception score by a classifier of our own",
    "isc": "Inception score",
    "density": "real neighbourhoods around a sample, 1 as for real ones",
    "coverage": "share of real images with a sample in their neighbourhood",
    "spread": "variance of the features",
    "nearest": "distance to the nearest training / held-out image",
    "score": "D's mean logit",
    "auc": "how well D tells training from held-out images: 0.5 not at all",
    "ms_ssim": "likeness of pairs of images",
    "modes": "modes found",
    "high_quality": "share of points within 3σ of a mode",
    "reverse_kl": "unevenness of the modes",
}


def board(title: str, figures: Mapping[str, float]) -> Table:
    """A table of {"val/fd": …, "gap/nearest_low": …}: a row for each figure, a column for each place."""
    table = Table("", title=title, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    if Console().width >= WIDE:
        table.add_column("", style="dim")
    for figure, cells in _rows(figures).items():
        row = [figure or "gap", *(cells.get(column, "") for column in COLUMNS), WORDS.get(figure, "")]
        table.add_row(*row[: len(table.columns)])
    return table


def _rows(figures: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """{"fd": {"held out": "3.1 ± 0.2", …}}: standard errors and intervals stand behind what they belong to."""
    rows: dict[str, dict[str, str]] = {}
    for name, value in figures.items():
        kind, _, figure = name.partition("/")
        if any(figure.endswith(end) and name.removesuffix(end) in figures for end in ("_se", "_low", "_high")):
            continue
        rows.setdefault(figure, {})[PLACES.get(kind, "held out")] = _cell(figures, name, value)
    return rows


def _cell(figures: Mapping[str, float], name: str, value: float) -> str:
    text = f"{value:.3g}"
    if (error := figures.get(f"{name}_se")) is not None:
        text += f" ± {error:.2g}"
    if (low := figures.get(f"{name}_low")) is not None:
        text += f" [{low:.2f}–{figures[f'{name}_high']:.2f}]"
    return text
