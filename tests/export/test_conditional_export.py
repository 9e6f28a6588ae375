"""Exported samplers of conditional models: latents and labels to the images of the run."""

import json
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from helpers.untrained_runs import made
from safetensors import safe_open

from regen.export.exported_model import export, plain_sampler
from regen.export.formats import chosen
from regen.models.latents import Latents
from regen.runs.load import Opened, open_run

CLASSES = 3
CONDITIONAL = "model.conditional=true"
SMALL_FLOW = ("network.velocity.hidden=[16]", "model.sampler.steps=1")
KINDS = {"gan": "generative adversarial network", "vae": "variational autoencoder", "flow": "flow"}
RUNS = {
    "gan": (),
    "vae": ("model.prior._target_=regen.models.priors.Mixture", "model.prior.components=2"),
    "flow": (*SMALL_FLOW, "model.guidance=2"),
}


def opened_run(folder: Path, family: str, *values: str) -> Opened:
    made(folder, CONDITIONAL, *values, model=family, n_classes=CLASSES)
    return open_run(folder)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """exported(family) is the run and the folder of its exported files."""
    cache: dict[str, tuple[Opened, Path]] = {}

    def of(family: str) -> tuple[Opened, Path]:
        if family not in cache:
            folder = tmp_path_factory.mktemp(family)
            opened = opened_run(folder / "run", family, *RUNS[family])
            export(opened, "ema", chosen(("safetensors", "pt2", "onnx")), folder / "export")
            cache[family] = opened, folder / "export"
        return cache[family]

    return of


def samples(opened: Opened, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The latents (n, Z) of the run's samples without the dimension of the class, labels, and the samples."""
    labels = torch.arange(n) % CLASSES
    z = Latents(opened.model.latent_size, opened.model.seed, "samples")(0, n)
    return z[:, :-1], labels, opened.model.sample(0, n, labels)


@pytest.mark.parametrize("family", RUNS)
def test_programs_give_the_samples_of_the_model_for_the_same_latents_and_labels(exported, family):
    opened, folder = exported(family)
    program = torch.export.load(folder / "sampler.pt2").module()
    session = onnxruntime.InferenceSession(folder / "sampler.onnx", providers=["CPUExecutionProvider"])
    assert [(entry.name, entry.type) for entry in session.get_inputs()] == [
        ("z", "tensor(float)"),
        ("labels", "tensor(int64)"),
    ]
    for n in (1, 2, 5):
        z, labels, images = samples(opened, n)
        torch.testing.assert_close(program(z, labels), images, atol=1e-5, rtol=0)
        (of_onnx,) = session.run(["images"], {"z": z.numpy(), "labels": labels.numpy()})
        torch.testing.assert_close(torch.from_numpy(of_onnx), images, atol=1e-5, rtol=0)
        assert n == 1 or not torch.allclose(program(z, labels.flip(0) if n == 2 else labels.roll(1)), images, atol=1e-4)


@pytest.mark.parametrize("family", RUNS)
@pytest.mark.parametrize("label", [-1, CLASSES], ids=["negative", "too large"])
def test_programs_refuse_labels_out_of_range(exported, family, label):
    opened, folder = exported(family)
    z, labels, _ = samples(opened, 2)
    labels[0] = label
    with pytest.raises(IndexError, match="out of range"):
        torch.export.load(folder / "sampler.pt2").module()(z, labels)
    session = onnxruntime.InferenceSession(folder / "sampler.onnx", providers=["CPUExecutionProvider"])
    with pytest.raises(Exception, match="out of data bounds"):
        session.run(["images"], {"z": z.numpy(), "labels": labels.numpy()})


@pytest.mark.parametrize("family", RUNS)
def test_code_of_the_card_of_a_conditional_model_generates_images(exported, family, monkeypatch):
    opened, folder = exported(family)
    monkeypatch.chdir(folder)
    text, names = Path("README.md").read_text(), {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
        assert names["images"].shape == (16, 1, 8, 8)
    z, labels, images = samples(opened, 5)
    torch.testing.assert_close(names["generator"](z, labels), images, atol=1e-5, rtol=0)
    assert np.array_equal(names["labels"], np.arange(16) % CLASSES)
    assert "`labels` (n,), int64 from 0 to 2" in text and "Classes: 0 0, 1 1, 2 2." in text
    assert ("The guidance is 2 and fixed." in text) == (family == "flow")
    header = yaml.safe_load(text.split("---")[1])
    assert {"class-conditional", KINDS[family]} <= set(header["tags"]) and "pipeline_tag" not in header


def test_metadata_name_the_recorded_classes(tmp_path):
    opened = opened_run(tmp_path / "run", "gan")
    opened.cfg.dataset = {"classes": ["cat", "dog", "newt"]}
    export(opened, "ema", chosen(("safetensors",)), tmp_path / "export")
    with safe_open(tmp_path / "export/model.safetensors", "pt") as file:
        facts = file.metadata()
    assert json.loads(facts["classes"]) == ["cat", "dog", "newt"] and facts["latent_dim"] == "8"
    assert "Classes: 0 cat, 1 dog, 2 newt." in (tmp_path / "export/README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [0, 1])
def test_guidance_without_a_second_pass_is_exported(tmp_path, guidance):
    opened = opened_run(tmp_path / "run", "flow", *SMALL_FLOW, f"model.guidance={guidance}")
    written = export(opened, "ema", chosen(("pt2", "onnx")), tmp_path / "export")
    assert all(file.difference < 1e-6 for file in written)


@pytest.mark.parametrize("network", ["dcgan", "resnet", "r3gan"])
def test_convolutional_generators_of_classes_are_captured(tmp_path, network):
    values = ("network.generator.width=16", "network.discriminator.width=16", "data.image_size=16")
    made(tmp_path / "run", CONDITIONAL, *values, network=network, shape=(1, 16, 16), n_classes=CLASSES)
    opened = open_run(tmp_path / "run")
    sampler = plain_sampler(opened, opened.model.decoder_network())
    assert sampler.difference(sampler.program.module()) < 1e-5
    (_, first), (_, later) = sampler.inputs(2), sampler.inputs(7)
    assert first.tolist() == [1, 2] and later.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_conditional_points_are_exported_with_a_scatter_plot(train, tmp_path):
    small = ("data.train=64", "data.validation=64", "data.test=8", "trainer=smoke", "logger=csv", "report=false")
    run = train("data=ring", "network=mlp", CONDITIONAL, "metrics=[]", *small, smoke=False)
    export(open_run(run), "ema", chosen(("safetensors",)), tmp_path / "export")
    assert (tmp_path / "export/samples.png").exists()
    text = (tmp_path / "export/README.md").read_text()
    assert "`labels` (n,), int64 from 0 to 7" in text and "points = 1.1 * images" in text
