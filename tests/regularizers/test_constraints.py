"""Facts that regularizers state are true: their kind, their cost and the range of their strength."""

import copy

import pytest
import torch
from helpers.regularizer_options import OF_CLASSES, OF_CODES, OF_VAE_GANS
from helpers.tiny_models import images, make_gan
from omegaconf import OmegaConf

from regen.config.instantiate import build, resolve
from regen.core.constraints import Cost, words
from regen.core.regularizer import Regularizer
from regen.models.gan import GAN
from regen.utils.project import ROOT

CONF = ROOT / "conf"
NODES = {path.stem: OmegaConf.load(path) for path in sorted(CONF.glob("regularizer/*.yaml"))}
NODES = {name: node[name] for name, node in NODES.items() if node}
OF_A_GAN = [name for name in NODES if name not in OF_CLASSES | OF_CODES | OF_VAE_GANS]
every = pytest.mark.parametrize("name", NODES)
BATCH = 16


def kind_of(name: str) -> type[Regularizer]:
    return resolve(NODES[name]["_target_"], f"regularizer.{name}")


def asked(name: str, player: str) -> dict[str, Regularizer]:
    node = copy.deepcopy(NODES[name])
    if f"lambda_{player}" in node:
        node[f"lambda_{player}"] = node[f"lambda_{player}"] or 1.0
    if name == "lecam":
        node["start"] = 1  # not a hundred updates later
    return {name: build(node, f"regularizer.{name}", Regularizer)}


def ready(name: str | None, player: str) -> GAN:
    """A GAN with this regularizer, as its yaml has it but on both players where it can be, when its penalty is next due."""
    gan = make_gan(regularizers=asked(name, player) if name else {})
    while not all(one.due(gan.step(player, 0, images())) for one in gan.objective.regularizers.values()
                  if one.overrides(f"for_{player}")):  # fmt: skip
        gan.iterate(images()[None])
    return gan


def passes(name: str | None, player: str) -> tuple[float, float]:
    """Forward passes of D and of G in one update of the player in which the penalty is due, in batches."""
    gan, shown = ready(name, player), {"d": 0, "g": 0}

    def count(net: str):
        return lambda _, given: shown.__setitem__(net, shown[net] + len(given[0]))

    gan.generator.register_forward_pre_hook(count("g"))
    gan.discriminator.register_forward_pre_hook(count("d"))
    gan.update(gan.step(player, 0, images()))
    return shown["d"] / BATCH, shown["g"] / BATCH


def second_order(name: str, player: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Backward passes of one update, in which the penalty is due, that can themselves be differentiated."""
    gan, graphs, plain = ready(name, player), [], torch.autograd.grad

    def grad(*given, create_graph=False, **options):
        graphs.append(create_graph)
        return plain(*given, create_graph=create_graph, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch.autograd, "grad", grad)
        gan.update(gan.step(player, 0, images()))
    return sum(graphs)


@pytest.mark.parametrize("player", ["g", "d"])
@pytest.mark.parametrize(
    "name", [name for name in OF_A_GAN if name not in ("packing", "input_perturbation")]
)  # of packs, which are fewer than images
def test_an_update_makes_the_stated_extra_passes(name, player):
    plain, found = passes(None, player), passes(name, player)
    cost = kind_of(name).cost.get(player, Cost())
    assert [more - before for more, before in zip(found, plain, strict=True)] == [cost.d, cost.g]


@pytest.mark.parametrize("player", ["g", "d"])
@pytest.mark.parametrize("name", [name for name in OF_A_GAN if name != "input_perturbation"])
def test_regularizer_makes_the_declared_second_order_passes(name, player, monkeypatch):
    assert second_order(name, player, monkeypatch) == kind_of(name).cost.get(player, Cost()).second_order


def test_with_packing_d_makes_the_same_number_of_passes_of_half_as_many_packs():
    assert passes(None, "d") == (2, 1) and passes("packing", "d") == (1, 1)


@every
def test_a_cost_is_of_a_player_that_there_is_a_penalty_for(name):
    for player in kind_of(name).cost:
        assert getattr(kind_of(name), f"for_{player}") is not getattr(Regularizer, f"for_{player}")


@every
def test_regularizer_documents_formula_source_and_convention(name):
    of = words(kind_of(name))
    assert all(len(part) > 3 for part in (of.formula, of.source, of.convention))
    assert not any(part.endswith(".") for part in (of.formula, of.source, of.convention))
    assert "Source:" not in of.text and "Convention:" not in of.text


@every
def test_searchable_strength_is_a_key_of_the_yaml_with_the_default_in_an_ordered_range(name):
    for key, (least, most) in kind_of(name).search.items():
        assert key in NODES[name]
        assert 0 < least < most < float("inf")
        assert NODES[name][key] == 0 or least <= NODES[name][key] <= most


@every
def test_every_strength_of_a_yaml_is_worth_searching(name):
    strengths = [key for key in NODES[name] if key.startswith("lambda_")]
    assert set(strengths) <= set(kind_of(name).search)


def test_words_takes_a_docstring_apart():
    class Documented:
        """λ_D E D(x)², on
        real images.

        Source: A and B 2020, eq. 1; λ_D is its γ. Convention: no ½;
        a mean.

        It is. For an example.

        Raises nothing.
        """

    of = words(Documented)
    assert (of.formula, of.source) == ("λ_D E D(x)², on real images", "A and B 2020, eq. 1; λ_D is its γ")
    assert (of.convention, of.text) == ("no ½; a mean", "It is. For an example.\n\nRaises nothing.")


def test_words_of_a_class_without_a_docstring_are_empty():
    class Silent:
        pass

    of = words(Silent)
    assert (of.formula, of.source, of.convention, of.text) == ("", "", "", "")


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (Cost(), ""),
        (Cost(d=1), "1 D"),
        (Cost(g=0.5, second_order=1), "0.5 G + 1 second-order"),
        (Cost(d=2, g=1, second_order=2), "2 D + 1 G + 2 second-order"),
    ],
)
def test_a_cost_is_said_in_passes(cost, expected):
    assert str(cost) == expected
