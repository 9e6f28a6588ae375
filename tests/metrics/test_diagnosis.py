"""The diagnosis: right on sets of which the truth is known, and on histories written by hand."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.image_sampler import Drawing

from regen.data import mixtures
from regen.data.digits import digits
from regen.metrics.data_metrics import data_metrics
from regen.metrics.diagnosis import Diagnosis, diagnose, read_history
from regen.metrics.discriminator_scores import Scores
from regen.metrics.evaluator import Evaluator
from regen.metrics.feature_variance import Spread
from regen.metrics.features import Own
from regen.metrics.frechet_distance import FrechetDistance
from regen.metrics.kernel_distance import KernelDistance
from regen.metrics.memorization import Memorization
from regen.metrics.missing_modes import MissingModes
from regen.metrics.precision_recall import PrecisionRecall
from regen.utils.randomness import Draws

USE = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/generalization"}
METRICS = (FrechetDistance, KernelDistance, lambda: PrecisionRecall(3), Spread, Memorization, MissingModes, Scores)


@pytest.fixture(scope="module")
def few():
    """Digits, of which only 100 are trained on."""
    data = digits(image_size=12, validation=0.15, test=0.15, **USE)
    return replace(data, train=data.train.take(torch.arange(100)))


@pytest.fixture(scope="module")
def evaluator(few, features):
    metrics = {str(i): make() for i, make in enumerate(METRICS)}
    return Evaluator(few, metrics, Own(), features, samples=250)


def diagnosis_of(evaluator: Evaluator, images: torch.Tensor, data) -> Diagnosis:
    figures = evaluator(Drawing(images))
    return diagnose([figures], modes=data.modes, missing=evaluator.missing, held_out=len(data.validation))


def test_unseen_real_images_generalize_and_the_sentence_states_how_well(evaluator, few):
    found = diagnosis_of(evaluator, few.test.images, few)
    assert found.kind == "generalizes"
    assert "skill 1.0" in found.sentence or "skill 0.9" in found.sentence
    assert "0.0% of the samples are copies" in found.sentence
    assert "training from held-out images" in found.sentence


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100% of the samples"), (0.5, "50% of the samples"), (0.2, "20% of")]
)
def test_copies_are_memorization(evaluator, few, share, said):
    copies = round(250 * share)
    images = torch.cat([few.train.images.repeat(3, 1, 1, 1)[:copies], few.test.images[: 250 - copies]])
    found = diagnosis_of(evaluator, images, few)
    assert found.kind == "memorizes" and said in found.sentence


def test_training_images_with_a_little_noise_are_memorized_too(evaluator, few):
    noisy = few.train.images + 8 * Draws("noise").normal(*few.train.images.shape)
    assert diagnosis_of(evaluator, noisy.clamp(0, 255).to(torch.uint8), few).kind == "memorizes"


def test_single_repeated_unseen_image_is_a_collapse(evaluator, few):
    found = diagnosis_of(evaluator, few.test.images[:1], few)
    assert found.kind == "collapsed"
    assert "0 times the feature variance" in found.sentence


def test_missing_classes_are_named(evaluator, few):
    kept = few.test.images[few.test.labels > 1]
    found = diagnosis_of(evaluator, kept, few)
    assert found.kind == "drops modes" and "class 0, class 1" in found.sentence


def test_gaussian_of_the_pixels_underfits(evaluator, few):
    images = few.full_train.images.float().flatten(1)
    drawn = images.mean(0) + Draws("gaussian").normal(250, len(images)) @ (images - images.mean(0)) / len(images) ** 0.5
    found = diagnosis_of(evaluator, drawn.clamp(0, 255).view(250, *few.shape).to(torch.uint8), few)
    assert found.kind == "underfits" and "0.5 is the least" in found.sentence


def test_numbers_that_are_not_finite_are_divergence(evaluator, few):
    assert diagnosis_of(evaluator, torch.full((4, *few.shape), math.nan), few).kind == "diverged"


def test_few_held_out_images_give_the_same_diagnosis_or_none(few, features):
    """One and the same set of images, with 270 to 5 held-out images."""
    noise = 90 * Draws("held-out").normal(*few.test.images.shape)
    noisy = (few.test.images + noise).clamp(0, 255).to(torch.uint8)
    kinds = []
    for held_out in (270, 60, 15, 5):
        data = replace(few, validation=few.validation.take(torch.arange(min(held_out, len(few.validation)))))
        metrics = {"kernel": KernelDistance(), "memorization": Memorization(), "spread": Spread()}
        found = diagnosis_of(Evaluator(data, metrics, Own(), features, samples=250), noisy, data)
        kinds.append(found.kind)
    assert len({*kinds} - {"inconclusive"}) <= 1, kinds
    assert kinds[-1] == "inconclusive"


def test_modes_of_a_mixture_that_are_found_decide():
    grid = mixtures.grid(train=2000, validation=1000, test=1000, **USE)
    metrics = {"frechet": FrechetDistance(), "memorization": Memorization()} | data_metrics(grid)
    evaluator = Evaluator(grid, metrics, Own(), None, samples=250)

    def near(modes: torch.Tensor) -> torch.Tensor:
        points = modes.repeat(-(-250 // len(modes)), 1)[:250] + grid.std * Draws("points").normal(250, 2)
        return (points / grid.scale).view(250, 2, 1, 1)

    assert diagnosis_of(evaluator, near(grid.means[:5]), grid).kind == "collapsed"
    dropped = diagnosis_of(evaluator, near(grid.means[:23]), grid)
    assert dropped.kind == "drops modes" and "23 of 25 modes are found" in dropped.sentence
    real = diagnosis_of(evaluator, grid.test.images, grid)
    assert real.kind == "generalizes" and "25 of 25 modes are found" in real.sentence
    nowhere = (grid.to_plane(grid.test.images) + 1).view(-1, 2, 1, 1) / grid.scale
    assert diagnosis_of(evaluator, nowhere, grid).kind == "underfits"


GOOD = {"val/skill": 0.9, "val/skill_se": 0.02, "real/copies": 0.0}
NO_COPIES = {"gap/copies": 0.0, "gap/copies_low": -0.01, "gap/copies_high": 0.01}
UNATTRACTED = {"gap/attraction": 0.0, "gap/attraction_se": 0.05, "gap/ct": 0.0}


def row(
    images_seen: int, fd: float = 5.0, attraction: float = 0.0, auc: float = 0.5, **figures: float
) -> dict[str, float]:
    """The figures of an evaluation, by default of good samples without signs of overfitting."""
    distances = {"val/fd": fd, "val/fd_se": 0.2, "gap/fd": 0.0, "real/fd": 0.5}
    memory = NO_COPIES | UNATTRACTED | {"gap/attraction": attraction, "gap/auc": auc, "gap/auc_se": 0.03}
    return {"images_seen": images_seen} | distances | GOOD | memory | figures


def test_overfitting_begins_where_the_signs_stay():
    history = [row(1000, 9, 0.3, 0.7), row(2000, 5, 0.0, 0.6), row(3000, 4, 0.3, 0.8), row(4000, 4, 0.5, 0.9)]
    found = diagnose(history)
    assert (found.kind, found.since) == ("overfits", 3000)
    assert found.sentence.startswith("Overfits from image 3,000 on: D separates training from held-out images")


def test_growing_distance_with_known_training_images_is_overfitting_since_the_best():
    found = diagnose([row(1000, 9), row(2000, 5, 0, 0.8), row(3000, 9, 0, 0.95)])
    assert (found.kind, found.since) == ("overfits", 2000)
    assert "val/fd has grown from 5 at image 2,000 to 9" in found.sentence


def test_growth_within_the_standard_errors_is_not_overfitting():
    noisy = {"val/fd_se": 2.0}
    assert diagnose([row(2000, 5, 0, 0.8, **noisy), row(3000, 9, 0, 0.95, **noisy)]).kind == "generalizes"


@pytest.mark.parametrize(("attraction", "auc"), [(0.5, 0.55), (0.1, 0.99)])
def test_single_sign_is_not_overfitting(attraction, auc):
    assert diagnose([row(1000, 5, attraction, auc)]).kind == "generalizes"


def test_growth_with_an_auc_of_few_images_is_undecided():
    few_images = {"gap/auc_se": 0.1}
    found = diagnose([row(1000, 5), row(2000, 9, 0, 0.72, **few_images)])
    assert found.kind == "inconclusive" and "too few held-out images" in found.sentence


def test_copies_within_chance_are_undecided():
    found = diagnose([row(1000, **{"gap/copies": 0.05, "gap/copies_low": -0.01, "gap/copies_high": 0.08})])
    assert found.kind == "inconclusive" and "5.0% of the samples look like copies" in found.sentence


def test_attraction_beyond_chance_together_with_ct_is_memorization():
    attracted = {"gap/attraction": 0.4, "gap/ct": -6.0}
    assert diagnose([row(1000, **attracted)]).kind == "memorizes"
    assert diagnose([row(1000, **attracted | {"gap/ct": 0.0})]).kind == "generalizes"


def test_skill_with_the_limit_inside_the_interval_is_undecided_and_states_the_images_needed():
    found = diagnose([row(1000, **{"val/skill": 0.6, "val/skill_se": 0.1})], held_out=30)
    assert found.kind == "inconclusive" and "about 120 held-out images" in found.sentence


def test_duplicates_across_the_parts_leave_copies_open():
    found = diagnose([row(1000, **{"real/copies": 0.8})])
    assert found.kind == "inconclusive" and "remove duplicates" in found.sentence


def test_figures_that_were_not_measured_are_named():
    lacking = {name: value for name, value in row(1000).items() if not name.startswith("gap/copies")}
    found = diagnose([lacking])
    assert found.kind == "inconclusive" and "memorization was not measured" in found.sentence


def coded(images_seen: int, elbo: float, gap: float = 9.0, active: float = 14, kl: float = 20.0) -> dict[str, float]:
    """A VAE's figures, with errors of 0.5 nats of the bound and of 0.7 of its gap."""
    bound = {"val/elbo_nats": elbo, "val/elbo_nats_se": 0.5, "gap/elbo_nats": gap, "gap/elbo_nats_se": 0.7}
    samples = GOOD | NO_COPIES | UNATTRACTED
    return samples | bound | {"val/kl_nats": kl, "val/active_units": active, "images_seen": images_seen}


