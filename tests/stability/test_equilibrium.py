"""The stability microscope against closed forms: each eigenvalue below is derived by hand from J = [[., f'], [-f', .]]."""

import cmath

import pytest
import torch

from regen.losses import adversarial
from regen.regularizers.augment import DiffAugment, InstanceNoise
from regen.regularizers.features import FeatureMatching
from regen.regularizers.form import SpectralNorm, WeightNorm
from regen.regularizers.game import Consensus
from regen.regularizers.gradients import R1, R1R2, R2, JSReg
from regen.regularizers.interpolates import WganGP, WganLP, ZeroGP
from regen.regularizers.outputs import L1, L2
from regen.regularizers.projections import WeightDecay
from regen.regularizers.scores import Drift, LabelSmoothing, LeCam, Mixup
from regen.regularizers.weights import HistoricalAveraging, Orthonormal, WeightL1, WeightL2
from regen.stability.dirac_gan import Dirac, NoGame
from regen.stability.equilibrium import Best, examine, jacobian, spelt
from regen.stability.phase_plots import trajectory
from regen.stability.quadrature import Quantiles
from regen.utils.project import ROOT

OPTIONS = sorted(path.stem for path in (ROOT / "conf/regularizer").glob("*.yaml"))
H = 0.1


def game(*regularizers, loss=adversarial.Nonsaturating, **options) -> Dirac:
    return Dirac(loss(), {type(one).__name__.lower(): one for one in regularizers}, **options)


def eigenvalues(*regularizers, **options) -> list[complex]:
    return examine(game(*regularizers, **options), H).eigenvalues


def damped(gamma: float, pull: float = 0.5) -> list[complex]:
    """-gamma/2 ± sqrt(gamma²/4 - f'(0)²): one player is damped by gamma (Mescheder 2018, lemma 2.3 and 4.1)."""
    root = cmath.sqrt(gamma**2 / 4 - pull**2)
    return [-gamma / 2 + root, -gamma / 2 - root]


def same(found, expected, within: float = 1e-4) -> bool:
    def order(value: complex) -> tuple[float, float]:
        return round(value.real, 3) + 0.0, value.imag

    pairs = list(zip(sorted(found, key=order), sorted(expected, key=order), strict=True))
    return all(abs(one - other) < within for one, other in pairs)


@pytest.mark.parametrize(
    ("loss", "pull"),
    [
        (adversarial.Nonsaturating, 0.5),
        (adversarial.Minimax, 0.5),
        (adversarial.Relativistic, 0.5),
        (adversarial.RelativisticAverage, 1.0),
        (adversarial.Wasserstein, 1.0),
        (adversarial.Hinge, 1.0),
    ],
)
def test_unregularized_game_rotates_at_the_slope_of_the_loss(loss, pull):
    analysis = examine(game(loss=loss), H)
    assert (
        same(analysis.eigenvalues, [pull * 1j, -pull * 1j], 1e-8) and not analysis.converges and analysis.answer == "no"
    )


@pytest.mark.parametrize("kind", [R1, R2])
@pytest.mark.parametrize("gamma", [0.1, 0.3, 1.0, 2.0])
def test_r1_and_r2_damp_the_discriminator_by_gamma(kind, gamma):
    analysis = examine(game(kind(lambda_d=gamma)), H)
    assert same(analysis.eigenvalues, damped(gamma)) and analysis.converges and analysis.answer == "yes"


def test_the_published_figures_of_r1():
    assert spelt(eigenvalues(R1(lambda_d=0.1))) == "-0.05 ± 0.497i"
    assert spelt(eigenvalues(R1(lambda_d=0.3))) == "-0.15 ± 0.477i"
    assert spelt(eigenvalues(R1(lambda_d=1.0))) == "-0.5 (2)"
    assert spelt(eigenvalues(R1(lambda_d=2.0))) == "-0.134, -1.87"


