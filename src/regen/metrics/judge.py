"""Judge: all that is measured of a model at an evaluation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from omegaconf import DictConfig

from regen.build import build
from regen.errors import ConfigError
from regen.metrics.features.source import Source
from regen.metrics.metric import Comparison, Look, SampleMetric
from regen.metrics.references import reference
from regen.metrics.seen import AT_A_TIME, Seen
from regen.randomness import permutation

if TYPE_CHECKING:
    from regen.data.images import Images
    from regen.model import Model

log = logging.getLogger(__name__)


class Judge:
    """Called with a model, it generates `samples` images, always of the same latents, and returns {"val/fd": …}.

    All processes call it together; each generates and compares a share, and all get the figures of the whole.

    metrics   by name; one that makes no sense for the data or the features is left out, with a note
    source    where features come from; `cache` is the folder in which they are kept (None will do where nothing is)
    split     "val" or "test": the held-out images

    `gap` is one number for all of it: the share of the first distance to held-out images by which G is nearer to training
    images, (held-out - train) / held-out at equal numbers. 0: no nearer; 1: on top of them.

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
        self.source, self.net = source, source.load(data, cache, device)
        self.metrics = {name: metric.to(device) for name, metric in metrics.items() if self._fits(name, metric, data)}
        for name, metric in self.metrics.items():
            if samples < metric.fewest:
                raise ConfigError(f"{samples} generated images are too few: {name} needs {metric.fewest} or more")
        held_out = "validation" if split == "val" else "test"
        sets = {part: reference(data, part, self.net, cache, device) for part in (held_out, "train", "full_train")}
        _ = sets[held_out].features  # now: what is taken of them then is not computed again
        n = min(len(sets["train"]), len(sets[held_out]), samples)
        self.held_out = self._share(sets[held_out])
        self.some_held_out = self._share(sets[held_out].take(_some(n, len(sets[held_out]), data.name, held_out)))
        self.some_train = self._share(sets["train"].take(_some(n, len(sets["train"]), data.name, "train")))
        all_of, most = len(sets["full_train"]), min(samples, len(sets["full_train"]))
        self.stand_ins = self._share(sets["full_train"].take(_some(most, all_of, data.name, "stand-ins")))

    @property
    def names(self) -> list[str]:
        """Of what it measures."""
        return names(self.metrics.values(), self.source, self.split)

    def look(self, model: Model) -> Look:
        """What there is to be measured of the model."""
        each = -(-self.samples // self.world)
        first, last = self.rank * each, min((self.rank + 1) * each, self.samples)
        drawn = [model.sample(i, min(AT_A_TIME, last - i)).cpu() for i in range(first, last, AT_A_TIME)]
        fake = Seen(torch.cat(drawn) if drawn else torch.empty(0, *self.held_out.shape), self.net, self.device)
        return Look(self.split, model, fake, self.held_out, self.stand_ins, self.some_train, self.some_held_out)

    def __call__(self, model: Model) -> dict[str, float]:
        return self.measure(self.look(model))

    def measure(self, look: Look) -> dict[str, float]:
        """The figures of a look, under the names that they bear in these features."""
        found: dict[str, float] = {}
        for metric in self.metrics.values():
            found |= metric.measure(look)
        distance = _distance(self.metrics.values())
        if distance:
            found = {"gap": _relative(found[f"gap/{distance}"], found[f"train/{distance}"]), **found}
        return {renamed(name, self.source): value for name, value in found.items()}

    def _fits(self, name: str, metric: SampleMetric, data: Images) -> bool:
        try:
            metric.check(data, self.net)
        except ConfigError as error:
            log.info("metrics: %s is left out: %s", name, error)
            return False
        return True

    def _share(self, seen: Seen) -> Seen:
        return seen if self.world == 1 else seen.take(torch.arange(self.rank, len(seen), self.world))


def make_metrics(cfg: DictConfig, data: Images, model: Model) -> dict[str, SampleMetric]:
    """The chosen metrics, and those that only this data set has; one that does not suit the model is left out, with a note."""
    chosen = {name: node for name, node in cfg.metrics.items() if name != "features"}
    made = {n: build(node, f"metrics.{n}", SampleMetric) for n, node in chosen.items()} | data.own_metrics()
    return {name: metric for name, metric in made.items() if _suits(name, metric, model)}


def _suits(name: str, metric: SampleMetric, model: Model) -> bool:
    try:
        metric.suits(model)
    except ConfigError as error:
        log.info("metrics: %s is left out: %s", name, error)
        return False
    return True


def names(metrics: Iterable[SampleMetric], source: Source, split: str = "val") -> list[str]:
    """What a judge with these metrics measures."""
    metrics = list(metrics)
    found = [*(["gap"] if _distance(metrics) else []), *(name for metric in metrics for name in metric.names(split))]
    return [renamed(name, source) for name in found]


def is_higher_better(name: str, metrics: Iterable[SampleMetric]) -> bool:
    """Whether more of this figure is better. (No gap is better when it is larger; a ratio of 1 means no gap.)"""
    kind, _, figure = name.partition("/")
    return name == "gap/nearest" or (kind != "gap" and any(figure in metric.higher for metric in metrics))


def ranked(metrics: Iterable[SampleMetric], source: Source, split: str = "val") -> dict[str, bool]:
    """The figures on held-out images that have a best, and whether more of them is better."""
    compared = [(one, name) for one in metrics if isinstance(one, Comparison) for name in one.figures]
    return {renamed(f"{split}/{name}", source): name in one.higher for one, name in compared}


def _distance(metrics: Iterable[SampleMetric]) -> str | None:
    """The first figure that compares and is better when lower."""
    compared = (
        name for one in metrics if isinstance(one, Comparison) for name in one.figures if name not in one.higher
    )
    return next(compared, None)


def _relative(gap: float, train: float) -> float:
    """Of gap = held-out - train, the share of held-out."""
    return 0.0 if train + gap <= 0 else gap / (train + gap)  # an unbiased distance may be negative


def renamed(name: str, source: Source) -> str:
    """What a figure is called in the features of this source."""
    kind, _, figure = name.rpartition("/")
    return f"{kind}/{source.renames[figure]}" if figure in source.renames else name


def _some(n: int, of: int, name: str, part: str) -> torch.Tensor:
    """(n,) indices below `of`, drawn without replacement: the same for every run of a data set."""
    return permutation(of, "frechet", name, part)[:n]
