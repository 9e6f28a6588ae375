"""Images of more than 8 bits, any proportions and channels, through the commands."""

import numpy as np
import torch
from helpers.commands import type_in
from omegaconf import OmegaConf

from regen.runs.load import open_run
from regen.utils.json_files import read_json

FAST = ("data=array", "data.image_size=null", "data.batch_size=8", "max_iterations=4", "evaluate_every=4")
FAST = (*FAST, "evaluation_samples=16", "save_every=2")


def write_array(path, channels: int = 5, labels: bool = True) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 4096, (60, channels, 12, 8)).astype(np.uint16)
    images[0, 0, 0] = 4095
    np.savez(path, images=images, **({"labels": np.arange(60) % 2} if labels else {}))
    return images


def test_run_of_12_bits_records_the_window_and_writes_samples_in_that_window(tmp_path, train, monkeypatch):
    from regen.cli import sample as script

    write_array(tmp_path / "wide.npz")
    run = train(*FAST, f"data.root={tmp_path}/wide.npz", "network=resnet")
    recorded = OmegaConf.load(run / "config.yaml").data
    assert (recorded.window, recorded.image_size, recorded.channels) == ([0, 4095], [12, 8], 5)
    assert read_json(run / "result.json")["status"] == "finished"
    (tmp_path / "wide.npz").unlink()  # a sample needs no data
    type_in(monkeypatch, script, f"run={run}", "write=[npz,grid]", "n=6", f"out={tmp_path}/drawn", status=None)
    drawn = np.load(tmp_path / "drawn/samples.npz")["arr_0"]
    assert drawn.shape == (6, 12, 8, 5) and drawn.dtype == np.uint16 and drawn.max() <= 4095
    opened = open_run(run)
    from regen.models.latents import Latents

    z = Latents(opened.model.prior.latent_dim, opened.model.seed, "samples")(0, 6)
    expected = (opened.sampler()(z).permute(0, 2, 3, 1).numpy().astype(float) + 1) * 4095 / 2
    assert np.abs(drawn - expected).max() < 1


def test_resumed_mirrored_run_equals_the_uninterrupted_run(tmp_path, train):
    write_array(tmp_path / "two.npz", channels=2, labels=False)
    settings = (*FAST, f"data.root={tmp_path}/two.npz", "data.mirror=true")
    whole = train(*settings, folder="whole")
    train(*settings, "max_iterations=2", folder="parts")
    train(f"resume={tmp_path}/parts", "data.image_size=null", "max_iterations=4")
    plain = train(*FAST, f"data.root={tmp_path}/two.npz", folder="plain")
    states = [open_run(path).model.state_dict() for path in (whole, tmp_path / "parts", plain)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert any(not torch.equal(value, states[2][name]) for name, value in states[0].items())