def test_a_code_of_which_no_dimension_is_active_is_posterior_collapse():
    found = diagnose([coded(1000, -200, active=0, kl=0.0123)], latents=16)
    assert found.kind == "collapsed"
    assert "16 latent dimensions is active (KL 0.012" in found.sentence


def test_active_dimensions_end_every_other_sentence():
    found = diagnose([coded(1000, -100, gap=0.4)], latents=16)
    assert found.kind == "generalizes"
    assert "0.4 ± 0.7 nats higher" in found.sentence
    assert found.sentence.endswith("; 14 of 16 latent dimensions are active.")
    assert "is 0.4 ± 0.7 nats lower than" in diagnose([coded(1000, -100, gap=-0.4)]).sentence


def test_falling_bound_below_the_training_images_is_overfitting_since_the_best():
    found = diagnose([coded(1000, -110), coded(2000, -100), coded(3000, -104), coded(4000, -107.5, gap=30)], latents=16)
    assert (found.kind, found.since) == ("overfits", 2000)
    assert found.sentence.startswith(
        "Overfits from image 2,000 on: val/elbo_nats has fallen from -100.0 to -107.5; "
        "the bound of training images is 30.0 nats higher; "
    )


@pytest.mark.parametrize(
    ("best", "last", "gap", "error"),
    [(-100, -101.4, 9, 0.5), (-100, -107, 2, 0.5), (-100, -100.9, 9, 0.01), (-107, -100, 9, 0.5)],
    ids=["by chance", "without a gap beyond chance", "by little", "not at all"],
)
def test_a_bound_that_falls_by_chance_by_little_or_for_all_images_is_no_overfitting(best, last, gap, error):
    history = [coded(1000, best) | {"val/elbo_nats_se": error}, coded(2000, last, gap) | {"val/elbo_nats_se": error}]
    assert diagnose(history).kind == "generalizes"


