"""Penalties on outputs, against sums over plain numbers."""

import pytest
import torch
from helpers.tiny_models import SHAPE, images, linear_critic, make_step
from torch import nn

from regen.errors import ConfigError
from regen.regularizers.outputs import L1, L2, L2Literal, TotalVariation

VALUES = 16  # of an image of SHAPE


class Constant(nn.Module):
    """All pixels of all images are `value`."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.value.expand(len(z), *SHAPE)


class Fixed(nn.Module):
    """The images themselves, whatever z."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.images = nn.Parameter(images)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.images


def of_g(penalty, value: float) -> float:
    """The penalty on a generator all of whose pixels are `value`."""
    return penalty.for_g(make_step("g", Constant(value))).item()


def of_d(penalty, *scores: float) -> float:
    """The penalty on a critic with these scores of the real images."""
    one_pixel = torch.zeros(1, 4, 4)
    one_pixel[0, 0, 0] = 1
    real = torch.zeros(len(scores), 1, 4, 4)
    real[:, 0, 0, 0] = torch.tensor(scores)
    return penalty.for_d(make_step("d", discriminator=linear_critic(one_pixel), real=real)).item()


def test_l2_of_g_is_the_mean_square_of_an_images_values():
    assert of_g(L2(lambda_g=1), 0.5) == pytest.approx(0.25)


def test_l1_of_g_is_the_mean_absolute_value():
    assert of_g(L1(lambda_g=1), -0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(("penalty", "share"), [(L2, 0.25), (L1, 0.5), (L2Literal, 0.25)])
def test_reduce_sum_is_the_mean_times_the_number_of_values(penalty, share):
    assert of_g(penalty(lambda_g=1, reduce="sum"), 0.5) == pytest.approx(VALUES * share)


def test_penalty_of_several_images_is_the_mean():
    step = make_step("g")
    assert L2(lambda_g=1).for_g(step).item() == pytest.approx(step.fake.square().mean().item(), rel=1e-6)
    assert L1(lambda_g=1, reduce="sum").for_g(step).item() == pytest.approx(step.fake.abs().sum().item() / 16, rel=1e-6)


def test_l2_of_d_is_the_mean_squared_logit_of_the_real_images():
    assert of_d(L2(lambda_d=1), 3.0, -1.0) == pytest.approx((9 + 1) / 2)


def test_l1_of_d_is_the_mean_absolute_logit():
    assert of_d(L1(lambda_d=1), 3.0, -1.0) == pytest.approx((3 + 1) / 2)


def test_d_has_a_single_logit_per_image_and_reduce_changes_nothing():
    assert of_d(L2(lambda_d=1, reduce="sum"), 3.0, -1.0) == of_d(L2(lambda_d=1), 3.0, -1.0)


def test_the_literal_l2_squares_the_probability():
    third = 1 / (1 + 2.0)  # s(-log 2)
    assert of_d(L2Literal(lambda_d=1), 0.0, -0.6931471805599453) == pytest.approx((0.5**2 + third**2) / 2)


def test_ds_penalty_does_not_ask_for_the_fakes():
    step = make_step("d")
    L2(lambda_d=1).for_d(step)
    assert "fake" not in vars(step) and "z" not in vars(step)


def test_the_gradient_pulls_an_image_to_grey():
    step = make_step("g", Constant(0.5), real=images(1))
    L2(lambda_g=1).for_g(step).backward()
    assert step.generator.value.grad == pytest.approx(2 * 0.5)


def test_another_reduction_is_refused():
    with pytest.raises(ConfigError, match="L2: reduce must be one of mean, sum, got 'max'"):
        L2(reduce="max")


def variation(drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The images (B, C, H, W) as G's, their total variation."""
    made = make_step("g", generator=Fixed(drawn), real=torch.zeros_like(drawn))
    return made.generator.images, TotalVariation(lambda_g=1).for_g(made)


def test_total_variation_is_the_sum_of_all_differences_between_neighbours():
    drawn = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = 0.0
    for image in drawn.flatten(0, 1).tolist():
        expected += sum(abs(row[j + 1] - row[j]) for row in image for j in range(4))
        expected += sum(abs(image[i + 1][j] - image[i][j]) for i in range(3) for j in range(5))
    assert variation(drawn)[1].item() == pytest.approx(expected / 3, rel=1e-12)


def test_variation_of_a_square_is_the_perimeter_and_of_a_flat_image_0():
    square = torch.zeros(1, 1, 8, 8)
    square[..., 2:5, 3:6] = 0.5
    assert variation(square)[1] == 12 * 0.5
    assert variation(torch.full((2, 1, 8, 8), 0.7))[1] == 0


def test_gradient_of_variation_counts_lower_minus_higher_neighbours():
    peak = torch.tensor([[[[0.0, 0.5], [0.25, 1.0]]]], dtype=torch.float64)
    drawn, value = variation(peak)
    value.backward()
    assert torch.equal(drawn.grad, torch.tensor([[[[-2.0, 0.0], [0.0, 2.0]]]], dtype=torch.float64))


def test_image_of_one_row_varies_along_the_row_alone():
    assert variation(torch.tensor([[[[0.0, 1.0, -1.0]]]]))[1] == 3
