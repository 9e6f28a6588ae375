"""The closing sentence: right on generators of which the answer is known, and on histories written by hand."""

import math
from dataclasses import replace

import pytest
import torch
from drawing import Drawing

from regen.data import mixtures
from regen.data.digits import digits
from regen.metrics.features import Own
from regen.metrics.frechet import FrechetDistance
from regen.metrics.evaluator import Evaluator
from regen.metrics.manifold import DensityCoverage, PrecisionRecall
from regen.metrics.nearest import Nearest
from regen.metrics.scores import Scores
from regen.metrics.spread import Spread
from regen.metrics.diagnosis import Verdict, read_history, verdict
from regen.randomness import Draws

USE = {"batch_size": 32, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}


@pytest.fixture(scope="module")
def few():
    """Digits, of which only 100 are trained on."""
    data = digits(image_size=12, validation=0.15, test=0.15, **USE)
    return replace(data, train=data.train.take(torch.arange(100)))


@pytest.fixture(scope="module")
def judge(few, tmp_path_factory):
    metrics = [FrechetDistance(), PrecisionRecall(3), DensityCoverage(5), Spread(), Nearest(), Scores()]
    named = {type(metric).__name__: metric for metric in metrics}
    return Evaluator(few, named, Own(), tmp_path_factory.mktemp("features"), samples=250)


def said_of(judge: Evaluator, images: torch.Tensor, data) -> Verdict:
    return verdict([{"images_seen": 640.0} | judge(Drawing(images))], modes=data.modes)


def test_real_images_that_nobody_has_seen_generalize(judge, few):
    said = said_of(judge, few.test.images, few)
    assert said.kind == "generalizes"
    assert "D does not tell the two apart" in said.sentence
    assert "where real images score" in said.sentence


def test_copies_of_the_training_images_are_memorized(judge, few):
    said = said_of(judge, few.train.images, few)
    assert said.kind == "memorizes"
    assert "0.00 times as far" in said.sentence


def test_training_images_with_a_little_noise_are_memorized_too(judge, few):
    noisy = few.train.images + 8 * Draws("noise").normal(*few.train.images.shape)
    assert said_of(judge, noisy.clamp(0, 255).to(torch.uint8), few).kind == "memorizes"


def test_one_image_for_ever_is_a_collapse(judge, few):
    said = said_of(judge, few.test.images[:1], few)
    assert said.kind == "collapsed"
    assert "0 times as spread out" in said.sentence


def test_one_class_alone_is_a_collapse(judge, few):
    said = said_of(judge, few.full_train.images[few.full_train.labels == 3][:40], few)
    assert said.kind in ("collapsed", "memorizes")


def test_a_generator_of_numbers_that_are_not_finite_has_diverged(judge, few):
    assert said_of(judge, torch.full((4, *few.shape), math.nan), few).kind == "diverged"


def test_a_mixture_of_which_five_modes_are_found_has_collapsed():
    grid = mixtures.grid(train=2000, validation=1000, test=1000, **USE)
    points = (grid.means[:5].repeat(50, 1) + grid.std * Draws("points").normal(250, 2)) / grid.scale
    judge = Evaluator(grid, {"frechet": FrechetDistance()} | grid.own_metrics(), Own(), None, samples=250)
    said = said_of(judge, points.view(-1, 2, 1, 1), grid)
    assert said == Verdict("collapsed", "Collapsed: it has found 5 of 25 modes.")
    real = said_of(judge, grid.test.images, grid)
    assert real.kind == "generalizes"
    assert "25 of 25 modes are found, and 98% of the points lie within 3 standard deviations" in real.sentence
    nowhere = said_of(judge, (grid.to_plane(grid.test.images) + 1).view(-1, 2, 1, 1) / grid.scale, grid)
    assert "; 0 of 25 modes are found, and 0% of the points" in nowhere.sentence


def test_a_shifted_gaussian_generalizes_and_is_said_to_be_as_far_as_the_closed_form_has_it():
    grid = mixtures.grid(train=2000, validation=1000, test=1000, **USE)
    judge = Evaluator(grid, {"frechet": FrechetDistance()}, Own(), None, samples=1000)
    shift = torch.tensor([3.0, 0.0])
    moved = ((grid.to_plane(grid.validation.images) + shift) / grid.scale).view(-1, 2, 1, 1)
    said = said_of(judge, moved, grid)
    assert said.kind == "generalizes"
    assert "val/fd is 9, where real" in said.sentence  # |shift|²: the covariances are equal


def row(images_seen: int, fd: float, gap: float, auc: float) -> dict[str, float]:
    figures = {"val/fd": fd, "gap/fd": gap * fd, "real/fd": 0.5}
    return figures | {"images_seen": images_seen, "gap": gap, "gap/auc": auc, "gap/auc_se": 0.03}


def test_overfitting_begins_where_the_signs_stay():
    history = [row(1000, 9, 0.3, 0.7), row(2000, 5, 0.1, 0.6), row(3000, 4, 0.3, 0.8), row(4000, 4, 0.5, 0.9)]
    said = verdict(history)
    assert (said.kind, said.since) == ("overfits", 3000)
    assert said.sentence == (
        "Overfits from image 3,000 on: D tells training from held-out images with an AUC of 0.90; "
        "samples are 50% nearer to the training images than to held-out ones."
    )


