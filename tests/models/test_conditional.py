"""Conditional models: what classes change in their networks, penalties, samples and figures."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.composition import compose_config
from helpers.conditional_models import CLASSES, conditional_gan, conditional_vae, labels, trained
from helpers.labelled_digits import small_digits
from helpers.tiny_models import images, make_gan, make_vae, weights

from regen.config.instantiate import build
from regen.core.condition import join, one_hot, split
from regen.data.images import Images
from regen.errors import ConfigError
from regen.losses.likelihoods import IWAE, Gaussian
from regen.models.build_model import make_model
from regen.models.class_prior import ClassPrior
from regen.models.latents import paths
from regen.models.priors import Mixture
from regen.networks import conditional, dcgan, mlp, resnet
from regen.regularizers.gradients import R1
from regen.regularizers.latent_codes import KL
from regen.utils.randomness import Draws


def test_projection_adds_the_product_of_features_and_class_embedding_to_the_logit():
    critic = mlp.Discriminator((1, 4, 4), hidden=(5,), n_classes=CLASSES)
    features = critic.layers[:-1](images().flatten(1))
    embeddings = critic.head_classes.weight.T[labels()]
    expected = critic.layers[-1](features)[:, 0] + (features * embeddings).sum(1)
    torch.testing.assert_close(critic(images(), one_hot(labels(), CLASSES)), expected)


def test_conditional_batch_norm_scales_and_shifts_by_class():
    norm = conditional.ConditionalBatchNorm2d(2, CLASSES)
    norm.scale.data[1], norm.shift.data[1] = torch.tensor([2.0, 3.0]), torch.tensor([0.5, -1.0])
    maps = Draws("maps").normal(16, 2, 4, 4)
    plain, made = torch.nn.BatchNorm2d(2)(maps), norm(maps, one_hot(labels(), CLASSES))
    first, second = labels() == 0, labels() == 1
    torch.testing.assert_close(made[first], plain[first])
    scale, shift = torch.tensor([2.0, 3.0]).view(2, 1, 1), torch.tensor([0.5, -1.0]).view(2, 1, 1)
    torch.testing.assert_close(made[second], plain[second] * scale + shift)


@pytest.mark.parametrize("pair", [dcgan, resnet], ids=["dcgan", "resnet"])
def test_every_batch_norm_of_a_conditional_generator_depends_on_the_class(pair):
    net = pair.Generator((1, 16, 16), 8, 2, n_classes=CLASSES)
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == sum(isinstance(module, conditional.ConditionalBatchNorm2d) for module in net.modules()) > 1
    net(join(Draws("z").normal(6, 8), one_hot(labels(6), CLASSES))).sum().backward()
    assert all(module.scale.grad.abs().sum() > 0 for module in net.modules() if hasattr(module, "scale"))


def test_r1_of_a_conditional_linear_critic_uses_the_weight_of_each_class():
    critic = mlp.Discriminator((1, 4, 4), hidden=(), n_classes=CLASSES)
    gan = make_gan(
        nets={"generator": mlp.Generator((1, 4, 4), 8, (4,), CLASSES), "discriminator": critic},
        conditional=True,
        n_classes=CLASSES,
    )
    weight = critic.layers[-1].weight + critic.head_classes.weight.T[labels()]
    value = R1(lambda_d=1.0).for_d(gan.step("d", 0, images(), labels()))
    torch.testing.assert_close(value, weight.square().sum(1).mean() / 2)


def test_generated_images_of_an_update_have_the_classes_of_real_images():
    gan = conditional_gan()
    step = gan.step("g", 0, images(), labels())
    torch.testing.assert_close(step.fake, gan.generator(torch.cat([step.z, one_hot(labels(), CLASSES)], 1)))


def test_samples_have_classes_in_the_proportions_of_the_training_images():
    gan = conditional_gan()
    gan.prior.set_counts(torch.tensor([10, 0, 30]))
    drawn = gan.sample_labels(0, 2000).bincount(minlength=3) / 2000
    assert drawn[1] == 0 and abs(drawn[0] - 0.25) < 0.04  # four standard errors


def test_samples_of_given_labels_have_the_latents_of_the_samples_of_other_labels():
    gan = trained(conditional_gan())
    drawn = gan.sample_labels(5, 6)
    assert torch.equal(gan.sample(5, 6), gan.sample(5, 6, drawn))
    assert not torch.equal(gan.sample(5, 6), gan.sample(5, 6, (drawn + 1) % CLASSES))


@pytest.mark.parametrize("wrong", [[-1], [CLASSES]])
def test_a_label_that_is_no_class_is_refused(wrong):
    with pytest.raises(ValueError, match="labels of 3 classes, counted from 0"):
        conditional_gan().sample(0, 1, torch.tensor(wrong))


def test_an_image_without_a_label_is_refused():
    with pytest.raises(ValueError, match="needs the labels"):
        conditional_gan().score(images())


def test_a_class_prior_draws_latent_codes_from_the_prior_of_z():
    mixture = Mixture(3, components=2)
    prior = ClassPrior(mixture, CLASSES)
    codes = Draws("codes").normal(200, 3) + 5
    prior.fit(codes)
    z, classes = split(prior(Draws("latents").normal(400, 5)), CLASSES)
    assert (z.mean(0) - 5).abs().max() < 0.4 and torch.equal(classes.sum(1), torch.ones(400))


def test_arcs_between_codes_interpolate_classes_linearly():
    a = join(torch.tensor([[1.0, 0.0]]), one_hot(torch.tensor([0]), 2))
    b = join(torch.tensor([[0.0, 1.0]]), one_hot(torch.tensor([1]), 2))
    middle = paths(torch.cat([a, b]), 3, n_classes=2)[1]
    torch.testing.assert_close(middle, torch.tensor([0.5**0.5, 0.5**0.5, 0.5, 0.5]))


@pytest.mark.parametrize("loss", [Gaussian(), IWAE(Gaussian(), samples=3)], ids=["gaussian", "iwae"])
def test_posterior_and_likelihood_of_a_conditional_vae_depend_on_the_class(loss):
    vae = conditional_vae(loss=loss, regularizers={"kl": KL(lambda_g=1.0)} if type(loss) is Gaussian else {})
    assert not torch.equal(vae.encode(images(), labels())[0], vae.encode(images(), labels(number=1))[0])
    one, other = (vae.objective(vae.step(images(), labels(number=number)))[0] for number in (0, 1))
    assert one != other


def test_a_model_that_is_not_conditional_ignores_labels():
    one, other = make_gan(), make_gan()
    trained(one)
    trained(other, shift=1)
    assert all(map(torch.equal, weights(one).values(), weights(other).values()))
    vae = make_vae()
    assert torch.equal(vae.encode(images())[0], vae.encode(images(), labels())[0])


def one_of_two(rank: int, folder: Path) -> None:
    """Train on this rank's half of each batch and write down the weights."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    model, half = conditional_gan(regularizers={"r1": R1(lambda_d=1.0)}), slice(rank * 8, (rank + 1) * 8)
    model.prepare(model.configure_optimizers(), rank, 2)
    for number in range(5):
        model.iterate(images(number=number)[None, half], labels(number=number)[None, half])
    torch.save(weights(model), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_of_a_conditional_gan_agree_and_equal_the_doubled_batch(tmp_path: Path):
    mp.start_processes(one_of_two, (tmp_path,), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    alone = weights(trained(conditional_gan(regularizers={"r1": R1(lambda_d=1.0)}), 5))
    for name, tensor in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=1e-6)


def test_data_without_labels_are_refused_by_a_conditional_model():
    cfg = compose_config("data=shapes", "model.conditional=true", "data.image_size=8")
    data = build(cfg.data, "data", Images)
    if data.classes is not None:
        data.full_train = data.full_train.take(torch.arange(len(data.full_train)))
        object.__setattr__(data.full_train, "labels", None)
    with pytest.raises(ConfigError, match=r"model.conditional=true needs labels .* has no labels: type model.cond"):
        make_model(cfg, data)


def test_frequencies_of_classes_are_counted_in_the_training_images():
    model = make_model(compose_config("model.conditional=true", "network=mlp", "data.image_size=8"), small_digits())
    expected = small_digits().train.labels.bincount() / len(small_digits().train)
    drawn = model.sample_labels(0, 3000).bincount(minlength=10) / 3000
    assert (drawn - expected).abs().max() < 0.025  # four standard errors