@pytest.mark.parametrize("strength", [0.01, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("kind", [L2, Drift, LeCam])
def test_l2_on_scores_bounds_but_does_not_damp_at_any_strength(kind, strength):
    analysis = examine(game(kind(lambda_d=strength)), H)
    assert same(analysis.eigenvalues, [0.5j, -0.5j], 1e-6) and not analysis.converges
    assert next(iter(analysis.best.values())) == Best()


def test_l2_on_images_damps_the_generator_at_data_away_from_0():
    assert same(eigenvalues(L2(lambda_g=0.1)), damped(2 * 0.1))
    assert same(eigenvalues(FeatureMatching(lambda_g=0.3)), damped(2 * 0.3))  # D's feature is the image


def test_weight_l2_equals_r1_of_the_same_strength():
    assert same(eigenvalues(WeightL2(lambda_d=0.6)), damped(0.6))
    assert same(eigenvalues(WeightDecay(decay_d=0.6)), damped(0.6))  # acts on the weights, not on the loss


def test_other_penalties_on_the_slope_are_r1_of_another_strength():
    assert same(eigenvalues(R1R2(lambda_d=0.3)), damped(2 * 0.3))
    assert same(eigenvalues(ZeroGP(lambda_d=0.3)), damped(2 * 0.3))  # no half
    assert same(eigenvalues(JSReg(lambda_d=0.6)), damped(0.6 / 2))  # both weights are (1/2)²


@pytest.mark.parametrize("gamma", [0.1, 1.0, 5.0])
def test_consensus_is_the_field_minus_gamma_times_the_gradient_of_the_square(gamma):
    plain = jacobian(game())
    both = jacobian(game(Consensus(lambda_g=gamma, lambda_d=gamma)))
    assert torch.allclose(both, plain - gamma * plain.T @ plain, atol=1e-6)


@pytest.mark.parametrize("std", [0.1, 0.5, 1.0])
def test_instance_noise_damps_by_half_the_variance(std):
    # d²/dψ² of E softplus(-ψn) + E softplus(ψn) is 2 E n² f''(0), with 1/4 for softplus: s²/2.
    assert same(eigenvalues(InstanceNoise(std)), damped(std**2 / 2))


def test_mixup_speeds_up_the_rotation_by_the_variance_of_the_fraction():
    second = 0.25 + 1 / (4 * (2 * 0.2 + 1))  # E m² of Beta(0.2, 0.2)
    more = 0.5 - 1.5 * 0.5 + second  # E (1 - m)(1/2 - m)
    assert same(
        eigenvalues(Mixup(lambda_d=2.0)),
        [1j * cmath.sqrt(0.5 * (0.5 + 2 * more)), -1j * cmath.sqrt(0.5 * (0.5 + 2 * more))],
    )


def test_orthonormal_weights_are_driven_away():
    analysis = examine(game(Orthonormal(lambda_d=0.05)), H)  # λ(ψ² - 1)²: it pushes ψ by 4λψ
    assert same(analysis.eigenvalues, damped(-4 * 0.05)) and analysis.answer == "no, it diverges"


@pytest.mark.parametrize("kind", [WganLP, LabelSmoothing])
def test_regularizer_inactive_near_the_equilibrium_leaves_the_eigenvalues_unchanged(kind):
    assert same(eigenvalues(kind(lambda_d=1.0)), [0.5j, -0.5j], 1e-6)


def test_averages_are_held_at_the_equilibrium():
    historical = HistoricalAveraging(lambda_g=0.25, lambda_d=0.25)
    assert same(eigenvalues(historical), [-0.5 + 0.5j, -0.5 - 0.5j])


def test_a_direction_that_does_nothing_is_left_out():
    assert same(eigenvalues(R1(lambda_d=1.0), WeightNorm()), damped(1.0))


@pytest.mark.parametrize(
    "one", [WganGP(lambda_d=10.0), L1(lambda_g=0.1), WeightL1(lambda_d=1e-5)], ids=lambda one: one.name
)
@pytest.mark.parametrize("loss", [adversarial.Wasserstein, adversarial.Nonsaturating])
def test_a_kink_at_the_equilibrium_is_said_and_no_eigenvalue_made_up(one, loss):
    analysis = examine(game(one, loss=loss), H)
    assert analysis.answer == "singular (kink)" and not analysis.eigenvalues and not analysis.converges


def test_spectral_norm_is_undefined_at_a_weight_of_0():
    assert examine(game(SpectralNorm()), H).answer == "singular (undefined)"


def test_regularizer_hiding_the_only_pixel_is_not_applicable():
    assert "hides images of one pixel from D" in examine(game(DiffAugment()), H).answer
    brightness = DiffAugment(cutout=0.0)  # the rest is noise from U[-1/2, 1/2), of variance 1/12
    assert same(eigenvalues(brightness), damped(1 / 12 / 2))


def test_a_forbidden_combination_says_why():
    with pytest.raises(NoGame, match="its weights are those of the Jensen-Shannon divergence"):
        game(JSReg(lambda_d=1.0), loss=adversarial.Wasserstein)
    with pytest.raises(NoGame, match=r"^r1: relative= needs"):
        game(R1(lambda_d=1.0, relative=0.1))


def test_lazy_penalty_has_the_average_weight():
    assert same(eigenvalues(R1(lambda_d=1.0, interval=16), iteration=7), damped(1.0))


@pytest.mark.parametrize(
    ("one", "strength"),
    [(R1(lambda_d=10.0), 1.0), (R2(lambda_d=0.1), 1.0), (R1R2(lambda_d=3.0), 0.5), (WeightL2(lambda_d=1e-2), 1.0)],
    ids=lambda one: getattr(one, "name", one),
)
def test_the_best_strength_is_the_critical_damping(one, strength):
    (best,) = examine(game(one), H).best.values()
    assert best.strengths["lambda_d"] == pytest.approx(strength, abs=1e-3) and best.bounded
    assert best.rate == pytest.approx(0.5, abs=1e-3)  # gamma* = 2 f'(0) = 1, and then both modes decay at gamma / 2


def test_with_another_loss_the_best_strength_is_another():
    (best,) = examine(game(R1(lambda_d=1.0), loss=adversarial.Wasserstein), H).best.values()
    assert best.strengths["lambda_d"] == pytest.approx(2.0, abs=1e-3)  # 2 f'(0)


def test_search_for_the_best_strength_leaves_the_strength_unchanged():
    one = R1(lambda_d=0.3)
    examine(game(one), H)
    assert one.strengths == {"g": 0.0, "d": 0.3}


def test_the_more_consensus_the_faster():
    (best,) = examine(game(Consensus(lambda_g=1.0, lambda_d=1.0)), H).best.values()
    assert not best.bounded and str(best) == "the largest, without a bound"


def test_simultaneous_steps_drift_away_and_alternating_steps_circle():
    # I + hJ has the eigenvalues 1 ± ih/2; D's step and then G's have determinant 1 and trace 2 - h²/4.
    analysis = examine(game(), H)
    assert analysis.simultaneous == pytest.approx((1 + H**2 / 4) ** 0.5, abs=1e-9)
    assert analysis.alternating == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize(
    "one", [R1(lambda_d=0.7), Consensus(lambda_g=0.3, lambda_d=0.3), InstanceNoise(0.3)], ids=lambda one: one.name
)
def test_near_the_equilibrium_iterations_follow_the_linearisation(one, alternating):
    played = game(one)
    point, matrix = played.at(1e-4, -2e-4), torch.eye(2, dtype=torch.float64) + H * jacobian(played)
    linear = matrix @ point
    if alternating:  # G meets the psi that D has just moved to
        linear[0] = matrix[0] @ torch.stack([point[0], linear[1]])
    assert torch.allclose(played.updated(point, H, alternating), linear, rtol=0, atol=1e-10)


def test_an_iteration_ends_with_the_projection_of_the_weights():
    played, decay = game(WeightDecay(decay_d=0.3)), 1 - H * 0.3
    point = played.at(1e-4, -2e-4)
    expected = torch.tensor([1e-4 + H / 2 * -2e-4, decay * (-2e-4 - H / 2 * 1e-4)], dtype=torch.float64)
    assert torch.allclose(played.updated(point, H, alternating=False), expected, rtol=0, atol=1e-10)


def test_trajectories_of_minimax_leave_with_simultaneous_steps_and_stay_with_alternating_steps():
    played = game(loss=adversarial.Minimax, batch=8)
    away, around = (trajectory(played, H, 300, alternating).norm(dim=1) for alternating in (False, True))
    assert len(away) == len(around) == 301
    assert away[-1] > 1.3 * away[0] and around.max() < 1.15 * around.min()


def test_trajectory_evaluates_the_game_and_no_cached_values():
    played = game(HistoricalAveraging(lambda_g=1.0, lambda_d=1.0), LeCam(lambda_d=1.0), batch=8)
    assert torch.equal(trajectory(played, H, 20, True), trajectory(played, H, 20, True))


def test_quantiles_have_the_moments_of_the_laws():
    draws = Quantiles("test")
    normal, uniform, beta = draws.normal(1024, 2), draws.uniform(1024, 1), draws.beta(0.2, 1024)
    assert (
        torch.allclose(normal.square().mean(0), torch.ones(2).double(), rtol=1e-12)
        and normal.mean(0).abs().max() < 1e-6
    )
    assert not torch.equal(normal[:, 0], normal[:, 1])
    assert uniform.mean().item() == pytest.approx(0.5, abs=1e-6) and uniform.var(correction=0).item() == pytest.approx(
        1 / 12, abs=1e-6
    )
    assert beta.mean().item() == pytest.approx(0.5, abs=1e-5) and beta.var(correction=0).item() == pytest.approx(
        1 / 5.6, abs=1e-4
    )
