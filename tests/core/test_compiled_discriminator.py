"""A compiled D is penalised, and stays compiled."""

import pytest
import torch
from helpers.critics import gradients
from helpers.tiny_models import SHAPE, images, make_gan, make_step, weights
from torch import nn
from torch._dynamo.backends.debugging import aot_eager

from regen.core.input_gradients import Autograd, Automatic, Functional, along
from regen.core.objective import Objective
from regen.losses.adversarial import Nonsaturating
from regen.models.gan import GAN
from regen.networks import mlp
from regen.regularizers.estimates import ApproximateR1, JvpR1
from regen.regularizers.gradients import R1
from regen.utils.randomness import seeded

pytestmark = pytest.mark.filterwarnings("ignore:Guards may run slower on Python")  # torch itself, of Python 3.13.0
# Of torch itself, while it compiles a D that looks at images with a graph to G
compiling = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf Tensor")


@pytest.fixture(autouse=True)
def _nothing_compiled_before_and_the_same_weights_every_time():
    torch._dynamo.reset()
    with seeded("weights"):
        yield


def go_on(gan: GAN) -> GAN:
    for number in range(3):
        gan.iterate(images(number=number)[None])
    return gan


def in_place(net: nn.Module) -> nn.Module:
    net.compile(backend="eager")
    return net


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (lambda net: net, Autograd),
        (lambda net: torch.compile(net, backend="eager"), Functional),
        (lambda net: torch.compile(net, backend="aot_eager"), Functional),
        (lambda net: nn.Sequential(nn.Identity(), torch.compile(net, backend="eager")), Functional),
        (in_place, Functional),
    ],
    ids=["plain", "eager", "aot_eager", "a part", "in place"],
)
def test_the_automatic_way_is_functional_for_a_compiled_critic_and_autograd_otherwise(form, expected):
    assert type(Automatic().fit(form(mlp.Discriminator(SHAPE)))) is expected


def compiled(regularizers, backend, gradient_method=None) -> GAN:
    """make_gan's GAN with a compiled D."""
    nets = make_gan()

    def adam(parameters):
        return torch.optim.Adam(parameters, 1e-3, (0.5, 0.999))

    discriminator, objective = (
        torch.compile(nets.discriminator, backend=backend),
        Objective(Nonsaturating(), regularizers),
    )
    gan = GAN(nets.generator, discriminator, objective, adam, adam, latent_dim=8, gradient_method=gradient_method)
    gan.prepare(gan.configure_optimizers())
    return gan


@compiling
def test_gan_with_compiled_critic_and_r1_trains_like_a_plain_critic():
    runs = []

    def counting(graph, inputs):
        made = aot_eager(graph, inputs)
        return lambda *given: runs.append(1) or made(*given)

    found = weights(go_on(compiled({"r1": R1(lambda_d=1.0)}, counting)))
    for name, tensor in weights(go_on(make_gan(regularizers={"r1": R1(lambda_d=1.0)}))).items():
        assert torch.allclose(tensor, found[name.replace("discriminator.", "discriminator._orig_mod.")], atol=1e-6), (
            name
        )
    assert len(runs) == 3 * 3  # D's two passes and G's one; the penalty's own is not compiled


def test_autograd_cannot_differentiate_a_compiled_critic_twice():
    gan = compiled({"r1": R1(lambda_d=1.0)}, "aot_eager", Autograd())
    with pytest.raises(RuntimeError, match="double backward"):
        gan.update(gan.step("d", 0, images()))


@pytest.mark.parametrize(
    "way", [Functional(), lambda score, points: along(score, points, points)], ids=["functional", "along"]
)
def test_critic_stays_compiled_after_an_input_gradient(way):
    made = []
    critic = torch.compile(mlp.Discriminator(SHAPE), backend=lambda graph, inputs: made.append(1) or graph.forward)
    way(critic, images())
    critic(images())
    assert made == [1]


def test_the_features_of_a_compiled_critic_are_seen():
    plain, step = make_step("d"), make_step("d")
    step.discriminator = torch.compile(step.discriminator, backend="eager")
    step.score(images(), "before")  # it is compiled before anyone asks for features
    assert torch.equal(step.real_features, plain.real_features)


def test_inside_a_compiled_function_the_functional_way_gives_the_same_value_and_gradient():
    critic = mlp.Discriminator(SHAPE)

    def penalty(points: torch.Tensor) -> torch.Tensor:
        return Functional()(critic, points).mean()

    plain, inside = penalty(images()), torch.compile(penalty, fullgraph=True, backend="aot_eager")(images())
    assert torch.allclose(inside, plain, rtol=1e-6)
    for one, other in zip(gradients(inside, critic), gradients(plain, critic), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("kind", "compiled_passes"), [(ApproximateR1, 2), (JvpR1, 0)])
def test_the_approximation_of_r1_runs_compiled_and_the_forward_mode_estimate_does_not(kind, compiled_passes):
    step, runs = make_step("d"), []
    step.discriminator = torch.compile(
        step.discriminator, backend=lambda graph, inputs: lambda *given: runs.append(1) or graph(*given)
    )
    assert kind(lambda_d=1).for_d(step) > 0
    assert len(runs) == compiled_passes
