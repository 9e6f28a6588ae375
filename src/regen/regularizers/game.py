"""Penalty on the game's gradient field."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from regen.core.condition import join
from regen.core.constraints import Cost
from regen.core.distributed import pooled
from regen.core.forward import eager, float32, plain_attention, still, total
from regen.core.gan_step import GANStep
from regen.core.objective import Loss
from regen.core.regularizer import Regularizer
from regen.regularizers.gradients import EACH_ITS_OWN

Parameters = dict[str, Tensor]


class Consensus(Regularizer):
    """λ ½ (‖∇_θ L_G‖² + ‖∇_ψ L_D‖²) on both players' losses, of their data terms.

    Source: Mescheder, Nowozin and Geiger 2017; its γ. Convention: ½; summed over all parameters.

    The estimate is biased: the squared norm of a minibatch's gradient is larger than that of the expected gradient. It is
    also costly, since both networks are in one graph.
    """

    search = {"lambda_g": (1e-3, 1e2), "lambda_d": (1e-3, 1e2)}
    cost = {"g": Cost(d=2, g=1, second_order=2), "d": Cost(d=2, g=1, second_order=2)}
    incompatible = EACH_ITS_OWN[:1]

    def for_g(self, step: GANStep) -> Tensor:
        return self._field(step, dict(step.generator.named_parameters()), _copies(step.discriminator))

    def for_d(self, step: GANStep) -> Tensor:
        return self._field(step, _copies(step.generator), dict(step.discriminator.named_parameters()))

    def _field(self, step: GANStep, of_g: Parameters, of_d: Parameters) -> Tensor:
        with (
            float32(step.real),
            still(step.generator),
            still(step.discriminator),
            eager(),
            plain_attention(),
        ):
            fake = functional_call(step.generator, of_g, (join(step.z, step.classes),))
            twin = step.twin("d", step.generator, lambda *x: functional_call(step.discriminator, of_d, x), fake)
            losses = (_data_term(twin).for_d(twin), list(of_d.values())), (self._loss_of_g(twin), list(of_g.values()))
            return total(self._squared(loss, parameters) for loss, parameters in losses) / 2

    def _loss_of_g(self, twin: GANStep) -> Tensor:
        twin.player = "g"  # the same scores of the same images: no pass is made twice
        return _data_term(twin).for_g(twin)

    def _squared(self, loss: Tensor, parameters: list[Tensor]) -> Tensor:
        found = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
        return total(pooled(gradient).square().sum() for gradient in found if gradient is not None)


def _data_term(step: GANStep) -> Loss[GANStep]:
    if step.loss is None:
        raise ValueError("Consensus needs a step with the data term")
    return step.loss


def _copies(net: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters as leaves, so that gradients do not reach the network."""
    return {name: parameter.detach().requires_grad_() for name, parameter in net.named_parameters()}
