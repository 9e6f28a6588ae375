"""The banks of scores of benchmarks/bank.py."""

import functools
import math
from pathlib import Path

import bank
import numpy as np
import pytest
import torch
from mixture_distance import WIDTH, kernel_distance
from score_bank import Bank
from small_gans import Batch, Setup, grid_data, train
from torch import Tensor

from regen.core.objective import Objective
from regen.cross_validation.score_table import Round
from regen.data.batches import Stream
from regen.data.mixtures import Mixture
from regen.losses.adversarial import Nonsaturating
from regen.models.gan import GAN
from regen.regularizers.gradients import R1
from regen.utils.randomness import Draws

STRENGTHS, SEEDS = (0.0, 1.0, 100.0), (0, 3)
SETUP = Setup(hidden=(16, 8), batch=32, samples=500)


@pytest.fixture(scope="module")
def data() -> Mixture:
    return grid_data()


@pytest.fixture(scope="module")
def trained(data: Mixture) -> Batch:
    batch = Batch(data, SETUP, STRENGTHS, SEEDS)
    for _ in range(30):
        batch.step()
    return batch


def train_alone(data: Mixture, strength: float, seed: int, iterations: int) -> GAN:
    """Train the same GAN by the project's own classes."""
    adam = functools.partial(torch.optim.Adam, lr=SETUP.lr, betas=(0.5, 0.999))
    generator, discriminator = SETUP.networks(data.shape, seed)
    objective = Objective(Nonsaturating(), {"r1": R1(lambda_d=strength)})
    gan = GAN(generator, discriminator, objective, adam, adam, latent_dim=SETUP.latent_dim, seed=seed)
    gan.prepare(gan.configure_optimizers())
    stream = Stream(len(data.train), SETUP.batch, 1, seed)
    for i in range(iterations):
        gan.iterate([data.train.images[stream.indices(i, 1)[0, 0]]])
    return gan


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_gan_of_the_batch_equals_the_same_gan_trained_alone(
    data: Mixture, trained: Batch, strength: float, seed: int
) -> None:
    row = STRENGTHS.index(strength) * len(SEEDS) + SEEDS.index(seed)
    alone, start = train_alone(data, strength, seed, 30), SETUP.networks(data.shape, seed)[0]
    pairs = [(trained.generator, alone.generator), (trained.discriminator, alone.discriminator)]
    for stack, network in [*pairs, (trained.ema.net, alone.ema.net)]:
        for weights, expected in zip(stack.weights, network.parameters(), strict=True):
            torch.testing.assert_close(weights[row].detach(), expected.detach(), rtol=0, atol=1e-5)
    for weights, before in zip(trained.generator.weights, start.parameters(), strict=True):
        assert (weights[row] - before).abs().max() > 1e-2


def test_gans_of_a_round_share_data_and_latents_and_rounds_do_not(data: Mixture) -> None:
    batch = Batch(data, SETUP, STRENGTHS, SEEDS)
    for rows in (batch._real(), batch._latents("d")):
        by_strength = rows.unflatten(0, (len(STRENGTHS), len(SEEDS)))
        assert torch.equal(by_strength[0], by_strength[2])
        assert not torch.equal(by_strength[0, 0], by_strength[0, 1])


def test_gan_that_diverges_scores_nan_and_leaves_the_others_unchanged(data: Mixture) -> None:
    figures = train(data, SETUP, [0.0, 1.0], [0], [1, 3])
    with_diverging = train(data, SETUP, [0.0, 1.0, math.inf], [0], [1, 3])
    for name, values in with_diverging.items():
        np.testing.assert_array_equal(values[:2], figures[name])
        assert np.isnan(values[2]).all()
    assert np.isfinite(figures["kernel_distance"]).all()


def mean_kernel(a: Tensor, b: Tensor, variance: float) -> Tensor:
    """(N, M) E k(x, y) over x from N(a, v) and y from N(b, w) with v + w = variance, in closed form."""
    width = WIDTH**2 + variance
    return (-torch.cdist(a, b).square() / (2 * width)).exp() * WIDTH**2 / width


def test_kernel_distance_equals_the_sum_over_pairs(data: Mixture) -> None:
    points, means = Draws("points").uniform(400, 2).double() * 8 - 4, data.means.double()
    own = (mean_kernel(points, points, 0).sum() - 400) / (400 * 399)
    mixture = mean_kernel(means, means, 2 * data.std**2).mean()
    expected = own - 2 * mean_kernel(points, means, data.std**2).mean() + mixture
    assert kernel_distance(points, data.means, data.std) == pytest.approx(float(expected), abs=1e-6)


