"""Whatever a regularizer remembers outlives an interruption bit for bit, and is the same in every process."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.short_training import load_state
from helpers.tiny_models import images, make_gan, same, weights

from regen.core.controllers import LogController
from regen.core.regularizer import Regularizer
from regen.models.gan import GAN
from regen.regularizers.adaptive import ADA, APA
from regen.regularizers.dropout import Dropout
from regen.regularizers.features import FeatureMatching
from regen.regularizers.game import Consensus
from regen.regularizers.generator import GeneratorSlope, HessianPenalty, JacobianClamping, ModeSeeking, PathLength
from regen.regularizers.gradients import R1
from regen.regularizers.interpolates import Dragan
from regen.regularizers.scores import LeCam
from regen.regularizers.weights import HistoricalAveraging, SpectralPenalty

REMEMBERING: dict[str, Callable[[], Regularizer]] = {
    "lecam": lambda: LeCam(start=1, lambda_d=0.3),
    "ada": lambda: ADA(target=0.0, interval=2, span_images=500, start=0.5),
    "apa": lambda: APA(target=0.0, interval=2, span_images=500, start=0.5),
    "path_length": lambda: PathLength(share=1.0, lambda_g=2.0),
    "historical_averaging": lambda: HistoricalAveraging(lambda_g=1.0, lambda_d=1.0),
    "spectral_penalty": lambda: SpectralPenalty(lambda_g=0.1, lambda_d=0.1),
    "controlled": lambda: R1(
        lambda_d=LogController(0.0, measure="score_gap", start=1.0, span_images=300, interval=2, least=1e-3, most=1e3)
    ),
    "relative": lambda: R1(lambda_d=1.0, relative=0.1),
}
FORGETFUL: dict[str, Callable[[], Regularizer]] = {
    "feature_matching": lambda: FeatureMatching(lambda_g=1.0),
    "mode_seeking": lambda: ModeSeeking(lambda_g=1.0),
    "consensus": lambda: Consensus(lambda_g=1.0, lambda_d=1.0),
    "dropout": lambda: Dropout(p_g=0.2, p_d=0.2),
    "dragan": lambda: Dragan(lambda_d=10.0),
    "jacobian_clamping": lambda: JacobianClamping(least=0.0, most=0.01, lambda_g=1.0),
    "generator_slope": lambda: GeneratorSlope(lambda_g=0.1),
    "hessian_penalty": lambda: HessianPenalty(lambda_g=0.1),
}
BATCH, LAST = 16, 11  # a relative strength is measured again in the last update, a controller is between two moves


def gan(name: str, make: dict[str, Callable[[], Regularizer]]) -> GAN:
    return make_gan(regularizers={name: make[name]()})


def trained(model: GAN, until: int, rank: int = 0, world: int = 1) -> GAN:
    """The model after this iteration, on this process's part of each batch of 16."""
    part = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    while model.iteration < until:
        model.iterate(images(BATCH, model.iteration)[part][None])
    return model


def memory(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of the regularizers alone."""
    return {name: tensor for name, tensor in state.items() if name.startswith("objective.")}


@pytest.mark.parametrize("iteration", [1, 5, 10])
@pytest.mark.parametrize("name", REMEMBERING)
def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(name, iteration):
    whole, part = trained(gan(name, REMEMBERING), LAST), trained(gan(name, REMEMBERING), iteration)
    resumed = load_state(part, trained(gan(name, REMEMBERING), 2))
    assert not same(memory(weights(resumed)), memory(weights(whole)))  # there is something to remember
    trained(resumed, LAST)
    assert same(weights(resumed), weights(whole))
    for one, other in zip(*(model.record.by_name().items() for model in (resumed, whole)), strict=True):
        assert one[0] == other[0] and torch.equal(torch.stack(one[1]), torch.stack(other[1]))


def one_of_two(rank: int, folder: Path) -> None:
    """Train each model on this rank's half of each batch and write down what has become of it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    found = {}
    for name in REMEMBERING | FORGETFUL:
        model = gan(name, REMEMBERING | FORGETFUL)
        model.prepare(model.configure_optimizers(), rank, 2)
        trained(model, LAST, rank, 2)
        found[name] = {"weights": weights(model), "means": model.record.means()}
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What two processes have found, of every model."""
    folder = tmp_path_factory.mktemp("two")
    mp.start_processes(one_of_two, (folder,), nprocs=2, start_method="fork")
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", REMEMBERING | FORGETFUL)
def test_two_processes_have_the_same_state_and_equal_a_single_process_with_the_doubled_batch(name, two):
    first, second = (found[name] for found in two)
    assert same(first["weights"], second["weights"])
    assert first["means"] == second["means"]
    alone = trained(gan(name, REMEMBERING | FORGETFUL), LAST)
    torch.testing.assert_close(first["weights"], weights(alone), rtol=1e-6, atol=1e-6)  # some norms are far above 1
    assert first["means"] == pytest.approx(alone.record.means(), rel=1e-6, abs=1e-6)
