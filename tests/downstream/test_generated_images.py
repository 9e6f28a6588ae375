"""Classifiers of generated images, where the truth is known: copies of training images, noise, and swapped classes."""

import math

import pytest
from helpers.labelled_digits import setup_of_copies, setup_of_noise
from helpers.tiny_models import make_gan

from regen.downstream.generated_images import CAS, Augment, leave_out_copies
from regen.downstream.labelled_images import check_conditional, generate, labels_of, make_imbalanced, oversample
from regen.downstream.probes import Features, Front
from regen.downstream.shared_trunk import Shared
from regen.downstream.task import Score
from regen.errors import ConfigError

STEPS = 80


def by_method(scores: list[Score]) -> dict[str, Score]:
    return {score.method: score for score in scores}


def test_cas_of_copies_equals_that_of_real_images_within_error():
    scores = by_method(CAS(steps=STEPS).scores(setup_of_copies(), [0]))
    assert scores["real"].accuracy > 0.9
    assert abs(scores["generated"].gain) <= 3 * scores["generated"].gain_se + 0.02
    assert scores["real, tested on generated"].accuracy > 0.97
    assert math.isnan(scores["real, tested on generated"].gain)  # other images than those of the baseline
    assert len(scores["real"].by_class) == 10


def test_cas_of_noise_is_at_chance():
    scores = by_method(CAS(steps=STEPS).scores(setup_of_noise(), [0]))
    assert scores["generated"].accuracy < 0.25
    assert scores["generated"].gain < -0.6


def test_augmentation_without_copies_leaves_none_of_copies():
    scores = by_method(Augment(labels=[100], generated=200, steps=20).scores(setup_of_copies(), [0]))
    assert "real + generated" not in scores
    assert {"real + generated, copies kept", "real", "real + classical"} == scores.keys()


def test_noise_is_no_copy_and_is_kept():
    setup = setup_of_noise()
    generated = generate(setup, labels_of(setup.train)[:50], 0)
    assert len(leave_out_copies(setup, generated) or ()) == 50


def test_scores_are_the_same_for_the_same_seed():
    setup = setup_of_copies()
    scores = [Augment(labels=[50], generated=50, steps=10).scores(setup, [3]) for _ in range(2)]
    assert [score.accuracy for score in scores[0]] == [score.accuracy for score in scores[1]]


def test_imbalance_has_the_ratio_and_oversampling_balances():
    rare = make_imbalanced(setup_of_copies().train, 10)
    counts = labels_of(rare).bincount()
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.2)
    assert labels_of(oversample(rare)).bincount().unique().numel() == 1


def test_unconditional_model_is_refused_with_the_key_to_type():
    with pytest.raises(ConfigError, match=r"model\.conditional"):
        check_conditional(make_gan(), "cas")


def test_conditional_model_is_refused_where_few_labels_are_compared():
    setup = setup_of_copies()
    for task in (Features(), Front(), Shared()):
        with pytest.raises(ConfigError, match=r"model\.conditional=false"):
            task.check(setup)


@pytest.mark.parametrize("generated", [0, -1])
def test_augmentation_without_generated_images_is_refused(generated):
    with pytest.raises(ConfigError, match=f"generated={generated}: expected 1 or more"):
        Augment(generated=generated)


def test_imbalance_below_one_is_refused():
    with pytest.raises(ConfigError, match="imbalance="):
        Augment(imbalance=0.5)
