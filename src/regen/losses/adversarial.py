"""Data terms of GANs. Scores are logits (B,); each term returns a scalar to minimise."""

import torch.nn.functional as F
from torch import Tensor

from regen.core.distributed import everyone
from regen.core.gan_step import GANStep
from regen.core.objective import Loss


class Minimax(Loss):
    """min_G max_D E log s(D(x)) + E log(1 - s(D(G(z)))), s the sigmoid (Goodfellow 2014, eq. 1)."""

    def for_d(self, step: GANStep) -> Tensor:
        return F.softplus(-step.real_scores).mean() + F.softplus(step.fake_scores).mean()

    def for_g(self, step: GANStep) -> Tensor:
        return -F.softplus(step.fake_scores).mean()


class Nonsaturating(Minimax):
    """D as in Minimax; G minimises -E log s(D(G(z))), which does not vanish while D wins (Goodfellow 2014, section 3)."""

    def for_g(self, step: GANStep) -> Tensor:
        return F.softplus(-step.fake_scores).mean()


class Hinge(Loss):
    """D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); G: -E D(G(z)) (Lim and Ye 2017; Miyato 2018, eq. 16-17)."""

    def for_d(self, step: GANStep) -> Tensor:
        return F.relu(1 - step.real_scores).mean() + F.relu(1 + step.fake_scores).mean()

    def for_g(self, step: GANStep) -> Tensor:
        return -step.fake_scores.mean()


class Wasserstein(Loss):
    """D: E D(G(z)) - E D(x); G: -E D(G(z)) (Arjovsky 2017, eq. 2-3). D must be kept Lipschitz by a regularizer."""

    def for_d(self, step: GANStep) -> Tensor:
        return step.fake_scores.mean() - step.real_scores.mean()

    def for_g(self, step: GANStep) -> Tensor:
        return -step.fake_scores.mean()


class LeastSquares(Loss):
    """D: 1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2; G: 1/2 E (D(G(z)) - 1)^2 (Mao 2017, eq. 9)."""

    def for_d(self, step: GANStep) -> Tensor:
        return ((step.real_scores - 1).square().mean() + step.fake_scores.square().mean()) / 2

    def for_g(self, step: GANStep) -> Tensor:
        return (step.fake_scores - 1).square().mean() / 2


class Relativistic(Loss):
    """D: E softplus(-(D(x) - D(G(z)))), G with the opposite sign: pairs of one real and one fake (Jolicoeur-Martineau 2018)."""

    def for_d(self, step: GANStep) -> Tensor:
        return F.softplus(step.fake_scores - step.real_scores).mean()

    def for_g(self, step: GANStep) -> Tensor:
        return F.softplus(step.real_scores - step.fake_scores).mean()


class RelativisticAverage(Loss):
    """D: E softplus(m_f - D(x)) + E softplus(D(G(z)) - m_r), G with the opposite signs.

    m_f and m_r are the mean logits of the generated and of the real images of the batch, over all processes. The paper's
    RaSGAN (Jolicoeur-Martineau 2018); its code halves both losses.
    """

    def for_d(self, step: GANStep) -> Tensor:
        return _above_average(step.real_scores, step.fake_scores)

    def for_g(self, step: GANStep) -> Tensor:
        return _above_average(step.fake_scores, step.real_scores)


def _above_average(high: Tensor, low: Tensor) -> Tensor:
    """Return the loss () that is small if logits `high` (B,) are above the mean of `low` (B,), and `low` below theirs."""
    high, low = (everyone(scores[:, None])[:, 0] for scores in (high, low))
    return F.softplus(low.mean() - high).mean() + F.softplus(low - high.mean()).mean()


class Article(Minimax):
    """The article's losses to the letter: D as in Minimax, G minimises E||G(z) - x||^2, summed over an image's values.

    z and x are drawn independently, so that the best G is the mean image: no adversarial signal reaches G.
    """

    def for_g(self, step: GANStep) -> Tensor:
        return (step.fake - step.real).square().flatten(1).sum(1).mean()
