"""The Hessian penalty, against enumeration and Hessians written out."""

import pytest
import torch
from test_generator import curved, matrix, step_of
from torch import Tensor, nn
from torch.autograd.functional import hessian

from regen.randomness import Draws
from regen.regularizers.generator import HessianPenalty


class Quadratic(nn.Module):
    """Each pixel p is z^T A_p z, so that its Hessian is A_p + A_p^T."""

    def __init__(self, *matrices: Tensor) -> None:
        super().__init__()
        self.matrices = nn.Parameter(torch.stack(matrices))

    def forward(self, z: Tensor) -> Tensor:
        return torch.einsum("bi,pij,bj->bp", z, self.matrices, z)[:, None, None]


@pytest.mark.parametrize("directions", [2, 5])
def test_the_hessian_penalty_estimates_the_variance_over_all_sign_vectors(directions):
    form, penalty = matrix(8, 8), HessianPenalty(epsilon=0.1, directions=directions)
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 8)
    expected = torch.einsum("vi,ij,vj->v", every, form + form.T, every).var(correction=0).item()
    draws = torch.stack([penalty.for_g(step_of(Quadratic(form), key=key)) for key in range(300)])
    assert abs(draws.mean().item() - expected) < 4 * draws.std().item() / 300**0.5


def test_the_hessian_penalty_is_of_the_pixel_with_the_largest_variance():
    one = HessianPenalty().for_g(step_of(Quadratic(matrix(8, 8))))
    several = HessianPenalty().for_g(step_of(Quadratic(*[scale * matrix(8, 8) for scale in (1, -3, 2)])))
    assert several.item() == pytest.approx(9 * one.item(), rel=1e-7)


def test_the_hessian_penalty_agrees_with_hessians_written_out():
    net = curved()
    step, rng = step_of(net, batch=4), Draws(0, "hessian_penalty")
    whole = [torch.stack([hessian(lambda z, i=i: net(z[None]).flatten()[i], z) for i in range(16)]) for z in step.z]
    directions = [rng.signs(4, 8).double() for _ in range(3)]
    curvatures = [torch.einsum("bi,bpij,bj->bp", v, torch.stack(whole), v) for v in directions]
    expected = torch.stack(curvatures).var(dim=0).mean(dim=0).max().item()
    assert HessianPenalty(epsilon=1e-3, directions=3).for_g(step).item() == pytest.approx(expected, rel=1e-4)


def test_the_hessian_penalty_of_latents_that_act_each_on_its_own_is_0_exactly():
    step = step_of(Quadratic(torch.diag(torch.arange(8.0)).double()))
    step.z = step.z.round()  # whole numbers and halves: nothing is rounded
    assert HessianPenalty(epsilon=0.5).for_g(step) == 0
    assert HessianPenalty(epsilon=0.5).for_g(step_of(Quadratic(torch.ones(8, 8).double()))) > 1
