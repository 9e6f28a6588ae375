"""Draws are a function of their key, shared out between processes, and nothing else in the project draws."""

import re

import pytest
import torch
from helpers.tiny_models import images, make_gan

from regen.utils.project import ROOT
from regen.utils.randomness import Draws, generator, key, seeded

KEY_OF_ZERO = 4303902332951057268  # of (0, "z", ("d", 1)): a change would change every result
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("draw", ["normal", "uniform"])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_with_b_samples_each_see_the_samples_of_a_single_process_with_all(draw, world):
    alone = Draws(0, "z")
    ranks = [Draws(0, "z", rank=rank, world=world) for rank in range(world)]
    for _ in range(3):  # also in the draws that follow
        shares = [getattr(rank, draw)(4, 5) for rank in ranks]
        assert torch.equal(torch.cat(shares), getattr(alone, draw)(world * 4, 5))


def test_two_processes_see_different_z():
    one, other = make_gan(), make_gan()
    other.rank = one.rank + 1
    one.world = other.world = 2
    assert not torch.equal(one.step("d", 0, images()).z, other.step("d", 0, images()).z)


def test_the_same_key_gives_the_same_numbers_and_another_key_others():
    parts = [(0, 1, "z"), (1, 0, "z"), (0, 1, "noise"), (0, 11, "z"), ("0", 1, "z"), ((0, 1), "z"), (0, 1, "z", 0)]
    assert key(0, 1, "z") == key(0, 1, "z")
    assert len({key(*part) for part in parts}) == len(parts)
    assert all(0 <= key(*part) < 2**63 for part in parts)


def test_keys_are_the_same_in_every_process_and_version_of_python():
    assert key(0, "z", ("d", 1)) == KEY_OF_ZERO


def test_uniform_numbers_lie_in_0_to_1_and_normal_numbers_are_standard():
    uniform, normal = Draws(0, "u").uniform(20_000), Draws(0, "n").normal(20_000)
    assert uniform.min() >= 0 and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.01
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02


def test_draws_of_neighbouring_iterations_are_uncorrelated():
    many = torch.stack([Draws(0, iteration, "z").normal(1000) for iteration in range(20)])
    correlations = torch.corrcoef(many) - torch.eye(20)
    assert correlations.abs().max() < 0.15  # 5 standard errors of 1/sqrt(1000)


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    gan = make_gan()
    gan.iterate(images()[None])
    gan.sample(0, 4)
    generator("anything")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_inside_seeded_the_weights_are_keyed_and_outside_nothing_has_moved():
    before = torch.random.get_rng_state()
    made = []
    for seed in (1, 1, 2):
        with seeded(seed, "weights"):
            made.append(torch.nn.Linear(4, 4).weight)
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_does_not_depend_on_the_global_generator():
    results = []
    for disturbance in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(disturbance)
            gan = make_gan()
            gan.iterate(images()[None])
            results.append(gan.sample(0, 3))
    assert torch.equal(*results)


DRAWING = re.compile(
    r"\btorch\.(?:rand|randn|randint|randperm|normal|bernoulli|multinomial|rand_like|randn_like|manual_seed|seed)\(|"
    r"\b(?:np|numpy)\.random\b|^\s*(?:import random|from random )|\.(?:normal_|uniform_|bernoulli_|random_)\("
)
KEYED = re.compile(r"generator=|nn\.init\.")  # given a generator, or initial weights (within `seeded`)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_nothing_else_draws(path):
    """A line that draws is given a generator of regen.utils.randomness; that module and the code that a
    model card shows are exempt."""
    if path.name in ("randomness.py", "usage.py"):
        return
    lines = [line for line in path.read_text().splitlines() if DRAWING.search(line) and not KEYED.search(line)]
    assert lines == []


@pytest.mark.parametrize("concentration", [0.01, 0.2, 1.0, 5.0])
def test_beta_law_has_the_right_mean_and_variance_at_any_concentration(concentration):
    drawn = Draws("beta").beta(concentration, 20_000)
    variance = 1 / (4 * (2 * concentration + 1))
    assert drawn.mean().item() == pytest.approx(0.5, abs=4 * (variance / 20_000) ** 0.5)
    assert drawn.var().item() == pytest.approx(variance, rel=0.03)
