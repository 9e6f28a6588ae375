"""Penalties on D's features, against loops over images; D's head that predicts rotations."""

import pytest
import torch
from helpers.float64_steps import assert_same_gradients, nets, step_of
from helpers.tiny_models import images, linear_critic, make_gan, make_step
from torch import Tensor, nn

from regen.core.forward import last_layer
from regen.errors import ConfigError
from regen.regularizers.features import FeatureMatching, PullingAway, Rotation
from regen.regularizers.form import SpectralNorm
from regen.regularizers.minibatch import MinibatchStd, Packing
from regen.utils.randomness import seeded


def features(discriminator: nn.Module, seen: Tensor) -> Tensor:
    """(B, 16) what the last layer of the fully connected D is given."""
    first = discriminator.layers[0]
    hidden = seen.flatten(1) @ first.weight.T + first.bias
    return torch.where(hidden > 0, hidden, 0.2 * hidden)


def test_feature_matching_is_the_squared_distance_of_the_mean_features():
    generator, discriminator = nets()
    step = step_of("g", generator, discriminator)
    real, fake = (features(discriminator, seen) for seen in (step.real, generator(step.z)))
    expected = sum((real[:, i].mean() - fake[:, i].mean()) ** 2 for i in range(16))
    assert_same_gradients(FeatureMatching().for_g(step), expected, generator.parameters())


def test_features_that_match_cost_nothing():
    step = make_step("g")
    step.fake = step.real.flip(0)  # the same images in another order
    assert FeatureMatching().for_g(step).item() == pytest.approx(0, abs=1e-12)


def test_pulling_away_is_the_mean_squared_cosine_over_pairs():
    generator, discriminator = nets()
    step = step_of("g", generator, discriminator)
    seen, cosines = features(discriminator, generator(step.z)), []
    for i in range(6):
        cosines += [torch.cosine_similarity(seen[i], seen[j], dim=0) ** 2 for j in range(6) if j != i]
    assert_same_gradients(PullingAway().for_g(step), sum(cosines) / 30, generator.parameters())


def pulled(fake: Tensor) -> float:
    """The penalty of images that are their own features."""
    step = make_step("g", discriminator=linear_critic(torch.ones(1, 4, 4, dtype=torch.float64)))
    step.fake = fake
    return PullingAway().for_g(step).item()


def test_identical_samples_cost_1_and_orthogonal_samples_nothing():
    assert pulled(images(1).double().expand(5, -1, -1, -1)) == pytest.approx(1, rel=1e-12)
    assert pulled(3 * torch.eye(16).double().view(16, 1, 4, 4)) == 0
    assert pulled(torch.cat([torch.eye(16)[:2]] * 2).double().view(4, 1, 4, 4)) == pytest.approx(4 / 12)


def test_a_lone_sample_has_no_pair():
    assert pulled(images(1).double()) == 0


@pytest.mark.parametrize(("regularizer", "passes"), [(FeatureMatching, 2), (PullingAway, 1), (None, 1)])
def test_in_gs_update_the_features_of_the_fakes_come_with_the_losss_pass(regularizer, passes):
    gan, seen = make_gan(regularizers={"it": regularizer(lambda_g=1.0)} if regularizer else {}), []
    gan.discriminator.register_forward_hook(lambda net, given, scores: seen.append(scores))
    gan.update(gan.step("g", 0, images()))
    assert len(seen) == passes


def turned() -> tuple[nn.Module, nn.Module]:
    with seeded("head"):
        generator, discriminator = nets()
        Rotation().attach(generator, discriminator)
    return generator, discriminator.double()


def crossed(discriminator: nn.Module, seen: Tensor) -> Tensor:
    """() the cross-entropy of the first quarter of the images, each turned in all four ways."""
    terms = []
    for image in seen[: -(-len(seen) // 4)]:
        for quarters in range(4):
            head = discriminator.head_rotation
            logits = features(discriminator, torch.rot90(image, quarters, (1, 2))[None])[0] @ head.weight.T + head.bias
            terms.append(logits.exp().sum().log() - logits[quarters])
    return sum(terms) / len(terms)


def test_rotation_is_the_cross_entropy_of_four_quarter_turns():
    generator, discriminator = turned()
    learnt = [*discriminator.layers[0].parameters(), *discriminator.head_rotation.parameters()]
    assert_same_gradients(
        Rotation().for_d(step_of("d", generator, discriminator)), crossed(discriminator, images(6).double()), learnt
    )
    step = step_of("g", generator, discriminator)
    expected = crossed(discriminator, generator(step.z))
    assert_same_gradients(Rotation().for_g(step), expected, generator.parameters())


def test_the_head_is_learnt_with_d_and_left_alone_by_g():
    gan = make_gan(regularizers={"rotation": Rotation(lambda_g=1.0, lambda_d=1.0)})
    head = gan.discriminator.head_rotation.weight
    for player, moves in (("g", False), ("d", True), ("g", False)):
        before = head.detach().clone()
        gan.update(gan.step(player, 0, images()))
        assert torch.equal(head, before) is not moves


def test_the_head_is_not_ds_last_layer():
    gan = make_gan(regularizers={"rotation": Rotation(lambda_d=1.0)})
    assert last_layer(gan.discriminator)[0] == "layers.2"
    with torch.no_grad():
        gan.discriminator.head_rotation.weight.fill_(torch.nan)
        assert gan.discriminator(images()).isfinite().all()


@pytest.mark.parametrize("order", [("rotation", "std", "norm"), ("norm", "rotation", "std")], ids="-".join)
def test_rotation_works_with_minibatch_std_and_spectral_norm(order):
    known = {"rotation": Rotation(lambda_g=1.0, lambda_d=1.0), "std": MinibatchStd(), "norm": SpectralNorm()}
    gan = make_gan(regularizers={name: known[name] for name in order})
    assert gan.discriminator.head_rotation.in_features == 17  # sixteen features and the group's deviation
    start = gan.discriminator.head_rotation.weight.detach().clone()
    for number in range(3):
        assert all(loss.isfinite() for loss in gan.iterate(images(number=number)[None]))
    assert not torch.equal(gan.discriminator.head_rotation.weight, start)


def test_rotation_is_refused_with_packing():
    with pytest.raises(ConfigError, match="rotation cannot be combined with Packing"):
        make_gan(regularizers={"rotation": Rotation(lambda_d=1.0), "pack": Packing()})


def test_images_that_are_not_square_cannot_be_turned():
    generator, discriminator = turned()
    step = make_step("d", generator, discriminator, torch.zeros(4, 1, 2, 8).double())
    with pytest.raises(ConfigError, match="Rotation needs square images, got 2 x 8"):
        Rotation().for_d(step)


def test_a_last_layer_that_is_a_convolution_is_refused():
    discriminator = nn.Sequential(nn.Conv2d(1, 1, 4), nn.Flatten(0))
    with pytest.raises(ConfigError, match=r"linear layer .* 0 is a Conv2d"):
        Rotation().attach(nets()[0], discriminator)
