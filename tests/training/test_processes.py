"""Several processes: the same weights, different latents, and together one process with the larger batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.commands import RING, SMOKE
from helpers.forked_processes import forked_command, status_of
from helpers.tiny_models import images, make_gan, weights

from regen.cli import entry_point
from regen.cli import train as script
from regen.core import checkpoint
from regen.core.schedules import Cosine
from regen.losses.adversarial import Relativistic, RelativisticAverage
from regen.regularizers.augment import DiffAugment, InstanceNoise
from regen.regularizers.gradients import R1
from regen.regularizers.outputs import L2
from regen.training.launcher import _free_port
from regen.utils.project import ROOT

ITERATIONS, BATCH = 10, 16


def gan(loss=Relativistic):
    regularizers = {
        "l2": L2(lambda_g=0.1, lambda_d=0.1),
        "r1": R1(lambda_d=1.0),
        "noise": InstanceNoise(),
        "diffaugment": DiffAugment(),
    }
    settings = {"lr_schedule_g": Cosine(1.0, 0.1, images=200), "lr_warmup_d": 5, "clip_norm_d": 0.5}
    return make_gan(regularizers=regularizers, loss=loss(), n_critic=2, **settings)


def one_of_two(rank: int, folder: Path, loss=Relativistic) -> None:
    """Train on this rank's half of each batch and write down the weights and the first latents."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    model = gan(loss)
    model.prepare(model.configure_optimizers(), rank, 2)
    half = slice(rank * BATCH // 2, (rank + 1) * BATCH // 2)
    z = model.step("d", 0, images(BATCH)[half]).z
    for i in range(ITERATIONS):
        model.iterate(torch.stack([images(BATCH, 2 * i)[half], images(BATCH, 2 * i + 1)[half]]))
    torch.save({"weights": weights(model), "z": z, "means": model.record.means()}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("loss", [Relativistic, RelativisticAverage], ids=lambda loss: loss.__name__)
def test_two_processes_hold_the_same_weights_see_different_z_and_equal_the_doubled_batch(loss, tmp_path: Path) -> None:
    mp.start_processes(one_of_two, (tmp_path, loss), nprocs=2, start_method="fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    model = gan(loss)
    z = model.step("d", 0, images(BATCH)).z
    for i in range(ITERATIONS):
        model.iterate(torch.stack([images(BATCH, 2 * i), images(BATCH, 2 * i + 1)]))
    alone = weights(model)
    assert torch.equal(torch.cat([first["z"], second["z"]]), z)
    for name, tensor in alone.items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], tensor, rtol=0, atol=1e-6)
    assert first["means"] == second["means"]
    assert first["means"] == pytest.approx(model.record.means(), abs=1e-6)


def test_trainer_starts_two_processes_that_equal_the_doubled_batch(train, tmp_path: Path) -> None:
    run = ["max_iterations=12", "save_every=12", "regularizer=[l2,r1,instance_noise]", "model.ema_decays=[0.5]"]
    one = train(*run, "data.batch_size=32", folder="one")
    two = tmp_path / "two"
    choice = [option for option in (*SMOKE, *run) if not option.startswith("trainer")]
    lengths = ["log_every=5", "evaluate_every=10", "evaluation_samples=100", "trainer.progress_bar=false"]
    command = ["trainer=ddp_cpu", *choice, *lengths, "data.batch_size=16", f"hydra.run.dir={two}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, ROOT / "src/train.py", *command], env=environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    states = [checkpoint.load(folder / "checkpoints/iteration_000000012.ckpt") for folder in (one, two)]
    assert states[0]["images_seen"] == states[1]["images_seen"] == 12 * 32
    for name, tensor in states[0]["model"].items():
        torch.testing.assert_close(states[1]["model"][name], tensor, rtol=0, atol=1e-6)


def test_processes_of_torchrun_are_a_single_run_in_a_single_folder(tmp_path: Path) -> None:
    variables = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    variables["MASTER_PORT"] = str(_free_port())
    run = [*(one for one in RING if not one.startswith("trainer=")), "metrics=[frechet]", "monitor=val/fd"]

    def command(rank: int) -> None:
        os.environ.update(variables, RANK=str(rank), LOCAL_RANK=str(rank))
        place = f"hydra.run.dir={tmp_path / f'started-at-{rank}'}"  # as each has its own time in its folder's name
        sys.argv = ["train.py", *run, "trainer=ddp_cpu", "trainer.progress_bar=false", place]
        entry_point.run(script.main)

    started = [forked_command(lambda rank=rank: command(rank), tmp_path / f"{rank}.log") for rank in (0, 1)]
    assert [status_of(child) for child in started] == [0, 0], (tmp_path / "1.log").read_text()
    assert [path.name for path in tmp_path.glob("started*")] == ["started-at-0"]
    assert json.loads((tmp_path / "started-at-0/result.json").read_text())["images_seen"] == 2 * 2 * 64