def test_kernel_distance_of_real_points_is_zero_and_of_a_missing_mode_is_not(data: Mixture) -> None:
    real, labels = data.to_plane(data.train.images), data.train.labels
    distances = [kernel_distance(real[rows], data.means, data.std) for rows in torch.arange(20_000).split(4000)]
    assert np.mean(distances) == pytest.approx(0, abs=2e-4)
    assert kernel_distance(real[labels != 3], data.means, data.std) > 1e-3


def make_bank(higher: bool = False) -> Bank:
    scores = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    scores[1, 2] = np.nan
    rounds = np.arange(4)
    return Bank(
        np.array([0, 0.5]), rounds, rounds % 2, np.array([1, 2, 4]), {"a": scores, "b": scores + 1}, "x", higher
    )


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_saved_bank_equals_the_loaded_bank(tmp_path: Path, suffix: str) -> None:
    expected, path = make_bank(higher=True), tmp_path / f"bank{suffix}"
    expected.save(path)
    loaded = Bank.load(path)
    for name in ("strengths", "seeds", "folds", "iterations"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(expected, name))
    assert list(loaded.figures) == ["a", "b"]
    for name, values in expected.figures.items():
        np.testing.assert_array_equal(loaded.figures[name], values)
    assert (loaded.command, loaded.higher_is_better) == ("x", True)


def test_table_of_a_bank_holds_the_chosen_rounds_and_length() -> None:
    table = make_bank().table([1, 2], length=1)
    assert table.strengths == [(0.0,), (0.5,)]
    assert table.rounds == [Round(1, 1), Round(2, 0)]
    np.testing.assert_array_equal(table.losses, [[4, 7], [16, np.inf]])
    assert len(make_bank().table().rounds) == 4


def test_bank_refuses_figures_of_another_shape() -> None:
    with pytest.raises(ValueError, match="figures of shape"):
        Bank(np.zeros(2), np.arange(3), np.arange(3), np.arange(1), {"a": np.zeros((2, 3, 2))}, "x")


def test_grid_command_writes_the_named_bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grid.npz"
    bank.main(["grid", "--strengths", "1,0", "--rounds", "2", "--iterations", "8", "--out", str(out)])
    made, printed = Bank.load(out), capsys.readouterr().out
    assert made.command == "python benchmarks/bank.py grid --strengths=0,1 --rounds=2 --iterations=8"
    assert made.scores.shape == (2, 2, 4) and made.iterations.tolist() == [1, 2, 4, 8]
    assert np.isfinite(made.scores).all()
    bank.main(["show", str(out)])
    assert capsys.readouterr().out == printed


def test_grid_command_with_more_rounds_trains_only_missing_rounds(tmp_path: Path) -> None:
    out, options = tmp_path / "grid.npz", ["--strengths", "0,1", "--iterations", "8"]
    bank.main(["grid", *options, "--rounds", "1", "--out", str(out)])
    first = Bank.load(out)
    bank.main(["grid", *options, "--rounds", "2", "--out", str(out)])
    bank.main(["grid", *options, "--rounds", "2", "--out", str(tmp_path / "both.npz")])
    resumed, at_once = Bank.load(out), Bank.load(tmp_path / "both.npz")
    np.testing.assert_array_equal(resumed.scores[:, :1], first.scores)
    np.testing.assert_allclose(resumed.scores, at_once.scores, atol=1e-4)
    assert resumed.command == at_once.command


def test_evaluations_of_a_run_are_read_with_iteration_and_position(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("lambda_d: 10\nseed: 7\ndata: {fold: 2}\n")
    (tmp_path / "metrics.csv").write_text("iteration,val/generalization,val/kd\n50,,\n100,-2.5,0.5\n")
    place = {"strength": 10.0, "seed": 7, "fold": 2, "iteration": 100}
    assert list(bank._evaluations(tmp_path)) == [(place, {"val/generalization": -2.5, "val/kd": 0.5})]


@pytest.mark.parametrize("path", sorted(bank.BANKS.iterdir()), ids=lambda path: path.name)
def test_stored_bank_is_complete(path: Path) -> None:
    stored = Bank.load(path)
    assert stored.command.startswith(f"python benchmarks/bank.py {path.stem} --strengths=0,")
    assert stored.strengths[0] == 0
    assert path.stat().st_size < 300_000
    assert len(stored.seeds) >= 15 and np.isfinite(stored.scores).mean() > 0.9
    assert len(stored.table().rounds) == len(stored.seeds)
