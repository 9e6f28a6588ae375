"""Memorization: whether generated images lie nearer to training images than to images that G has never seen."""

import torch
from torch import Tensor

from regen.metrics.manifold import squared_distances
from regen.metrics.metric import Look, SampleMetric
from regen.randomness import Draws

RESAMPLES = 200
KNOWN = 12  # neighbours: a resample holds a row with probability 1 - 1/e, and none of 12 in 6 of a million cases
AT_ONCE = 2**17  # rows of resamples: some 20 MB
NORMAL = 1.96  # standard errors on each side of a 95 % interval


class Nearest(SampleMetric):
    """nearest: E d(G(z), nearest training image) / E d(G(z), nearest held-out image), distances of features.

    1 for a generator that is as near to images it has never seen, 0 for one that copies; a share p of copies among good
    samples comes to about 1 - p. As many training as held-out images, since the nearest of more is nearer. Reported as
    gap/nearest with a 95 % interval, gap/nearest_low to gap/nearest_high, from bootstrapping generated, training and
    held-out images alike. (Ratio of nearest neighbours: Meehan, Chaudhuri and Dasgupta 2020 test the same question by ranks.)
    """

    figures = ("nearest", "nearest_low", "nearest_high")
    parts = ("fake", "train", "held_out")

    def of(self, fake: Tensor, train: Tensor, held_out: Tensor) -> dict[str, float]:
        sides = [neighbours(fake, real) for real in (train, held_out)]
        ratio = _ratio(*(distances[:, 0] for distances, _ in sides))
        draws = Draws("nearest", device=fake.device)
        sizes = [len(fake), len(train), len(held_out)]
        at_once = max(1, AT_ONCE // len(fake))
        parts = [range(start, min(start + at_once, RESAMPLES)) for start in range(0, RESAMPLES, at_once)]
        of_resamples = torch.cat([_resampled(sides, [_chosen(sizes, draws) for _ in part]) for part in parts])
        half = NORMAL * float(of_resamples.std())
        return {"nearest": ratio, "nearest_low": max(0.0, float(ratio) - half), "nearest_high": float(ratio) + half}

    def names(self, split: str) -> tuple[str, ...]:
        return tuple(f"gap/{name}" for name in self.figures)

    def measure(self, look: Look) -> dict[str, float]:
        found = self._asked(fake=look.fake, train=look.some_train, held_out=look.some_held_out)
        return {f"gap/{name}": value for name, value in found.items()}


def neighbours(rows: Tensor, among: Tensor, known: int = KNOWN) -> tuple[Tensor, Tensor]:
    """Of rows (N, F) the distances (N, K) to their nearest of `among` (M, F), ascending, and whose they are; K <= known, M."""
    near = [some.topk(min(known, len(among)), largest=False) for some in squared_distances(rows, among)]
    return torch.cat([one.values for one in near]).clamp_min(0).sqrt(), torch.cat([one.indices for one in near])


def _chosen(sizes: list[int], draws: Draws) -> list[Tensor]:
    """Which rows are in one bootstrap resample of sets of these sizes, each (size,)."""
    return [draws.integers(size, size) for size in sizes]


def _resampled(sides: list[tuple[Tensor, Tensor]], drawn: list[list[Tensor]]) -> Tensor:
    """(R,) the ratio in each of R bootstrap resamples, of which the generated, training and held-out images were drawn."""
    rows, *sets = (torch.stack(one) for one in zip(*drawn, strict=True))
    nearest = []
    for (distances, indices), chosen in zip(sides, sets, strict=True):
        held = torch.zeros_like(chosen, dtype=torch.bool).scatter_(1, chosen, True)
        there = held.gather(1, indices[rows].flatten(1)).view(*rows.shape, -1)
        there[..., -1] = True
        nearest.append(distances[rows, there.int().argmax(2)])
    return _ratio(*nearest)


def _ratio(train: Tensor, held_out: Tensor) -> Tensor:
    """Of distances (..., N), () or over the leading dimensions."""
    return train.double().mean(-1) / held_out.double().mean(-1).clamp_min(1e-300)