@pytest.mark.parametrize(
    ("then", "at", "kind"), [(-100.5, 3000, "generalizes"), (-110, 3000, "overfits"), (-110, 1000, "generalizes")]
)
def test_bounds_of_validation_images_alone_are_compared_as_far_as_the_checkpoint_goes(then, at, kind):
    test = {name.replace("val/", "test/"): value for name, value in coded(at, -150).items()}
    found = diagnose([coded(1000, -100), coded(2000, then), test], split="test")
    assert found.kind == kind and (
        kind == "generalizes" or "val/elbo_nats has fallen from -100.0 to -110.0" in found.sentence
    )


def denoised(images_seen: int, loss: float, gap: float) -> dict[str, float]:
    """A flow's figures, with errors of 0.003 of its loss and of 0.002 of the gap."""
    losses = {"val/denoising_loss": loss, "val/denoising_loss_se": 0.003, "train/denoising_loss": loss - gap}
    gaps = {"gap/denoising_loss": gap, "gap/denoising_loss_se": 0.002}
    return GOOD | NO_COPIES | UNATTRACTED | losses | gaps | {"images_seen": images_seen}


@pytest.mark.parametrize(
    ("last", "gap", "kind"),
    [(0.25, 0.05, "overfits"), (0.203, 0.05, "generalizes"), (0.25, 0.004, "generalizes"), (0.19, 0.05, "generalizes")],
    ids=["rises for held-out images", "by little", "for all images", "falls"],
)
def test_rising_denoising_loss_of_held_out_images_is_overfitting(last, gap, kind):
    found = diagnose([denoised(1000, 0.3, 0.0), denoised(2000, 0.2, 0.01), denoised(3000, last, gap)])
    assert found.kind == kind and found.since == (2000 if kind == "overfits" else None)
    assert f"the denoising loss of training images is {gap / last:.1%}" in found.sentence


