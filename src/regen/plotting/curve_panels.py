"""What a run's metrics.csv holds, as curves that belong together: the panels of curves.png and of report.html."""

import csv
import math
from pathlib import Path

DECADES = 1.5  # a panel of positive values that span more is drawn on a logarithmic axis
SMOOTHED = 100  # points: a longer curve is drawn pale, under its running mean
TITLES = {
    "fd": "Fréchet distance",
    "fid": "Fréchet Inception distance",
    "kd": "kernel distance",
    "kid": "kernel Inception distance",
    "fd_imagenet": "Fréchet distance, EfficientNet",
    "kd_imagenet": "kernel distance, EfficientNet",
    "fd_dinov2": "Fréchet distance, DINOv2",
    "kd_dinov2": "kernel distance, DINOv2",
    "fd_clip": "Fréchet distance, CLIP",
    "kd_clip": "kernel distance, CLIP",
    "swd": "sliced Wasserstein distance",
    "classifier_score": "classifier score",
    "isc": "Inception score",
    "ms_ssim": "likeness of pairs (MS-SSIM)",
    "spread": "variance of the features",
    "score": "mean logit of D",
    "sym_precision": "symmetric precision",
    "sym_recall": "symmetric recall",
    "skill_of_drawn": "skill on the modes that are drawn",
    "skill": "skill",
    "gap": "relative gap",
    "generalization": "generalization: skill without copies",
    "copies": "share of samples that are copies",
    "attraction": "attraction to training images",
    "ct": "C_T: z of nearness to training images",
    "repeats": "share of samples that repeat another",
    "authenticity": "share of authentic samples",
    "missing_modes": "share of real images in missing modes",
    "fld": "feature likelihood divergence",
    "ndb": "statistically different bins (NDB)",
    "auc": "AUC of D, training against held-out",
    "mig": "mutual information gap",
    "dci_disentanglement": "disentanglement (DCI)",
    "dci_completeness": "completeness (DCI)",
    "dci_informativeness": "informativeness (DCI)",
    "sap": "separated attribute predictability",
    "modes": "modes found",
    "high_quality": "share of points of high quality",
    "reverse_kl": "reverse KL over modes",
    "elbo_nats": "evidence lower bound, nats an image",
    "elbo_bpd": "evidence lower bound, as bits a value",
    "reconstruction_nats": "-log p(x|z), nats an image",
    "kl_nats": "KL of the code from its prior, nats",
    "active_units": "numbers of the code in use",
    "nll_nats": "-log p(x), nats an image",
    "nll_bpd": "-log p(x), bits a value",
    "nll_ess": "draws that count, for -log p(x)",
    "scale": "scale of the likelihood",
}
AXES = ("iteration", "images_seen")

Points = list[tuple[float, float]]  # (images seen, value or nan), in the order of the file


def series(csv_path: Path) -> dict[str, Points]:
    """The columns that hold a finite value, by name."""
    found: dict[str, Points] = {}
    with open(csv_path, newline="") as file:
        for row in csv.DictReader(file):
            for name in row.keys() - AXES:
                if row[name]:
                    value = float(row[name]) if math.isfinite(float(row[name])) else math.nan
                    found.setdefault(name, []).append((float(row["images_seen"]), value))
    return {name: points for name, points in found.items() if any(math.isfinite(y) for _, y in points)}


def panels(series: dict[str, Points]) -> dict[str, dict[str, Points]]:
    """Series by panel title: quality first, then memorization, losses, logits, regularizers and speed."""
    for player in "gd":  # without a penalty the loss is its data term: one curve is enough
        if series.get(f"{player}/data") == series.get(f"{player}/loss"):
            series.pop(f"{player}/data", None)
    named = sorted((*_panel(name), name) for name in series if not name.endswith("_se"))  # errors of another curve
    found: dict[str, dict[str, Points]] = {}
    for _, title, name in named:
        found.setdefault(title, {})[name] = series[name]
    return found


def _panel(name: str) -> tuple[int, str]:
    """Where a logged name is drawn: the panel's rank and title."""
    kind, _, what = name.rpartition("/")
    if kind.startswith(("g/", "d/")):  # of a regularizer: its share, its strength, its state
        return 7, f"{kind[2:]}: {'share of the gradient of the data term' if what == 'share' else what}"
    if what.startswith("ema_"):  # val/generalization/ema_0.99, see regen.core.ema
        return 1, f"{kind} by decay of the moving average"
    if kind in ("val", "test", "train", "real", "fake"):
        if what in ("skill", "generalization"):
            return 0, "skill and generalization"
        if what == "score":
            return 5, "logits of D, without augmentations"
        return 2 if what in ("copies", "authenticity", "repeats") else 1, TITLES.get(what, what)
    if name == "gap":
        return 2, "relative gap"
    if kind == "gap":
        what = what.removesuffix("_low").removesuffix("_high")  # of an interval
        return (
            (2, TITLES[what])
            if what in ("auc", "copies", "attraction", "ct")
            else (3, f"generalization gap ({TITLES.get(what, what)})")
        )
    if kind in ("g", "d"):
        if what in ("loss", "data"):
            return 4, "losses"
        return (5, "logits of D") if what.endswith("_score") else (6, TITLES.get(what, f"{what}, unweighted"))
    return (9, "images per second") if name == "images_per_second" else (8, name)


def running_mean(points: Points) -> tuple[list[float], list[float]]:
    """Images seen and means over a window of a fortieth of the curve around each point, less at the ends."""
    half = len(points) // 80
    x, y = zip(*points, strict=True)
    windows = [y[max(0, i - half) : i + half + 1] for i in range(len(y))]
    return list(x), [sum(window) / len(window) for window in windows]
