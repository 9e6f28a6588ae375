"""Penalties on the slope of D with respect to its images."""

from torch import Tensor, nn

from regen.errors import ConfigError
from regen.objective import Regularizer
from regen.step import GANStep

BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class SlopePenalty(Regularizer):
    """A penalty that differentiates D(x) with respect to x.

    Raises ConfigError if D has batch norm: it couples the images of a batch, so that the slope of a score is not its own
    image's alone.
    """

    reads_slope = True

    def attach(self, generator: nn.Module, discriminator: nn.Module) -> None:
        for name, layer in discriminator.named_modules():
            if isinstance(layer, BATCH_NORM):
                raise ConfigError(
                    f"{self.name} needs a discriminator without batch norm, and layer {name} of "
                    f"{type(discriminator).__name__} is one: it couples the images of a batch, so that a gradient penalty "
                    "penalises the wrong slope. Type network.discriminator.batch_norm=false, or leave the penalty out."
                )


class R1(SlopePenalty):
    """lambda_d * 1/2 * E ||grad_x D(x)||^2 on real images (Mescheder 2018, eq. 9: with the half; lambda_d is its gamma).

    ||.||^2 is summed over an image's values, as in the paper. Costs one second-order backward pass through D.
    """

    def for_d(self, step: GANStep) -> Tensor:
        return step.real_slope.square().flatten(1).sum(1).mean() / 2
