"""A regularizer of your own."""

from torch import Tensor

from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer


class RowVariation(Regularizer):
    """lambda_g * E |G(z)_i - G(z)_{i+1}|: generated images vary little along their rows."""

    search = {"lambda_g": (1e-2, 10.0)}  # the strengths that `regen choose` tries

    def for_g(self, step: GANStep) -> Tensor:
        """Return the penalty () without its strength; step.real, step.fake_scores, step.z, … are there as well."""
        return step.fake.diff(dim=3).abs().mean()
