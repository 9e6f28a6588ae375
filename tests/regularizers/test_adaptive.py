"""ADA and APA: what they do to the images, how often, and how p moves."""

import pytest
import torch
from helpers.tiny_models import images, make_gan, small_nets
from torch import Tensor, nn

from regen.core.forward import squares
from regen.core.input_gradients import Autograd, FiniteDifferences, ForwardMode, Functional
from regen.regularizers import adaptive
from regen.regularizers.adaptive import ADA, APA
from regen.regularizers.augment import InstanceNoise
from regen.regularizers.gradients import R1, R1R2, JSReg
from regen.utils.randomness import Draws

BATCH = 20_000


HUE = torch.tensor([[1.0, -1, 0]]).double()  # a colour whose mean is 0


def near(share: Tensor, expected: float, batch: int = BATCH) -> bool:
    """Whether a share of a batch lies within four standard errors of a probability."""
    return abs(share.float().mean().item() - expected) <= 4 * (expected * (1 - expected) / batch) ** 0.5


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 5, 7), (1, 300, 300)], ids=str)
@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "mixed precision"])
def test_at_p_0_ada_changes_no_bit(shape, mixed):
    batch = torch.rand(3, *shape) * 2 - 1
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        assert torch.equal(ADA(start=0.0).augment(batch, Draws("ada"), None), batch)


@pytest.mark.parametrize("p", [0.25, 1.0])
def test_each_move_of_pixels_happens_with_probability_p(p):
    matrix, shift = ADA(start=p)._moves(torch.zeros(BATCH, 1, 16, 16).double(), Draws("ada"))
    determinant, first = torch.linalg.det(matrix), torch.nn.functional.normalize(matrix[:, 0].abs(), dim=1)
    assert near(determinant < 0, p / 2)  # a reflection is one of two
    assert near((determinant.abs() - 1).abs() > 1e-9, p)  # scaled
    assert near(first.min(1).values > 1e-9, p)  # rotated by no quarter turn
    whole = (shift == shift.round()).all(1)  # a fractional shift has no whole pixels
    assert near(whole, 1 - p)


def test_whole_shifts_are_uniform_up_to_an_eighth_of_a_side():
    _, shift = ADA(start=0.3)._moves(torch.zeros(BATCH, 1, 16, 16).double(), Draws("ada"))
    plain = shift[(shift == shift.round()).all(1)]  # without a fractional shift
    for axis in range(2):
        assert near(plain[:, axis] != 0, 0.75 * 0.3, len(plain))  # by up to 2 pixels, of which 0 is a quarter
        assert torch.equal(plain[:, axis].unique(), torch.arange(-2.0, 3).double())


def test_fractional_shifts_are_normal_with_an_eighth_of_a_side():
    matrix, shift = ADA(start=1.0)._moves(torch.zeros(BATCH, 1, 3, 3).double(), Draws("ada"))  # whole shifts round to 0
    fraction = torch.linalg.solve(matrix, shift) / 3
    assert fraction.std(0).tolist() == pytest.approx([0.125] * 2, rel=0.03)
    assert (fraction.pow(4).mean() / fraction.square().mean().square()).item() == pytest.approx(3, rel=0.1)


def test_anisotropic_scaling_stretches_one_axis_and_shrinks_the_other_by_the_same_factor():
    matrix, _ = ADA(start=1.0)._moves(torch.zeros(BATCH, 1, 16, 16).double(), Draws("ada"))
    values = torch.linalg.svdvals(matrix)  # s / size and 1 / (s size)
    size, stretch = values.prod(1).log2() / -2, (values[:, 0] / values[:, 1]).log2() / 2
    assert size.std().item() == pytest.approx(0.2, rel=0.03)
    assert stretch.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.03)  # |log s|, s lognormal


def test_hue_turns_colours_about_the_grey_axis_by_the_angle():
    axis, angle = torch.full((3,), 3**-0.5).double(), torch.tensor(0.7).double()
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]).double() / 3**0.5
    expected = torch.linalg.matrix_exp(angle * cross)
    colours = torch.eye(3).double().view(3, 3, 1, 1)
    turned = adaptive._hue_rotated(colours, angle.view(1, 1, 1, 1)).view(3, 3)
    assert torch.allclose(turned.T, expected, atol=1e-12) and torch.allclose(expected @ axis, axis)