def test_a_distance_that_grows_while_d_knows_the_training_images_is_overfitting_since_its_best():
    said = verdict([row(1000, 9, 0, 0.6), row(2000, 5, 0.1, 0.8), row(3000, 9, 0.1, 0.95)])
    assert (said.kind, said.since) == ("overfits", 2000)
    assert "val/fd has grown from 5 at image 2,000 to 9" in said.sentence


@pytest.mark.parametrize(("gap", "auc"), [(0.5, 0.55), (0.1, 0.99)])
def test_one_sign_alone_is_no_overfitting(gap, auc):
    assert verdict([row(1000, 5, gap, auc)]).kind == "generalizes"


def test_an_auc_within_chance_is_no_sign():
    few_images = row(1000, 5, 0.5, 0.65) | {"gap/auc_se": 0.1}
    assert verdict([few_images]).kind == "generalizes"


def coded(images_seen: int, elbo: float, gap: float = 9.0, active: float = 14, kl: float = 20.0) -> dict[str, float]:
    """A VAE's figures, with errors of 0.5 nats of the bound and of 0.7 of its gap."""
    bound = {"val/elbo_nats": elbo, "val/elbo_nats_se": 0.5, "gap/elbo_nats": gap, "gap/elbo_nats_se": 0.7}
    return bound | {"val/kl_nats": kl, "val/active_units": active, "images_seen": images_seen}


def test_a_code_of_which_no_number_is_active_is_posterior_collapse():
    said = verdict([coded(1000, -200, active=0, kl=0.0123)], latents=16)
    assert said == Verdict(
        "collapsed", "Posterior collapse: none of the 16 numbers of the code is active (KL 0.012 nats an image)."
    )


def test_how_much_of_a_code_is_in_use_ends_every_other_sentence():
    said = verdict([coded(1000, -100, gap=0.4)], latents=16)
    assert said.kind == "generalizes"
    assert said.sentence == (
        "Generalizes: the bound of training images is 0.4 ± 0.7 nats higher than of held-out ones; "
        "14 of 16 numbers of the code are active."
    )
    assert "is 0.4 ± 0.7 nats lower than" in verdict([coded(1000, -100, gap=-0.4)]).sentence
    both = verdict([coded(1000, -100) | row(1000, 5, 0.1, 0.5)], latents=16).sentence
    assert "val/fd is 5, where real images score 0.5; 14 of 16 numbers of the code are active." in both


def test_a_bound_that_falls_while_training_images_stay_above_it_is_overfitting_since_its_best():
    said = verdict([coded(1000, -110), coded(2000, -100), coded(3000, -104), coded(4000, -107.5, gap=30)], latents=16)
    assert (said.kind, said.since) == ("overfits", 2000)
    assert said.sentence == (
        "Overfits from image 2,000 on: val/elbo_nats has fallen from -100.0 to -107.5; "
        "the bound of training images is 30.0 nats higher; 14 of 16 numbers of the code are active."
    )


@pytest.mark.parametrize(
    ("best", "last", "gap", "error"),
    [(-100, -101.4, 9, 0.5), (-100, -107, 2, 0.5), (-100, -100.9, 9, 0.01), (-107, -100, 9, 0.5)],
    ids=["by chance", "without a gap beyond chance", "by little", "not at all"],
)
def test_a_bound_that_falls_by_chance_by_little_or_for_all_images_is_no_overfitting(best, last, gap, error):
    history = [coded(1000, best) | {"val/elbo_nats_se": error}, coded(2000, last, gap) | {"val/elbo_nats_se": error}]
    assert verdict(history).kind == "generalizes"


@pytest.mark.parametrize(
    ("then", "at", "kind"), [(-100.5, 3000, "generalizes"), (-110, 3000, "overfits"), (-110, 1000, "generalizes")]
)
def test_bounds_of_validation_images_alone_are_compared_as_far_as_the_checkpoint_goes(then, at, kind):
    test = {name.replace("val/", "test/"): value for name, value in coded(at, -150).items()}
    said = verdict([coded(1000, -100), coded(2000, then), test], split="test")
    assert said.kind == kind and (
        kind == "generalizes" or "val/elbo_nats has fallen from -100.0 to -110.0" in said.sentence
    )


def test_the_bound_is_not_taken_for_a_distance_of_samples():
    bad = coded(1000, -100) | row(1000, 5, 0.3, 0.7)
    assert verdict([bad]).kind == "overfits" and "val/fd" in verdict([bad | {"gap": 0.1}]).sentence


def test_why_a_run_diverged_is_said():
    assert verdict([], reason="d/data was not finite at iteration 7").sentence == (
        "Diverged: d/data was not finite at iteration 7."
    )
    assert verdict([]).kind == "unknown"


def test_the_history_is_read_from_the_rows_that_hold_a_figure(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,images_seen,d/data,gap,val/fd\n1,64,0.5,,\n2,128,,0.1,5.0\n")
    assert read_history(path, ["gap"]) == [{"iteration": 2, "images_seen": 128, "gap": 0.1, "val/fd": 5}]
    assert read_history(tmp_path / "none.csv", ["gap"]) == []
