"""Penalties on D's features, the input of its last layer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from regen.core.constraints import D_ALONE, Cost, regularizer_named
from regen.core.distributed import pooled
from regen.core.forward import HEAD, features, last_layer
from regen.core.gan_step import GANStep
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError


class FeatureMatching(Regularizer):
    """λ_G ‖E f(x) - E f(G(z))‖², f the features of D.

    Source: Salimans et al. 2016, section 3.1, where it replaces the data term. Convention: no ½; summed over features.
    Its code takes the mean over F features, of squares for MNIST and of absolute values for CIFAR-10: the same square has
    λ_G = 1 / F.
    """

    search = {"lambda_g": (1e-3, 1e1)}
    cost = {"g": Cost(d=1)}

    def for_g(self, step: GANStep) -> Tensor:
        return pooled(step.real_features.mean(0) - step.fake_features.mean(0)).square().sum()


class PullingAway(Regularizer):
    """λ_G 1/(B(B-1)) Σ_{i≠j} cos²(f(G(z_i)), f(G(z_j))), f the features of D.

    Source: Zhao, Mathieu and LeCun 2017 (EBGAN). Convention: over the pairs of a process's batch.

    Pushes apart samples with similar features.
    """

    search = {"lambda_g": (1e-3, 1e1)}

    def for_g(self, step: GANStep) -> Tensor:
        directions = F.normalize(step.fake_features, dim=1)
        squared, batch = (directions @ directions.T).square(), len(directions)
        return (squared.sum() - squared.diagonal().sum()) / max(1, batch * (batch - 1))


class Rotation(Regularizer):
    """λ_D E CE(h(f(r x)), r) + λ_G E CE(h(f(r G(z))), r), r one of four quarter turns, h a layer on D's features f.

    Source: Chen et al. 2019 (SSGAN); α is λ_G, β is λ_D. Convention: a quarter of a process's batch, turned
    in all four ways.

    Reduces D's forgetting: D keeps predicting the rotation, and G is trained so that the rotation is predictable. h is
    learnt with D. Raises ConfigError if D's last layer is not linear, or the images are not square.
    """

    acts_on_pixels = True
    search = {"lambda_g": (1e-2, 1e1), "lambda_d": (1e-2, 1e1)}
    cost = {"g": Cost(d=1), "d": Cost(d=1)}
    incompatible = (D_ALONE, regularizer_named("Packing", "a pack of differently rotated images has no single label"))

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        name, layer = last_layer(discriminator)
        if not isinstance(layer, nn.Linear):
            raise ConfigError(
                f"{self.name} needs a linear layer at the end of D, and {name} is a {type(layer).__name__}"
            )
        setattr(discriminator, HEAD + "rotation", nn.Linear(layer.in_features, 4))

    def for_g(self, step: GANStep) -> Tensor:
        return self._answered(step, step.fake)

    def for_d(self, step: GANStep) -> Tensor:
        return self._answered(step, step.real.detach())

    def _answered(self, step: GANStep, images: Tensor) -> Tensor:
        if images.shape[2] != images.shape[3]:
            raise ConfigError(f"{self.name} needs square images, got {images.shape[2]} x {images.shape[3]}")
        some = images[: -(-len(images) // 4)]
        turned = torch.cat([some.rot90(quarters, dims=(2, 3)) for quarters in range(4)])
        with features(step.discriminator) as seen:
            step.rescore(turned, "rotation", step.first_classes(len(some), times=4))
        answers = getattr(step.discriminator, HEAD + "rotation")(seen[-1])
        return F.cross_entropy(answers, torch.arange(4, device=images.device).repeat_interleave(len(some)))
