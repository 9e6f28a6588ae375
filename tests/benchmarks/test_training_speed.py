"""The benchmark compares like with like. Nothing here is timed."""

import re
from pathlib import Path

import pytest
import torch
import training_speed
from turns import Contestant, Gate, in_turns

pytestmark = pytest.mark.filterwarnings("ignore:Found .* in eval mode", "ignore:.*LeafSpec")
SMALL = {
    "mlp": ["data.image_size=8", "data.batch_size=8"],
    "dcgan": ["data.image_size=16", "data.batch_size=8", "network.generator.width=8", "network.discriminator.width=8"],
}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the benchmark sets for its process is undone."""
    for name in ("WANDB_MODE", "WANDB_SILENT", "WANDB_REINIT", "PYTORCH_NVML_BASED_CUDA_CHECK"):
        monkeypatch.setenv(name, "")
    for name in ("WANDB_REINIT", "PYTORCH_NVML_BASED_CUDA_CHECK"):
        monkeypatch.delenv(name)
    training_speed.prepare(threads=1)


def end(contestant: Contestant) -> None:
    """Its first turn is its last."""
    contestant.turn()
    contestant.finish()


@pytest.mark.parametrize(
    ("network", "regularizer", "reuse_fake"),
    [
        ("mlp", "none", False),
        ("mlp", "r1", False),
        ("dcgan", "none", False),
        ("dcgan", "r1", False),
        ("mlp", "none", True),
    ],
)
def test_training_ends_with_the_weights_of_the_bare_loop_bit_for_bit(
    network: str, regularizer: str, reuse_fake: bool, tmp_path: Path
) -> None:
    overrides = [f"network={network}", f"regularizer={regularizer}", f"model.reuse_fake={reuse_fake}", *SMALL[network]]
    quiet = ["logger=csv", "trainer.progress_bar=false"]
    bare, bare_model = training_speed.bare_contestant("bare", overrides, Gate(16), tmp_path)
    start = [tensor.clone() for tensor in training_speed.weights(bare_model)]
    end(bare)
    assert not any(torch.equal(a, b) for a, b in zip(start, training_speed.weights(bare_model), strict=True))
    for k in (1, 8):
        regen, model = training_speed.regen_loop(
            "regen", [*overrides, *quiet, f"iterations_per_call={k}"], Gate(16), tmp_path
        )
        end(regen)
        assert model.iteration == 16
        assert training_speed.same(training_speed.weights(bare_model), training_speed.weights(model)), k


def test_other_weights_are_not_called_the_same(tmp_path: Path) -> None:
    _, one = training_speed.bare_contestant("one", ["network=mlp", *SMALL["mlp"], "seed=0"], Gate(1), tmp_path)
    _, other = training_speed.bare_contestant("other", ["network=mlp", *SMALL["mlp"], "seed=1"], Gate(1), tmp_path)
    assert training_speed.same(training_speed.weights(one), training_speed.weights(one))
    assert not training_speed.same(training_speed.weights(one), training_speed.weights(other))


def test_contestants_take_turns_and_the_first_turn_is_not_timed() -> None:
    happened: list[str] = []

    def loop(name: str):
        return lambda gate: happened.extend(name for _ in gate.through(range(100)))

    contestants = [Contestant(name, Gate(2), loop(name)) for name in "ab"]

    for contestant in contestants:
        contestant.turn()
    in_turns(contestants, 2)
    for contestant in contestants:
        contestant.finish()
    assert "".join(happened) == "aabb" + "aabb" + "bbaa"
    assert [len(contestant.turns) for contestant in contestants] == [2, 2]


def test_exception_raised_in_a_loop_is_raised_by_the_turn() -> None:
    def loop(gate: Gate) -> None:
        raise ValueError("no data")

    with pytest.raises(ValueError, match="no data"):
        Contestant("broken", Gate(1), loop).turn()


@pytest.mark.slow
def test_the_benchmark_prints_a_table_and_says_that_the_weights_are_identical(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--quick", "--rounds", "2", "--network", "mlp", "--regularizer", "none", "--skip-memory"]
    status = training_speed.main(
        [*options, "--json", str(tmp_path / "figures.json"), "data.batch_size=8", "data.image_size=8"]
    )
    printed = capsys.readouterr().out
    assert status == 0
    for name in ("bare", "bare, again", "regen", "bare, fakes reused", "regen, fakes reused"):
        assert re.search(rf"^{name} +[\d,]+  \d\.\d{{3}} \[\d\.\d\d-\d\.\d\d\]", printed, re.MULTILINE), printed
    assert "weights: identical" in printed
    assert '"identical": true' in (tmp_path / "figures.json").read_text()