def test_quarter_turn_has_four_outcomes():
    matrix, _ = ADA(start=0.5)._moves(torch.zeros(BATCH, 1, 16, 16), Draws("ada"))
    plain = matrix[
        (matrix[:, 0].abs().min(1).values < 1e-6) & (torch.linalg.det(matrix) > 0)
    ]  # not rotated, not reflected
    corner = torch.stack([plain[:, 0, 0], plain[:, 1, 0]], dim=1).sign()
    for way, probability in (((1, 0), 5 / 8), ((0, 1), 1 / 8), ((-1, 0), 1 / 8), ((0, -1), 1 / 8)):
        assert near((corner == torch.tensor(way)).all(1), probability, len(plain))


def test_an_image_that_is_not_square_is_turned_by_halves_alone():
    matrix, _ = ADA(start=0.5)._moves(torch.zeros(BATCH, 1, 8, 16), Draws("ada"))
    straight = matrix[matrix[:, 0].abs().min(1).values < 1e-6]
    assert (straight[:, 0, 0] != 0).all()


def coloured(p: float) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 3) what becomes of black, of white and of a colour whose mean is 0."""
    pixels = torch.tensor([[0.0, 0, 0], [1, 1, 1], HUE[0].tolist()]).T.reshape(3, 1, 3).double()
    return ADA(start=p)._coloured(pixels.expand(BATCH, -1, -1, -1), Draws("ada"))[:, :, 0].unbind(2)


@pytest.mark.parametrize("p", [0.25, 1.0])
def test_each_change_of_colour_happens_with_probability_p(p):
    black, white, colour = coloured(p)
    factor = (white - black).mean(1)
    assert near(factor < 0, p / 2)  # inverted
    assert near((factor.abs() - 1).abs() > 1e-9, p)  # contrast
    assert near(black.mean(1) != 0, p)  # brightness
    chroma = (colour - black) / factor.abs()[:, None]
    assert near((chroma.norm(dim=1) - 2**0.5).abs() > 1e-9, p)  # saturation
    assert near((nn.functional.cosine_similarity(chroma, HUE) - 1).abs() > 1e-9, p)


def test_the_inversion_is_of_luma_and_leaves_the_colour():
    black, white, colour = coloured(0.5)
    inverted = (white - black).mean(1) < 0
    kept = torch.isclose(nn.functional.cosine_similarity(colour - black, HUE), torch.ones(()).double())
    assert near(kept[inverted], 0.5, int(inverted.sum())) and near(kept[~inverted], 0.5, int((~inverted).sum()))
    assert torch.allclose((colour - black).sum(1), torch.zeros(()).double(), atol=1e-12)


def test_brightness_is_added_before_contrast_scales():
    black, white, _ = coloured(1.0)
    added = black.mean(1) / (white - black).mean(1)
    assert added.std().item() == pytest.approx(0.2, rel=0.03)
    assert (added.pow(4).mean() / added.var().square()).item() == pytest.approx(3, rel=0.1)  # of a normal law


def test_r1_through_ada_is_that_of_each_images_own_augmentation():
    gan = make_gan(regularizers={"ada": ADA(start=0.5), "r1": R1(lambda_d=1.0)})
    step = gan.step("d", 0, images(6))
    base = torch.cat([torch.zeros(1, 1, 4, 4), torch.eye(16).view(16, 1, 4, 4)])
    seen = [
        gan.objective.regularizers["ada"].augment(one.expand(6, 1, 4, 4), step.rng("real/ada"), step) for one in base
    ]
    jacobians = torch.stack([one - seen[0] for one in seen[1:]], dim=2).flatten(
        3
    )  # (6, 1, 16, 16): an augmentation is affine
    points = gan.objective.regularizers["ada"].augment(step.real, step.rng("real/ada"), step).requires_grad_()
    (input_gradients,) = torch.autograd.grad(gan.discriminator(points).sum(), points)
    expected = torch.einsum("bip,bp->bi", jacobians[:, 0], input_gradients.flatten(1)).square().sum(1).mean() / 2
    assert gan.objective.regularizers["r1"].for_d(step).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("regularizer", [ADA, APA])
@pytest.mark.parametrize("bias", [-9.0, 0.0, 9.0])
def test_p_moves_by_the_images_shown_towards_the_target(regularizer, bias):
    gan, steps = make_gan(regularizers={"it": regularizer(target=0.1, interval=2, span_images=200, start=0.5)}), []
    gan.discriminator.layers[2].bias.data.fill_(bias)
    make = gan.step
    gan.step = lambda *given: steps.append(make(*given)) or steps[-1]
    p, way, signs = 0.5, 0, []
    for number in range(10):
        gan.iterate(images(number=number)[None])
        signs.append(sum((score > 0) - (score < 0) for score in steps[-2].real_scores.tolist()) / 16)
        if number % 2:
            mean = sum(signs[-2:]) / 2
            way = (mean > 0.1) - (mean < 0.1)
            p = min(1.0, max(0.0, p + way * 16 * 2 / 200))
        found = gan.objective.quantities(gan.generator, gan.discriminator)
        assert found == {"d/it/p": pytest.approx(p, abs=1e-6)}
    assert p == {-9.0: 0.0, 9.0: 1.0}.get(bias, p) != 0.5


def seen_by_d(gan) -> list[Tensor]:
    seen: list[Tensor] = []
    gan.discriminator.register_forward_pre_hook(lambda net, given: seen.append(given[0].detach()))
    return seen


def test_apa_replaces_a_fraction_of_real_images_of_d_by_generated_images():
    gan = make_gan(regularizers={"apa": APA(start=0.3)})
    seen, step = seen_by_d(gan), gan.step("d", 0, images(4000))
    assert step.real_scores.shape == step.fake_scores.shape == (4000,)
    replaced = (seen[0] == step.fake).all((1, 2, 3))
    assert near(replaced, 0.3, 4000)
    assert torch.equal(seen[0][~replaced], step.real[~replaced])
    assert torch.equal(seen[1], step.fake)


class Quadratic(nn.Module):
    """D(x) = ½ ‖x‖², whose gradient is x."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x.square().flatten(1).sum(1) / 2


