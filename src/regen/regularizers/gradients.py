"""Penalties on D's input gradient at real and at generated images."""

from typing import ClassVar

from torch import Tensor

from regen import functional
from regen.core.constraints import Cost, Incompatible, layers, losses_but, regularizer_named
from regen.core.forward import BATCH_NORM
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.losses.adversarial import Minimax

EACH_ITS_OWN = (
    layers(
        "discriminator",
        BATCH_NORM,
        "batch norm in D",
        "it couples the images of a batch, so that the gradient of a logit depends on the other images",
        "Type network.discriminator.batch_norm=false, or leave the penalty out",
    ),
    regularizer_named("Packing", "the logit of a pack of images has no gradient of a single image"),
)


class GradientPenalty(Regularizer):
    """Penalty on ||grad_x D(x)||, the gradient with respect to single images."""

    search = {"lambda_d": (1e-1, 1e2)}
    cost = {"d": Cost(second_order=1)}
    incompatible: ClassVar[tuple[Incompatible, ...]] = EACH_ITS_OWN
    reads_input_gradients = True


class R1(GradientPenalty):
    """λ_D ½ E‖∇D(x)‖² on real images.

    Source: Mescheder, Geiger and Nowozin 2018, eq. 9; λ_D is its γ. Convention: ½; ‖·‖² is summed over an image's values.
    GAN_stability's reg_param has no ½: its 10 is λ_D = 20. StyleGAN2's and R3GAN's gamma is λ_D.
    """

    def for_d(self, step: GANStep) -> Tensor:
        return functional.half_mean(step.real_squared_gradients)


class R2(GradientPenalty):
    """λ_D ½ E‖∇D(G(z))‖² on generated images.

    Source: Mescheder, Geiger and Nowozin 2018, eq. 10; λ_D is its γ. Convention: ½; summed over an image's values.
    GAN_stability's reg_param has no ½.
    """

    def for_d(self, step: GANStep) -> Tensor:
        return functional.half_mean(step.fake_squared_gradients)


class R1R2(GradientPenalty):
    """λ_D ½ (E‖∇D(x)‖² + E‖∇D(G(z))‖²).

    Source: Huang et al. 2024 (R3GAN), with loss=relativistic. Convention: ½; summed over an image's values;
    λ_D is the gamma of its code.

    R3GAN decreases λ_D to a tenth along a cosine, as `recipe=r3gan` does.
    """

    cost = {"d": Cost(second_order=2)}

    def for_d(self, step: GANStep) -> Tensor:
        return functional.half_mean(step.real_squared_gradients) + functional.half_mean(step.fake_squared_gradients)


class JSReg(GradientPenalty):
    """λ_D ½ (E (1 - s(D(x)))² ‖∇D(x)‖² + E s(D(G(z)))² ‖∇D(G(z))‖²), s the sigmoid.

    Source: Roth et al. 2017; λ_D is its γ, which its code can decrease to a hundredth. Convention: ½; summed over an image's
    values; the weights are differentiated, too.
    """

    search = {"lambda_d": (1e-2, 1e1)}
    cost = {"d": Cost(second_order=2)}
    incompatible = (
        *EACH_ITS_OWN,
        losses_but(
            (Minimax,), "its weights are those of the Jensen-Shannon divergence", "Type loss=nonsaturating, or r1_r2"
        ),
    )

    def for_d(self, step: GANStep) -> Tensor:
        real_squared_gradients, fake_squared_gradients = (
            step.real_squared_gradients,
            step.fake_squared_gradients,
        )  # first, so that the logits come from the same pass
        real_scores, fake_scores = step.exact_scores("real"), step.exact_scores("fake")
        return functional.jensen_shannon(real_scores, real_squared_gradients, fake_scores, fake_squared_gradients)
