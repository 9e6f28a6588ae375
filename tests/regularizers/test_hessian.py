"""The Hessian penalty, against enumeration and Hessians written out."""

import pytest
import torch
from helpers.tiny_models import make_step
from torch import Tensor, nn
from torch.autograd.functional import hessian

from regen.regularizers.generator import HessianPenalty
from regen.utils.randomness import Draws, seeded

FORM = torch.randn(8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Quadratic(nn.Module):
    """Each pixel p is z^T A_p z, so that its Hessian is A_p + A_p^T."""

    def __init__(self, *forms: Tensor) -> None:
        super().__init__()
        self.forms = nn.Parameter(torch.stack(forms))

    def forward(self, z: Tensor) -> Tensor:
        return torch.einsum("bi,pij,bj->bp", z, self.forms, z)[:, None, None]


def asked(penalty: HessianPenalty, net: nn.Module, z: Tensor | None = None, key: int = 0) -> Tensor:
    """() the penalty at latents (B, 8) by the draws of this key."""
    step = make_step("g", generator=net, rng=lambda purpose: Draws(key, purpose))
    step.z = Draws("z").normal(6, 8).double() if z is None else z
    return penalty.for_g(step)


@pytest.mark.parametrize("directions", [2, 5])
def test_hessian_penalty_estimates_the_variance_over_all_sign_vectors(directions):
    every = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 8)
    expected = torch.einsum("vi,ij,vj->v", every, FORM + FORM.T, every).var(correction=0).item()
    penalty = HessianPenalty(epsilon=0.1, directions=directions)
    draws = torch.stack([asked(penalty, Quadratic(FORM), key=key) for key in range(300)])
    assert abs(draws.mean().item() - expected) < 4 * draws.std().item() / 300**0.5


def test_hessian_penalty_is_the_maximum_over_pixels():
    one, several = (asked(HessianPenalty(), Quadratic(*[s * FORM for s in scales])) for scales in ([1], [1, -3, 2]))
    assert several.item() == pytest.approx(9 * one.item(), rel=1e-7)


def test_gradient_of_hessian_penalty_is_the_gradient_of_the_largest_pixel():
    net = Quadratic(FORM, 3 * FORM)
    value = asked(HessianPenalty(), net)
    value.backward()
    assert not net.forms.grad[0].any()
    along = (net.forms.grad[1] * 3 * FORM).sum().item()  # the penalty is of degree 2 in the form
    assert along == pytest.approx(2 * value.item(), rel=1e-7)


def test_hessian_penalty_agrees_with_written_out_hessians():
    with seeded("curved"):
        net = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 9), nn.Unflatten(1, (1, 3, 3))).double()
    z, rng = Draws("z").normal(4, 8).double(), Draws(0, "hessian_penalty")
    whole = [torch.stack([hessian(lambda z, i=i: net(z[None]).flatten()[i], one) for i in range(9)]) for one in z]
    directions = [rng.signs(4, 8).double() for _ in range(3)]
    curvatures = [torch.einsum("bi,bpij,bj->bp", v, torch.stack(whole), v) for v in directions]
    expected = torch.stack(curvatures).var(dim=0).mean(dim=0).max().item()
    assert asked(HessianPenalty(epsilon=1e-3, directions=3), net, z).item() == pytest.approx(expected, rel=1e-4)


def test_hessian_penalty_of_separable_latents_is_0():
    apart, together = torch.diag(torch.arange(8.0)).double(), torch.ones(8, 8).double()
    z = Draws("z").normal(6, 8).double().round()  # whole numbers and halves: nothing is rounded
    assert asked(HessianPenalty(epsilon=0.5), Quadratic(apart), z) == 0
    assert asked(HessianPenalty(epsilon=0.5), Quadratic(together), z) > 1