@pytest.mark.parametrize("make_method", [Autograd, Functional, ForwardMode, FiniteDifferences])
@pytest.mark.parametrize("penalty", [R1, R1R2, JSReg])
def test_r1_with_apa_is_taken_at_the_images_shown_to_d(make_method, penalty):
    chosen = {"apa": APA(start=0.5), "penalty": penalty(lambda_d=1.0)}
    nets = {**small_nets(), "discriminator": Quadratic()}
    gan = make_gan(regularizers=chosen, nets=nets, gradient_method=make_method())
    step = gan.step("d", 0, images())
    replaced = (step.rng("real/apa").uniform(16) < 0.5).view(-1, 1, 1, 1)
    assert 0 < replaced.sum() < 16
    real, fake = (squares(shown) / 2 for shown in (torch.where(replaced, step.fake, images()), step.fake))
    expected = {
        R1: real.mean(),
        R1R2: real.mean() + fake.mean(),
        JSReg: ((1 - real.sigmoid()).square() * real + fake.sigmoid().square() * fake).mean(),
    }[penalty]
    assert gan.objective.regularizers["penalty"].for_d(step).item() == pytest.approx(expected.item(), rel=1e-4)


def test_apa_leaves_gs_updates_and_passes_for_other_purposes_alone():
    gan = make_gan(regularizers={"apa": APA(start=1.0)})
    seen, of_g, of_d = seen_by_d(gan), gan.step("g", 0, images()), gan.step("d", 0, images())
    for score in (lambda: of_g.real_scores, lambda: of_d.rescore(images(), "mixup")):
        score()
        assert torch.equal(seen[-1], images())


def test_apa_acts_first_even_if_listed_last():
    gan = make_gan(regularizers={"noise": InstanceNoise(0.5), "apa": APA(start=0.5)})
    seen, step = seen_by_d(gan), gan.step("d", 0, images())
    assert step.real_scores.isfinite().all()
    chosen = (step.rng("real/apa").uniform(16) < 0.5).view(-1, 1, 1, 1)
    assert 0 < chosen.sum() < 16
    noise = 0.5 * step.rng("real/noise").normal(16, 1, 4, 4)
    assert torch.equal(seen[0], torch.where(chosen, step.fake, step.real) + noise)
