"""The kernel distance between generated and real images, and the skill that is derived from it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from regen.metrics.base import Comparison, EvaluationBatch
from regen.metrics.distances import kernel
from regen.metrics.figure import Figure

if TYPE_CHECKING:
    from regen.data.images import Images

AT_A_TIME = 256  # rows: what is made of them stays in the cache of a core
SKILL = Figure(
    "skill",
    "skill",
    "1: as near to held-out images as unseen real images are; 0: no nearer than a Gaussian of the training pixels.",
    better="higher",
    uncertainty="standard error",
    priority=2,
    panel="skill and generalization",
)


def kernel_distance(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The unbiased squared maximum mean discrepancy of features (N, F) and (M, F), and its standard error; N, M > 2.

        mean of k(a_i, a_j) over i ≠ j  +  mean of k(b_i, b_j) over i ≠ j  -  2 mean of k(a_i, b_j)
        k(x, y) = (<x, y> / F + 1)³

    (Gretton et al. 2012; in Inception's features it is the KID of Bińkowski et al. 2018, who average it over subsets
    of 1,000.) All rows are used at once. Its expectation does not depend on N and M; it is 0 for two samples of one law,
    so that values below 0 are as likely as those above.

    The error is that of independent rows. Of Hoeffding's decomposition of k(x, y) let A, B and C, within a, within b and
    between, be the variances of what depends on both rows, and V_a that of E k(a, a') - E k(a, b) over a. Then the variance is

        4/N V_a + 4/M V_b + 2/(N (N - 1)) A + 2/(M (M - 1)) B + 4/(N M) C

    The first two vanish if both sets are of one law, the others are soon negligible if they are not (Sutherland et al. 2017
    have the same for N = M). V_a is estimated by the variance of row means, less what A and C contribute to it; that the
    estimate is not let below 0 makes the error some per cent too large for sets of one law (a quarter in one dimension).
    """
    n, m = len(a), len(b)
    aa, _, of_aa = _means(a, a, itself=True)
    bb, _, of_bb = _means(b, b, itself=True)
    ab, ba, of_ab = _means(a, b)
    distance = aa.mean() + bb.mean() - 2 * ab.mean()
    of_one = 4 / n * ((aa - ab).var() - of_aa / (n - 1) - of_ab / m)
    of_one += 4 / m * ((bb - ba).var() - of_bb / (m - 1) - of_ab / n)
    of_both = 2 / (n * (n - 1)) * of_aa + 2 / (m * (m - 1)) * of_bb + 4 / (n * m) * of_ab
    return float(distance), float((of_one.clamp_min(0) + of_both).sqrt())


def _means(a: Tensor, b: Tensor, itself: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """The means of k(a_i, b_j) over j (N,), over i (M,), and the variance () of what depends on both; float64.

    `itself`: a is b, and pairs of a row with itself do not count.
    """
    n, m = len(a), len(b)
    rows, over_i = [], torch.zeros(m, dtype=torch.float64, device=a.device)
    squares = torch.zeros((), dtype=torch.float64, device=a.device)
    for i, part in zip(range(0, n, AT_A_TIME), a.split(AT_A_TIME), strict=True):
        k = (part @ b.T).div_(a.shape[1]).add_(1).pow_(3)
        if itself:
            k.diagonal(i).zero_()
        rows.append(k.sum(1).double())
        over_i += k.sum(0)
        squares += k.square_().sum(1).double().sum()
    pairs = n * (m - itself)
    over_j, over_i = torch.cat(rows) / (m - itself), over_i / (n - itself)
    of_both = squares / pairs - over_j.mean().square() - over_j.var() - over_i.var()
    return over_j, over_i, of_both.clamp_min(0)


def kernel_gap_error(train: Tensor, held_out: Tensor, fake: Tensor) -> float:
    """The standard error of kernel_distance(fake, held_out) - kernel_distance(fake, train); rows (n, F), (n, F), (N, F).

    To first order the gap is a sum of independent terms, one for each row: of a held-out row b the difference
    2 (E k(b, b') - E k(b, f)), of a training row the same with the other sign, and of a generated row f
    2 (E k(f, t) - E k(f, b)).
    """
    terms, of_fake = [], []
    for real in (held_out, train):
        within, between = _means(real, real, itself=True)[0], _means(real, fake)
        terms.append(2 * (within - between[0]))
        of_fake.append(2 * between[1])
    variances = [side.var() / len(side) for side in (*terms, of_fake[1] - of_fake[0])]
    return float(torch.stack(variances).sum().sqrt())


class KernelDistance(Comparison):
    """kd, the kernel distance between features of generated and real images (see `kernel_distance`), and the skill.

        val/skill   1 - kd(generated) / kd(baseline), both from held-out images. The baseline is a Gaussian with the mean and
                    covariance of the training pixels. 1: as good as real images; 0: no better than the baseline;
                    comparable between data sets. val/skill_se, its standard error, from those of both distances

    kd does not depend on the numbers of images in expectation, so all generated images are used. The skill is left out
    for points in the plane, and nan where the baseline is indistinguishable from real images.
    """

    figures = (kernel("kd"), SKILL)
    fewest = 3  # two leave no variance to what depends on one row

    def __init__(self) -> None:
        super().__init__()
        self._of_baseline: tuple[float, float] | None = None
        self.has_skill = True

    def check(self, data: Images, net: nn.Module) -> None:
        super().check(data, net)
        self.has_skill = data.shape[1:] != (1, 1)

    def of(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        return {"kd": kernel_distance(fake, real)[0]}

    def with_errors(self, real: Tensor, fake: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        distance, error = kernel_distance(fake, real)
        return {"kd": distance}, {"kd": error}

    def gap_errors_of(self, train: Tensor, held_out: Tensor, fake: Tensor) -> dict[str, float]:
        return {"kd": kernel_gap_error(train, held_out, fake)}

    @property
    def outputs(self) -> tuple[str, ...]:
        """The distance: `measure` adds the skill."""
        return ("kd",)

    def names(self, split: str) -> tuple[str, ...]:
        skill = (f"{split}/skill", f"{split}/skill_se") if self.has_skill else ()
        return *super().names(split), *skill

    def measure(self, look: EvaluationBatch) -> dict[str, float]:
        found = super().measure(replace(look, sized_fake=look.fake))
        if look.baseline is None:
            return found
        if self._of_baseline is None:
            figures, errors = self._measured(real=look.held_out, fake=look.baseline)
            self._of_baseline = figures["kd"], errors["kd"]
        distance, error = found[f"{look.split}/kd"], found[f"{look.split}/kd_se"]
        skill, skill_se = skill_of(distance, error, *self._of_baseline)
        return found | {f"{look.split}/skill": skill, f"{look.split}/skill_se": skill_se}


def skill_of(distance: float, error: float, baseline: float, baseline_error: float) -> tuple[float, float]:
    """1 - distance / baseline and its standard error; nan where the baseline is within three errors of 0."""
    if not baseline > 3 * baseline_error:
        return math.nan, math.nan
    ratio = distance / baseline
    return 1 - ratio, math.hypot(error, ratio * baseline_error) / baseline
