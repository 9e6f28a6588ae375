"""The data-to-data cross-entropy by hand, and in conditional GANs."""

import math

import pytest
import torch
from helpers.conditional_models import CLASSES, conditional_gan, labels, trained
from helpers.regularizer_options import regularizers
from helpers.tiny_models import images, make_gan, same, weights

from regen.core.condition import one_hot
from regen.errors import ConfigError
from regen.networks import mlp
from regen.regularizers.class_loss import D2DCE, data_to_data_cross_entropy


def test_loss_of_three_images_equals_the_formula_by_hand():
    embeddings = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
    proxies = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 5.0]])
    root = math.sqrt(0.5)
    positive = [min(0, cosine - 0.9) / 0.5 for cosine in (1, root, root)]
    near = math.exp((root - 0.1) / 0.5)  # the last image and each of the others; these two are orthogonal: e^0
    others = [near, near, 2 * near]  # the first two are of one class
    expected = sum(math.log(math.exp(a) + b) - a for a, b in zip(positive, others, strict=True)) / 3
    loss = data_to_data_cross_entropy(embeddings, proxies, torch.tensor([0, 0, 1]), 0.5, 0.9, 0.1)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_loss_of_a_batch_of_one_class_is_0_and_has_finite_gradients():
    embeddings = torch.ones(3, 2, requires_grad=True)
    loss = data_to_data_cross_entropy(embeddings, torch.ones(3, 2), torch.zeros(3, dtype=torch.int64), 0.5, 0.98, 0.02)
    loss.backward()
    assert loss == 0 and embeddings.grad.isfinite().all()


def test_penalty_of_d_uses_features_and_labels_of_real_images():
    gan = conditional_gan(regularizers={"d2dce": D2DCE(lambda_d=1.0)})
    critic, (penalty,) = gan.discriminator, gan.objective.regularizers.values()
    features = critic.layers[:-1](images().flatten(1))
    proxies = critic.head_proxies(one_hot(labels(), CLASSES))
    expected = data_to_data_cross_entropy(critic.head_embedding(features), proxies, labels(), 0.5, 0.98, 0.02)
    torch.testing.assert_close(penalty.for_d(gan.step("d", 0, images(), labels())), expected)


def test_classes_are_learnt_without_a_projection():
    nets = {
        "generator": mlp.Generator((1, 4, 4), 8, (16,), CLASSES),
        "discriminator": mlp.Discriminator((1, 4, 4), (16,), n_classes=CLASSES, projection=False),
    }
    assert not hasattr(nets["discriminator"], "head_classes")
    options = {"nets": nets, "conditional": True, "n_classes": CLASSES, "regularizers": regularizers("d2dce")}
    gan = make_gan(**options)
    before = weights(gan)
    trained(gan)
    assert not same(before, weights(gan)) and torch.stack(gan.record.by_name()["d/d2dce"]).isfinite().all()
    one, other = (gan.step("d", 0, images(), labels(number=number)) for number in (0, 1))
    assert torch.equal(one.real_scores, other.real_scores)


def test_class_loss_makes_no_extra_pass_of_d():
    gan, passes = conditional_gan(regularizers=regularizers("d2dce")), []
    gan.discriminator.register_forward_hook(lambda *_: passes.append(1))
    gan.update(gan.step("d", 0, images(), labels()))
    assert len(passes) == 2  # of real and of generated images


def test_class_loss_of_strength_0_leaves_the_trained_networks_unchanged():
    plain, neutral = conditional_gan(), conditional_gan(regularizers={"d2dce": D2DCE()})
    trained(plain)
    trained(neutral)
    added = weights(neutral)
    assert same(weights(plain), {name: added[name] for name in weights(plain)})


def test_a_model_without_classes_is_refused():
    with pytest.raises(ConfigError, match=r"compares images with their classes.*Type model.conditional=true"):
        make_gan(regularizers=regularizers("d2dce"))


@pytest.mark.parametrize("wrong", [{"tau": 0.0}, {"margin": 1.5}, {"other_margin": -2.0}, {"dimensions": 0}], ids=str)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"expected tau|margins are cosines"):
        D2DCE(**wrong)
