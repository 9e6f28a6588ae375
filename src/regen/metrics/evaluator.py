"""The evaluator of a model: what is generated, what it is compared with, and the figures of all metrics."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from regen.data.split import Files, Split
from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.features.base import Source
from regen.metrics.gaussian_baseline import gaussian_images
from regen.metrics.generalization import generalization
from regen.metrics.image_set import AT_A_TIME, ImageSet
from regen.metrics.memorization import Memorization
from regen.metrics.monitor import first_distance, names, renamed
from regen.metrics.reference_features import Reference, fixed_order, reference
from regen.models.protocols import n_classes_of

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.models.base import Model

log = logging.getLogger(__name__)


class Evaluator:
    """Called with a model, it generates `samples` images, always of the same latents, and returns {"val/fd": …}.

    All processes call it together; each generates and compares a part, and all get the figures of the whole. Generated
    images are rounded to 8 bits where the data have as many, so that the figures are those of the images' files.

    metrics   by name; one that makes no sense for the data or the features is left out, with a note
    source    where features come from; `cache` is the folder in which they are kept (None will do where nothing is)
    split     "val" or "test": the held-out images

    Two figures are made of others:

        gap                 (held-out - training) / held-out of the first distance: the relative gap; gap_se
        val/generalization  skill * (1 - memorized), memorized the larger of gap/copies and of gap/attraction, this if it is
                            beyond chance, both in 0..1; val/generalization_se. 1: as good as unseen real images; 0: no
                            better than a Gaussian of the pixels, or nothing but copies

    Raises ConfigError on fewer samples than a metric needs.
    """

    def __init__(
        self,
        data: Images,
        metrics: Mapping[str, SampleMetric],
        source: Source,
        cache: Path | None,
        device: torch.device | str = "cpu",
        samples: int = 2000,
        split: str = "val",
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.samples, self.split, self.device, self.rank, self.world = samples, split, device, rank, world
        self.cache = cache
        kept = cast(Path, cache)  # None only where nothing is kept
        self.source, self.net = source, source.load(data, kept, device)
        self.metrics = {name: metric.to(device) for name, metric in metrics.items() if self._fits(name, metric, data)}
        for name, metric in self.metrics.items():
            if samples < metric.fewest:
                raise ConfigError(f"{samples} generated images are too few: {name} needs {metric.fewest} or more")
        self.in_bytes = data.train.shape[1:] != (1, 1)
        fitted = self._take_real_images(data, kept)
        self.baseline = self._share(self._baseline(fitted, data.name, cache)) if self.in_bytes else None

    def _take_real_images(self, data: Images, cache: Path) -> Split | Files:
        """Set the held-out and training images of all evaluations, and return the whole training part."""
        held_out = "validation" if self.split == "val" else "test"
        sets = {part: reference(data, part, self.net, cache, self.device) for part in (held_out, "train", "full_train")}
        _ = sets[held_out].features  # now: what is taken of them then is not computed again
        sets = {part: images.take(fixed_order(images)) for part, images in sets.items()}
        everyone = torch.arange(self.samples)
        n = min(len(sets["train"]), len(sets[held_out]), self.samples)
        most = min(self.samples, len(sets["full_train"]))
        self.held_out_set, self.training_set = sets[held_out], sets["train"]
        self.held_out = self._share(sets[held_out])
        self.some_held_out = self._share(sets[held_out].take(everyone[:n]))
        self.some_train = self._share(sets["train"].take(everyone[:n]))
        stand_ins = sets["full_train"].take(everyone[:most])
        if self.world == 1:
            _ = stand_ins.features
        self.stand_ins, self.some_stand_ins = self._share(stand_ins), self._share(stand_ins.take(everyone[:n]))
        self.sizes = {"sized_fake": most, "some_fake": n}
        return cast(Split | Files, sets["full_train"].source)

    @property
    def names(self) -> list[str]:
        """Names of the measured figures."""
        return names(self.metrics.values(), self.source, self.split)

    @property
    def missing(self) -> list[str]:
        """The bins that the last measurement found missing; see `MissingModes`."""
        return [name for metric in self.metrics.values() for name in getattr(metric, "missing", ())]

    def look(self, model: Model) -> EvaluationBatch:
        """Generate this process's samples of the model, and return them with the real images to compare."""
        each = -(-self.samples // self.world)
        first, last = self.rank * each, min((self.rank + 1) * each, self.samples)
        drawn = [self._as_saved(model.sample(i, min(AT_A_TIME, last - i)).cpu()) for i in range(first, last, AT_A_TIME)]
        images = torch.cat(drawn) if drawn else torch.empty(0, *self.held_out.shape)
        if diverged := len(images) - int(images.isfinite().flatten(1).all(1).sum()):
            log.warning(
                "%d of %d generated images are not finite, so that their figures are nan", diverged, len(images)
            )
        labels = model.sample_labels(first, len(images)) if n_classes_of(model) else None
        fake = ImageSet(images if labels is None else Split(images, labels), self.net, self.device)
        _ = fake.features  # now: what is taken of them then is not computed again
        parts = {name: fake.take(torch.arange(max(0, min(n, last) - first))) for name, n in self.sizes.items()}
        return EvaluationBatch(
            self.split,
            model,
            fake,
            self.held_out,
            self.stand_ins,
            some_train=self.some_train,
            some_held_out=self.some_held_out,
            some_stand_ins=self.some_stand_ins,
            training_set=self.training_set,
            held_out_set=self.held_out_set,
            baseline=self.baseline,
            memorization=next((one for one in self.metrics.values() if isinstance(one, Memorization)), None),
            cache=self.cache,
            **parts,
        )

    def __call__(self, model: Model) -> dict[str, float]:
        return self.measure(self.look(model))

    def metrics_of(self, name: str) -> list[SampleMetric]:
        """Return the metrics that one of the figures is made of."""
        needed = list(self.metrics.values())
        if name in ("gap", "gap_se"):  # of the first distance among all metrics
            return needed
        for metric in self.metrics.values():
            others = [other for other in needed if other is not metric]
            if name in names(others, self.source, self.split):
                needed = others
        return needed

    def measure(self, look: EvaluationBatch, metrics: Sequence[SampleMetric] | None = None) -> dict[str, float]:
        """The figures of a look by some of the metrics (None: by all), under the names that they bear in these features."""
        found: dict[str, float] = {}
        metrics = list(self.metrics.values()) if metrics is None else metrics
        for metric in metrics:
            found |= metric.measure(look)
        found = generalization(found, self.split) | found
        distance = first_distance(metrics)
        if distance:
            gap, train, error = (found[name] for name in (f"gap/{distance}", f"train/{distance}", f"gap/{distance}_se"))
            found = {"gap": _relative(gap, train), "gap_se": abs(error / (train + gap)), **found}
        return {renamed(name, self.source): value for name, value in found.items()}

    def _as_saved(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] rounded as in a file of 8 bits; what is not finite stays so."""
        if not self.in_bytes:
            return images
        return images.float().add(1).mul(127.5).round().clamp(0, 255).div(127.5).sub(1)

    def _baseline(self, train: Split | Files, name: str, cache: Path | None) -> ImageSet:
        """Return as many images of the baseline, a Gaussian of the training pixels, as are generated."""
        images = gaussian_images(train, self.samples)
        if cache is None or next(self.net.parameters(), None) is None:
            return ImageSet(images, self.net, self.device)
        return Reference(images, self.net, self.device, Path(cache) / "references", f"{name}-baseline")

    def _fits(self, name: str, metric: SampleMetric, data: Images) -> bool:
        try:
            metric.check(data, self.net)
        except ConfigError as error:
            log.info("metrics: %s is left out: %s", name, error)
            return False
        return True

    def _share(self, seen: ImageSet) -> ImageSet:
        return seen if self.world == 1 else seen.take(torch.arange(self.rank, len(seen), self.world))


def _relative(gap: float, train: float) -> float:
    """Return gap = held-out - train as a share of held-out."""
    return 0.0 if train + gap <= 0 else gap / (train + gap)  # an unbiased distance may be negative
