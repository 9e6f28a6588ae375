"""Missing modes: classes, or clusters of real images, that generated images leave out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.features.classifier import FeatureNet
from regen.metrics.figure import DETAIL, PERCENT, Figure
from regen.metrics.image_set import ImageSet
from regen.metrics.kernel_distance import KernelDistance, kernel_distance, skill_of
from regen.utils.randomness import key

if TYPE_CHECKING:
    from regen.data.images import Images

IMAGES_A_CLUSTER, FEWEST_CLUSTERS, MOST_CLUSTERS = 40, 5, 30
RARE = 0.5  # a bin is missing if it is drawn less than this part as often as in real images, beyond chance
LEVEL = 0.01  # of the one-sided tests of all bins together (Bonferroni)


class MissingModes(SampleMetric):
    """Compares how often generated and real images fall into the bins of a partition (Richardson and Weiss 2018).

        val/missing_modes   share of real images in bins that generated images neglect: drawn less than half as often as
                            real ones, and significantly fewer (one-sided two-proportion z tests at 1 % together)
        val/skill_of_drawn  the skill with regard to held-out images outside of these bins, if there are such bins: samples
                            that are good but for the missing modes have a high one; val/skill_of_drawn_se
        val/ndb             number of statistically different bins over the number of bins, tests at 5 % each; real images
                            score about 0.05

    Bins are the classes where the features come with a classifier of the data's classes; otherwise k-means clusters of real
    features (between 5 and 30, one for 40 images), fitted to training images. `missing` names the bins of the last
    measurement. Real images are training and held-out images together.
    """

    figures = (
        Figure(
            "missing_modes",
            "share of real images in missing modes",
            "The share of real images in classes or clusters that samples hardly reach.",
            unit=PERCENT,
            better="lower",
        ),
        Figure(
            "ndb",
            "statistically different bins (NDB)",
            "The share of classes or clusters that are drawn significantly too often or too rarely.",
            better="lower",
            priority=DETAIL,
        ),
        Figure(
            "skill_of_drawn",
            "skill on the modes that are drawn",
            "The skill with regard to those held-out images whose class or cluster is drawn.",
            better="higher",
            uncertainty="standard error",
        ),
    )
    outputs = ("missing_modes", "ndb")
    parts = ("fake", "real")
    fewest = 2

    def __init__(self) -> None:
        super().__init__()
        self.classes: int | None = None
        self.missing: list[str] = []
        self._centres: Tensor | None = None

    def check(self, data: Images, net: nn.Module) -> None:
        known = isinstance(net, FeatureNet) and data.classes not in (None, 1)
        self.classes = data.classes if known else None
        self.class_names = list(data.class_names) or [str(i) for i in range(data.classes or 0)]

    def names(self, split: str) -> tuple[str, ...]:
        return f"{split}/missing_modes", f"{split}/ndb"

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        if self.classes is None and self._centres is None:
            rows = self._gathered(real=look.stand_ins, fake=look.held_out)
            if rows is None:
                return {}
            self._centres = _centres(rows["real"])
        self.reset()
        self.update(self.view(look.fake), "fake")
        for real in (look.stand_ins, look.held_out):
            self.update(self.view(real), "real")
        found = {name: float(value) for name, value in self.compute().items()}
        self.reset()
        found["skill_of_drawn"], found["skill_of_drawn_se"] = self._skill_of_drawn(look)
        return {f"{look.split}/{name}": value for name, value in found.items() if not math.isnan(value)}

    def view(self, seen: ImageSet) -> Tensor:
        """(N, F) features, or probabilities (N, K) of the classes."""
        return seen.features if self.classes is None else seen.probabilities

    def of(self, fake: Tensor, real: Tensor) -> dict[str, float]:
        bins = self.classes or len(cast(Tensor, self._centres))
        drawn, wanted = (self._bin_of(rows).bincount(minlength=bins).double().cpu() for rows in (fake, real))
        p, q = drawn / len(fake), wanted / len(real)
        pooled = (drawn + wanted) / (len(fake) + len(real))
        error = (pooled * (1 - pooled) * (1 / len(fake) + 1 / len(real))).sqrt().clamp_min(1e-12)
        z = (q - p) / error
        normal = torch.distributions.Normal(0.0, 1.0)
        missing = (z > normal.icdf(torch.tensor(1 - LEVEL / bins))) & (p < RARE * q)
        self._missing_bins = missing.nonzero()[:, 0]
        self.missing = [self._name(i) for i in self._missing_bins.tolist()]
        return {"missing_modes": float(q[missing].sum()), "ndb": float((z.abs() > 1.96).double().mean())}

    def _skill_of_drawn(self, look: EvaluationBatch) -> tuple[float, float]:
        """See `MissingModes`; nan if no bin is missing, or too few held-out images are left."""
        if not self.missing or look.baseline is None:
            return math.nan, math.nan
        real = self._gathered(real=look.held_out)
        rows = [self._gathered_features(images) for images in (look.held_out, look.fake, look.baseline)]
        held_out, fake, baseline = rows
        if real is None or held_out is None or fake is None or baseline is None:
            return math.nan, math.nan
        bins = self._bin_of(real["real"])
        kept = held_out[~torch.isin(bins, self._missing_bins.to(bins.device))]
        if len(kept) < KernelDistance.fewest:
            return math.nan, math.nan
        return skill_of(*kernel_distance(fake, kept), *kernel_distance(baseline, kept))

    def _gathered_features(self, images: ImageSet) -> Tensor | None:
        """(N, F) the features of a set, those of all processes; None if they are not finite."""
        self.update(images.features, "real")
        with self.sync_context(should_sync=self._to_sync):
            rows = self._rows("real")
        self.reset()
        return rows if rows.isfinite().all() else None

    def _bin_of(self, rows: Tensor) -> Tensor:
        return (
            rows.argmax(1)
            if self.classes is not None
            else torch.cdist(rows.float(), cast(Tensor, self._centres)).argmin(1)
        )

    def _name(self, number: int) -> str:
        return f"class {self.class_names[number]}" if self.classes is not None else f"cluster {number}"


def _centres(features: Tensor) -> Tensor:
    """(K, F) of k-means clusters of features (N, F)."""
    from sklearn.cluster import KMeans

    clusters = min(MOST_CLUSTERS, max(FEWEST_CLUSTERS, len(features) // IMAGES_A_CLUSTER), len(features))
    fitted = KMeans(clusters, n_init=1, random_state=key("missing_modes") % 2**31).fit(features.cpu().numpy())
    return torch.from_numpy(fitted.cluster_centers_).float().to(features.device)
