"""The game's dynamics: options of their own that compose onto the model, G's learning from its best fakes, falling noise."""

import pytest
import torch
import torch.nn.functional as F
from helpers.composition import compose_config
from helpers.tiny_models import images, make_gan
from omegaconf import OmegaConf

from regen.config import validate
from regen.core.controllers import Controller
from regen.core.schedules import Linear
from regen.errors import ConfigError
from regen.losses.adversarial import Article, Hinge, Relativistic, RelativisticAverage
from regen.regularizers.augment import InstanceNoise
from regen.regularizers.features import PullingAway
from regen.utils.project import ROOT
from regen.utils.randomness import Draws

CONF = ROOT / "conf"


@pytest.mark.parametrize("path", sorted(CONF.glob("recipe/*.yaml")), ids=lambda path: path.stem)
def test_each_recipe_states_the_resulting_model(path):
    cfg, own = compose_config(f"recipe={path.stem}"), OmegaConf.load(path)
    validate.check(cfg)
    whole = own if "model" in own else {"model": own}  # a recipe may set the loss and the regularizer, too
    assert OmegaConf.merge(cfg, {"model": whole["model"]}).model == cfg.model
    assert (cfg.model == compose_config().model) is (path.stem == "none")


def test_a_list_of_two_composes():
    cfg = compose_config("recipe=[two_time_scales,top_k]")
    validate.check(cfg)
    assert (cfg.model.optimizer_g.lr, cfg.model.optimizer_d.lr) == (1e-4, 4e-4)
    assert cfg.model.top_k._target_.endswith("Linear") and cfg.model.n_critic == 1
    assert compose_config("recipe=five_d_steps", "model.n_critic=2").model.n_critic == 2


def best(gan, k: int) -> float:
    """G's loss on the k fakes that D likes best, sorted by hand."""
    step = gan.step("g", 0, images())
    scores = sorted(gan.discriminator(gan.generator(step.z)).tolist())[-k:]
    return sum(F.softplus(torch.tensor(-score)).item() for score in scores) / k


@pytest.mark.parametrize(("top_k", "k"), [(1.0, 16), (0.75, 12), (0.5, 8), (0.01, 1)])
def test_g_learns_from_the_fakes_that_d_likes_best(top_k, k):
    gan = make_gan(top_k=top_k)
    loss = gan.objective(gan.step("g", 0, images()))[0]
    assert loss.item() == pytest.approx(best(gan, k), rel=1e-6)


def test_d_learns_from_all_fakes():
    one, other = (make_gan(top_k=top_k) for top_k in (0.25, 1.0))
    assert torch.equal(*(gan.objective(gan.step("d", 0, images()))[0] for gan in (one, other)))


def test_a_schedule_moves_the_share_from_update_to_update():
    gan, expected = make_gan(top_k=Linear(1.0, 0.5, iterations=4)), []
    for number, k in enumerate((16, 14, 12, 10, 8, 8)):
        gan.update(gan.step("d", 0, images()))
        expected.append(best(gan, k))
        gan.update(gan.step("g", 0, images()))
        gan.count.iteration = number + 1
    assert [value.item() for value in gan.record.by_name()["g/data"]] == pytest.approx(expected, rel=1e-6)


def test_a_penalty_on_features_is_of_all_fakes():
    one, other = (make_gan(regularizers={"pull": PullingAway(lambda_g=1.0)}, top_k=top_k) for top_k in (0.5, 1.0))
    values, all_of_them = (gan.objective(gan.step("g", 0, images()))[1] for gan in (one, other))
    assert values["g/pull"] == all_of_them["g/pull"]
    assert values["g/data"].item() == pytest.approx(best(one, 8), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Relativistic(), r"loss=relativistic .* type another loss, or model.top_k=1"),
        (RelativisticAverage(), r"loss=relativistic_average .* type another loss, or model.top_k=1"),
        (Article(), r"loss=article .* type another loss, or model.top_k=1"),
    ],
    ids=["relativistic", "relativistic_average", "article"],
)
def test_top_k_is_refused_with_a_loss_of_g_without_scores(loss, words):
    with pytest.raises(ConfigError, match=words):
        make_gan(top_k=0.5, loss=loss)
    assert make_gan(top_k=1.0, loss=loss) and make_gan(top_k=0.5, loss=Hinge())


@pytest.mark.parametrize(
    ("top_k", "words"),
    [
        (0.0, "got 0.0"),
        (1.5, "got 1.5"),
        (-0.5, "got -0.5"),
        (float("nan"), "got nan"),
        (Linear(1.0, 0.0, iterations=10), "got 1.0, 0.0"),
        (Linear(2.0, 0.5, iterations=10), "got 2.0, 0.5"),
        (None, "got None"),
        ("half", "got half"),
        (Controller(0.6, start=0.5), "got Controller"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_share_that_makes_no_sense_is_refused(top_k, words):
    with pytest.raises(ConfigError, match=rf"model.top_k must be a number in \(0, 1\].*, {words}"):
        make_gan(top_k=top_k)


def test_instance_noise_follows_the_schedule():
    gan = make_gan(regularizers={"noise": InstanceNoise(Linear(0.4, 0.0, iterations=4))})
    for number, std in enumerate((0.4, 0.3, 0.2, 0.1, 0.0, 0.0)):
        gan.count.iteration = number
        step, noise = gan.step("d", 0, images()), Draws("noise")
        seen = gan.objective.augment(images(), lambda name, noise=noise: noise, step)
        assert torch.allclose(seen - images(), std * Draws("noise").normal(16, 1, 4, 4), rtol=0, atol=1e-6)
    assert torch.equal(seen, images())


def test_schedule_replaces_std_on_the_command_line():
    cfg = compose_config("regularizer=instance_noise", "+schedule@regularizer.instance_noise.std=linear")
    validate.check(cfg)
    assert cfg.regularizer.instance_noise.std._target_ == "regen.core.schedules.Linear"


def test_a_controller_that_nothing_would_move_is_refused_as_std():
    with pytest.raises(ConfigError, match=r"InstanceNoise: std .* got Controller"):
        InstanceNoise(Controller(0.6, start=0.5))
