"""Dropout: which values are dropped, how many, when, and with which masks."""

import pytest
import torch
from helpers.tiny_models import images, make_flow, make_gan, same, weights
from torch import Tensor

from regen.core.forward import LAYERS
from regen.core.input_gradients import Autograd, Functional
from regen.errors import ConfigError
from regen.networks import unet
from regen.regularizers.dropout import Dropout
from regen.regularizers.gradients import R1


def inputs_of_last_layer(gan, score) -> Tensor:
    """The hidden values that D's last layer receives, after dropout; `score` runs D."""
    recorded: list[Tensor] = []
    hook = gan.discriminator.layers[2].register_forward_pre_hook(lambda _, inputs: recorded.append(inputs[0].detach()))
    score()
    hook.remove()
    return recorded[-1]


def test_dropout_zeroes_a_fraction_p_of_hidden_values_and_scales_the_rest():
    gan = make_gan(regularizers={"dropout": Dropout(p_d=0.3)})
    step = gan.step("d", 0, images(4000))
    plain = inputs_of_last_layer(gan, lambda: step.discriminator(step.real))
    gan.objective.before_update(step)
    dropped = inputs_of_last_layer(gan, lambda: step.real_scores)
    zero = (dropped == 0) & (plain != 0)
    assert zero.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.allclose(dropped[~zero], plain[~zero] / 0.7)


def test_real_and_fake_images_have_different_masks_and_repeated_passes_the_same():
    gan = make_gan(regularizers={"dropout": Dropout(p_d=0.5)})
    step = gan.step("d", 0, images())
    gan.objective.before_update(step)
    masks = [inputs_of_last_layer(gan, lambda p=p: step.rescore(images(), p)) == 0 for p in ("real", "fake", "real")]
    assert not torch.equal(masks[0], masks[1]) and torch.equal(masks[0], masks[2])


@pytest.mark.parametrize("method", [Autograd(), Functional()], ids=["autograd", "functional"])
def test_r1_sees_the_network_of_the_loss(method):
    gan = make_gan(regularizers={"dropout": Dropout(p_d=0.5), "r1": R1(lambda_d=1.0)}, gradient_method=method)
    step = gan.step("d", 0, images())
    gan.objective.before_update(step)
    mask = inputs_of_last_layer(gan, lambda: step.score(step.real, "real")) != 0
    first, last = gan.discriminator.layers[0].weight, gan.discriminator.layers[2].weight[0]
    leaks = torch.where(step.real.flatten(1) @ first.T + gan.discriminator.layers[0].bias > 0, 1.0, 0.2)
    gradients = (2 * mask * leaks * last) @ first
    expected = gradients.square().sum(1).mean() / 2
    assert gan.objective.regularizers["r1"].for_d(step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_samples_and_scores_outside_updates_are_without_dropout():
    gan, plain = make_gan(regularizers={"dropout": Dropout(p_g=0.5, p_d=0.5)}), make_gan()
    gan.iterate(images()[None])
    state = {name: value for name, value in gan.state_dict().items() if not name.startswith("objective.")}
    plain.load_state_dict(state)
    assert torch.equal(gan.sample(0, 4), plain.sample(0, 4))
    assert torch.equal(gan.score(images()), plain.score(images()))


def test_reused_fakes_have_dropout():
    gan, plain = (make_gan(regularizers={"d": Dropout(p_g=p, p_d=0)}, reuse_fake=True) for p in (0.5, 0.0))
    for model in (gan, plain):
        model.iterate(images()[None])
    assert not same(weights(gan), weights(plain))


def test_p_d_is_the_probability_in_the_network_of_a_flow():
    flow, plain = make_flow(regularizers={"dropout": Dropout(p_d=0.5)}), make_flow()
    for model in (flow, plain):
        model.iterate(images()[None])
    assert not same(weights(flow), weights(plain))


def test_unet_drops_inputs_of_all_layers_but_the_first():
    net = unet.UNet((1, 8, 8), width=8)
    Dropout(p_g=0.5).attach(net, torch.nn.Identity())
    hooks = [len(layer._forward_pre_hooks) for layer in net.modules() if isinstance(layer, LAYERS)]
    assert len(hooks) > 10 and not net.first._forward_pre_hooks and sum(hooks) == len(hooks) - 1


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan"), True])
def test_probability_outside_the_range_is_refused(p):
    with pytest.raises(ConfigError, match=r"Dropout: p_d must be a number in \[0, 1\), got"):
        Dropout(p_d=p)
