"""Conditional flows and classifier-free guidance."""

import pytest
import torch
from helpers.conditional_models import CLASSES, CONDITIONAL, labels, trained
from helpers.tiny_models import SHAPE, images, make_flow, same, weights

from regen.core.condition import join, one_hot
from regen.errors import ConfigError
from regen.models.ode import ODESampler
from regen.networks.unet import UNet
from regen.networks.velocity_mlp import Velocity
from regen.utils.randomness import Draws, seeded

NETWORKS = {
    "mlp": Velocity(SHAPE, (16,), 4, n_classes=CLASSES),
    "unet": UNet((1, 8, 8), 8, n_classes=CLASSES),
}


def conditional_flow(**options):
    with seeded(0, "weights"):
        net = Velocity(SHAPE, (16,), 4, n_classes=CLASSES)
    return make_flow(velocity=net, **CONDITIONAL, **options)


def noise(shape=SHAPE, n: int = 6) -> torch.Tensor:
    return Draws("noise").normal(n, *shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_guidance_of_1_is_the_conditional_and_of_0_the_unconditional_prediction(name):
    net = NETWORKS[name].eval()
    shape = SHAPE if name == "mlp" else (1, 8, 8)
    x, t, classes = noise(shape), torch.linspace(0, 1, 6), one_hot(labels(6), CLASSES)
    with torch.no_grad():
        with_class, without = net(x, t, classes), net(x, t)
        made = {g: ODESampler(net, shape, n_classes=CLASSES, guidance=g).velocity(x, t, classes) for g in (0, 1, 2.5)}
    assert torch.equal(made[1], with_class) and torch.equal(made[0], net(x, t, torch.zeros_like(classes)))
    torch.testing.assert_close(made[0], without)  # a class of zeros adds nothing
    torch.testing.assert_close(made[2.5], without + 2.5 * (with_class - without))
    assert not torch.allclose(with_class, without)


def test_sampler_counts_the_passes_of_guidance_and_maps_latents_with_classes():
    net, z, classes = NETWORKS["mlp"], noise().flatten(1), one_hot(labels(6), CLASSES)
    samplers = [ODESampler(net, SHAPE, steps=3, n_classes=CLASSES, guidance=g) for g in (1, 3)]
    assert [sampler.passes for sampler in samplers] == [6, 12]
    images_of = [sampler(join(z, classes)) for sampler in samplers]
    assert images_of[0].shape == (6, *SHAPE) and not torch.equal(*images_of)


def test_label_dropout_leaves_out_the_same_tenth_of_the_classes():
    flow = conditional_flow(label_dropout=0.1)
    step, again = (flow.step(images(4000), labels(4000)) for _ in range(2))
    left_out = step.given[0].sum(1) == 0
    assert left_out.float().mean() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(step.given[0], again.given[0])
    assert torch.equal(step.given[0][~left_out], one_hot(labels(4000), CLASSES)[~left_out])
    assert torch.equal(
        conditional_flow(label_dropout=0).step(images(9), labels(9)).given[0], one_hot(labels(9), CLASSES)
    )


def test_labels_change_training_and_samples_of_a_conditional_flow_and_guidance_samples_alone():
    plain, guided, shifted = conditional_flow(), conditional_flow(guidance=2), conditional_flow()
    for model, shift in ((plain, 0), (guided, 0), (shifted, 1)):
        trained(model, shift=shift)
    assert same(weights(plain), weights(guided)) and not same(weights(plain), weights(shifted))
    of_0, of_1 = (plain.sample(0, 4, torch.full((4,), label)) for label in (0, 1))
    assert not torch.equal(of_0, of_1)
    assert not torch.equal(of_0, guided.sample(0, 4, torch.zeros(4, dtype=torch.int64)))


def test_denoising_errors_of_a_conditional_flow_use_the_labels():
    flow = trained(conditional_flow())
    errors = [flow.denoising_errors(images(6), noise(), 0.5, labels(6, number)) for number in (0, 1)]
    assert errors[0].shape == (6,) and not torch.equal(*errors)
    with pytest.raises(ValueError, match="needs the labels"):
        flow.denoising_errors(images(6), noise(), 0.5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"guidance": -1.0}, "guidance must be a finite number >= 0, got -1.0"),
        ({"label_dropout": 1.0}, r"label_dropout must be in \[0, 1\), got 1.0"),
        ({"guidance": 2.0, "label_dropout": 0.0}, "which model.label_dropout=0 never trains"),
    ],
    ids=["guidance", "dropout", "both"],
)
def test_impossible_guidance_is_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        conditional_flow(**options)
    with pytest.raises(ConfigError, match=r"type model\.conditional=true as well"):
        make_flow(guidance=2.0)


def test_conditional_flow_trains_resumes_and_is_measured(train):
    small = ("model=flow", "model.conditional=true", "model.guidance=2", "model.sampler.steps=2", "data.batch_size=16")
    measured = ("metrics=[denoising,frechet]", "monitor=val/fd", "evaluate_every=3", "save_every=3", "data.subset=100")
    run = train(*small, *measured, "network.velocity.hidden=[16]", "max_iterations=3")
    train(f"resume={run}", "max_iterations=6", smoke=False)
    assert "val/denoising_loss" in (run / "metrics.csv").read_text()