def test_why_a_run_diverged_is_found():
    assert diagnose([], reason="d/data was not finite at iteration 7").sentence == (
        "Diverged: d/data was not finite at iteration 7."
    )
    assert diagnose([]).kind == "unknown"


def test_the_history_is_read_from_the_rows_that_hold_a_figure(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,images_seen,d/data,gap,val/fd\n1,64,0.5,,\n2,128,,0.1,5.0\n")
    assert read_history(path, ["gap"]) == [{"iteration": 2, "images_seen": 128, "gap": 0.1, "val/fd": 5}]
    assert read_history(tmp_path / "none.csv", ["gap"]) == []


def test_nearer_samples_within_chance_are_undecided():
    found = diagnose([row(1000, **{"gap/attraction": 0.3, "gap/attraction_se": 0.13, "gap/ct": -8.0})])
    assert found.kind == "inconclusive" and "altered copies" in found.sentence


def test_too_few_samples_to_rule_copies_out_are_undecided():
    found = diagnose([row(1000, **{"gap/copies": 0.0, "gap/copies_low": -0.2, "gap/copies_high": 0.31})])
    assert found.kind == "inconclusive" and "up to 31%" in found.sentence


def test_good_samples_that_are_measurably_worse_than_real_images_are_said_to_be():
    assert "measurably worse than real images" in diagnose([row(1000)]).sentence
    assert "worse" not in diagnose([row(1000, **{"val/skill": 0.99})]).sentence


def test_gaps_of_too_few_images_are_not_divergence():
    assert diagnose([row(1000, **{"gap/fd": math.nan, "fake/copies": 0.0})]).kind == "generalizes"
    assert diagnose([row(1000, **{"gap/fd": math.nan, "fake/copies": math.nan})]).kind == "diverged"
