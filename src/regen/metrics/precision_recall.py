"""Quality and coverage apart: which images of one set lie on the manifold of the other, estimated with nearest neighbours."""

from collections.abc import Iterator

import torch
from torch import Tensor

from regen.errors import ConfigError
from regen.metrics.base import Manifold
from regen.metrics.figure import DETAIL, Figure

AT_A_TIME = 256  # rows: what is made of them stays in the cache of a core
LIKE_REAL = "The share of generated images that look like real ones"
DRAWN = "The share of real images that look like something generated: variety."
EXACT = 1e-12  # of the largest squared norm: squared distances in float64 are known to about this


class Neighbourhoods(Manifold):
    """Around each image a ball that reaches to its k-th nearest of the same set, itself not counted: together, the manifold.

    neighbours   k; each set must have k + 1 images
    """

    def __init__(self, neighbours: int) -> None:
        super().__init__()
        if neighbours < 1:
            raise ConfigError(f"neighbours={neighbours}: expected 1 or more")
        self.neighbours, self.fewest = neighbours, neighbours + 1


class PrecisionRecall(Neighbourhoods):
    """Precision and recall from balls around images; symmetric ones by default.

    precision      the share of generated images within the ball of some real image: how many look real
    recall         the share of real images within the ball of some generated image: how much of the data is drawn
                   (Kynkäänniemi et al. 2019, eqs. 1 and 2, k = 3)
    sym_precision  the smaller of precision and of the share of generated images in whose own ball a real image lies
    sym_recall     the smaller of recall and of the share of real images in whose own ball a generated image lies
                   (Khayatkhoei and AbdAlmageed 2023)

    In many dimensions every point near the centre of the data lies in the large balls of outliers, so that the mean image, or
    blurred images, have a precision of 1, and noise a high recall. The second condition asks the other set's balls. All are in
    0..1, boundaries included; they depend on the numbers of images.

    symmetric   report sym_precision and sym_recall instead of precision and recall
    """

    figures: tuple[Figure, ...] = (
        Figure("sym_precision", "symmetric precision", f"{LIKE_REAL}; blurred images do not.", better="higher"),
        Figure("sym_recall", "symmetric recall", DRAWN, better="higher"),
        Figure("precision", "precision", f"{LIKE_REAL}.", better="higher"),
        Figure("recall", "recall", DRAWN, better="higher"),
    )

    def __init__(self, neighbours: int, symmetric: bool = True) -> None:
        super().__init__(neighbours)
        self.symmetric = symmetric
        self.figures = type(self).figures[:2] if symmetric else type(self).figures[2:]

    def of(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        around_real, around_fake = radii(real, self.neighbours), radii(fake, self.neighbours)
        slack = _slack(real, fake)
        in_real_ball, holds_real = (torch.zeros(len(fake), dtype=torch.bool, device=fake.device) for _ in range(2))
        in_fake_ball = holds_fake = 0
        for part, radius in zip(squared_distances(real, fake), around_real.split(AT_A_TIME), strict=True):
            within_real, within_fake = part <= radius[:, None] + slack, part <= around_fake + slack
            in_real_ball |= within_real.any(0)
            holds_real |= within_fake.any(0)
            in_fake_ball += int(within_fake.any(1).count_nonzero())
            holds_fake += int(within_real.any(1).count_nonzero())
        precision, recall = float(in_real_ball.double().mean()), in_fake_ball / len(real)
        if not self.symmetric:
            return {"precision": precision, "recall": recall}
        complements = float(holds_real.double().mean()), holds_fake / len(real)
        return {"sym_precision": min(precision, complements[0]), "sym_recall": min(recall, complements[1])}


class DensityCoverage(Neighbourhoods):
    """density and coverage (Naeem et al. 2020; they use k = 5 and equal numbers of images).

    density    how many balls of real images a generated image lies in, over k: 1 on average for real images, and above it
               where generated ones keep to where the data are dense
    coverage   the share of real images with a generated one in their ball: 0..1, about 1 - 2⁻ᵏ for equally many real ones

    Boundaries excluded, as in the published code. Only real images have balls, so that outliers of G do no harm.
    """

    figures = (
        Figure(
            "density",
            "density",
            "How many real images lie around a generated one, relative to real images: 1 is as many.",
            better="higher",
            priority=DETAIL,
        ),
        Figure(
            "coverage",
            "coverage",
            "The share of real images with a generated one in their neighbourhood: variety.",
            better="higher",
            priority=DETAIL,
        ),
    )

    def of(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        around_real, slack = radii(real, self.neighbours), _slack(real, fake)
        held, covered = 0, 0
        for part, radius in zip(squared_distances(real, fake), around_real.split(AT_A_TIME), strict=True):
            within = part < radius[:, None] - slack
            held, covered = held + int(within.count_nonzero()), covered + int(within.any(1).count_nonzero())
        return {"density": held / (self.neighbours * len(fake)), "coverage": covered / len(real)}


def radii(rows: Tensor, k: int) -> Tensor:
    """(N,) the squared distances from rows (N, F) to their k-th nearest other row, float64; k < N."""
    found = torch.empty(len(rows), dtype=torch.float64, device=rows.device)  # small pieces would fragment the memory
    for part, its in zip(squared_distances(rows, rows), found.split(AT_A_TIME), strict=True):
        its.copy_(part.topk(k + 1, largest=False).values[:, k])
    return found


def squared_distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """Between rows (N, F) and (M, F), float64: a block of rows (·, M) of the first at a time.

    |a|² + |b|² - 2 <a, b> as one product of matrices. float32 would not do: its errors are as large as the distances of
    nearest neighbours in the plane.
    """
    a, b = a.double(), b.double()
    one = torch.ones_like(a[:, :1]), torch.ones_like(b[:, :1])
    left = torch.cat([a, a.square().sum(1, keepdim=True), one[0]], 1)
    right = torch.cat([-2 * b, one[1], b.square().sum(1, keepdim=True)], 1)
    return (part @ right.T for part in left.split(AT_A_TIME))


def _slack(a: Tensor, b: Tensor) -> float:
    """Return the rounding error of a squared distance on the boundary."""
    return EXACT * max(float(rows.double().square().sum(1).max()) for rows in (a, b))
