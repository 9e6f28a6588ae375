"""A flow-matching model written outside of the package: every command samples it by its own ODE, or refuses."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.commands import type_in
from helpers.run_equality import assert_same_run

import regen
from regen.cli import export, report, sample
from regen.models.latents import Latents

FLOW = '''
from functools import cached_property

import torch
from torch import nn

from regen.core.ema import Averaged
from regen.core.objective import Loss
from regen.core.step import Update
from regen.models.base import Model
from regen.models.latents import Latents
from regen.models.without_discriminator import NoDiscriminator


class Matching(Loss):
    """E ||v((1 - t) z + t x, t) - (x - z)||^2 (Lipman et al. 2023)."""

    def for_g(self, step):
        return (step.velocity - (step.real - step.z)).square().flatten(1).sum(1).mean()


class FlowStep(Update):
    lacks = "a flow has no discriminator and no encoder"

    @cached_property
    def z(self):
        return self.rng("z").normal(len(self.real), *self.real.shape[1:])

    @cached_property
    def velocity(self):
        t = self.rng("t").uniform(len(self.real), 1, 1, 1)
        return self.generator(t * self.real + (1 - t) * self.z, t)


class Velocity(nn.Module):
    def __init__(self, shape, width=32):
        super().__init__()
        size, self.shape = shape[0] * shape[1] * shape[2], tuple(shape)
        self.layers = nn.Sequential(nn.Linear(size + 1, width), nn.SiLU(), nn.Linear(width, size))

    def forward(self, x, t=None):
        x = x.view(-1, *self.shape)
        t = x.new_zeros(len(x), 1) if t is None else t.flatten(1)
        return self.layers(torch.cat([x.flatten(1), t], 1)).view_as(x)


class Flow(Model):
    kind = "flow"

    def __init__(self, generator, objective, optimizer_g, latent_dim=64, ema_decay=0.9, ema_interval=1, seed=0):
        super().__init__(objective, {"g": [generator]}, {"g": optimizer_g}, latent_dim, seed)
        self.generator, self.discriminator = generator, NoDiscriminator()
        self.make_averages({"ema": generator}, ema_decay, ema_interval, ())

    def integrate(self, x):
        with torch.inference_mode():
            x = x.to(self.device).view(-1, *self.generator.shape)
            for k in range(10):
                x = x + self.ema.net(x, x.new_full((len(x), 1), k / 10)) / 10
            return x.clamp(-1, 1)

    def play(self, real, labels):
        step = FlowStep("g", self.count.iteration, self.generator, real[0], self.rng("g", 0, real[0].device),
                        **self.progress("g", labels[0]))
        return [self.update(step)]
'''
OWN_SAMPLE = """
    def sample(self, first, n):
        return self.integrate(Latents(self.latent_dim, self.seed, "samples")(first, n))
"""
OWN_DECODE = """
    def decode(self, codes):
        return self.integrate(codes)
"""
MODEL = """
# @package _global_
defaults:
  - override /regularizer: [none]
  - override /metrics: [frechet]
loss: {_target_: flow.Matching}
model:
  _target_: flow.Flow
  latent_dim: 64
  ema_decay: 0.9
  ema_interval: 1
  optimizer_g: {_target_: torch.optim.Adam, _partial_: true, lr: 1e-2}
"""
NETWORK = "generator: {_target_: flow.Velocity, width: 32}\n"
OPTIONS = ("model=own_flow", "network=velocity", "data.image_size=8", "data.batch_size=8", "evaluate_every=3")


@pytest.fixture
def write_flow(tmp_path):
    """write_flow(method) -> the folder for --config-dir, with a flow whose samples the method defines."""
    path = list(sys.path)

    def write(method: str) -> Path:
        folder = tmp_path / "own"
        for name, text in {
            "model/own_flow.yaml": MODEL,
            "network/velocity.yaml": NETWORK,
            "flow.py": FLOW + method,
        }.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    yield write
    sys.path[:] = path
    sys.modules.pop("flow", None)


def integral(model) -> torch.Tensor:
    """Samples 0 to 3 by Euler's method, written out."""
    x = Latents(64, model.seed, "samples")(0, 4).view(4, 1, 8, 8)
    with torch.no_grad():
        for k in range(10):
            x = x + model.ema.net(x, torch.full((4, 1), k / 10)) / 10
    return x.clamp(-1, 1)


def drawn(folder: Path) -> torch.Tensor:
    with np.load(folder / "samples.npz") as archive:
        return torch.from_numpy(archive["arr_0"]).permute(0, 3, 1, 2).int()


def as_bytes(images: torch.Tensor) -> torch.Tensor:
    return images.add(1).mul(127.5).round().int()


@pytest.mark.parametrize("method", [OWN_SAMPLE, OWN_DECODE], ids=["sample", "decode"])
def test_flow_outside_the_package_is_trained_resumed_and_sampled_by_an_own_ode(
    method, write_flow, train, tmp_path, monkeypatch, capsys
):
    own = ("--config-dir", str(write_flow(method)))
    whole = train(*own, *OPTIONS, "max_iterations=6", folder="whole")
    part = train(*own, *OPTIONS, "max_iterations=3", folder="part")
    train(*own, f"resume={part}", "max_iterations=6", smoke=False)
    assert_same_run(whole, part, last=6)
    model = regen.load(whole, config_dir=own[1])._open("newest").model
    assert torch.equal(model.sample(0, 4), integral(model))

    type_in(monkeypatch, sample, *own, f"run={whole}", "write=[npz]", "n=4", f"out={tmp_path}/drawn")
    assert (drawn(tmp_path / "drawn") - as_bytes(integral(model))).abs().max() <= 1
    for script, words, message in (
        (export, [f"run={whole}"], "Flow has its own sample() or decode()"),
        (sample, [f"run={whole}", "write=[directions]"], "write=directions: Flow"),
    ):
        type_in(monkeypatch, script, *own, *words, status=78)
        assert message in capsys.readouterr().err


def test_report_and_interpolations_of_flow_use_the_own_decode(write_flow, train, tmp_path, monkeypatch):
    own = ("--config-dir", str(write_flow(OWN_DECODE)))
    run = train(*own, *OPTIONS, "max_iterations=3")
    type_in(monkeypatch, sample, *own, f"run={run}", "write=[interpolation,sweep]", f"out={tmp_path}/drawn")
    assert (tmp_path / "drawn/interpolation.png").exists() and (tmp_path / "drawn/sweep.png").exists()
    opened = regen.load(run, config_dir=own[1])._open("newest")
    z = Latents(64, opened.model.seed, "samples")(0, 4)
    assert torch.equal(opened.sampler()(z), integral(opened.model))
    type_in(monkeypatch, report, *own, f"run={run}")
    page = (run / "report.html").read_text()
    assert "takes more than one pass to samples" in page and "its own way from latents" not in page
