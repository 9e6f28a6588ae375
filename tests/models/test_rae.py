"""The same classes of regularizer on a generator and on a decoder: model=gan and model=rae, in one sweep."""

import csv
from pathlib import Path

import pytest
import torch
from helpers.composition import compose_config

from regen.config import validate
from regen.config.instantiate import build
from regen.data.images import Images
from regen.models.build_model import make_model
from regen.models.priors import Mixture
from regen.regularizers.form import SpectralNorm
from regen.regularizers.generator import GeneratorSlope
from regen.regularizers.latent_codes import CodeL2
from regen.regularizers.weights import WeightL2

ON_G = {"none": None, "weight_l2": WeightL2, "slope": GeneratorSlope, "spectral_norm": SpectralNorm}


def made(*overrides: str):
    cfg = compose_config("network=mlp", "data.image_size=8", *overrides)
    validate.check(cfg)
    return make_model(cfg, build(cfg.data, "data", Images))


def test_regularized_autoencoder_adds_the_code_penalty_and_samples_a_mixture():
    cfg = compose_config("model=rae", "regularizer=[generator_slope,l2]")
    assert list(cfg.regularizer) == ["generator_slope", "l2", "code_l2"] and cfg.monitor == "val/generalization"
    assert list(compose_config("model=rae").regularizer) == ["code_l2"]
    model = made("model=rae")
    assert isinstance(model.prior, Mixture) and isinstance(model.objective.regularizers["code_l2"], CodeL2)
    assert not model.objective.draws_codes  # it is an autoencoder


@pytest.mark.parametrize("model", ["gan", "rae"])
@pytest.mark.parametrize("name", ON_G)
def test_the_same_class_leans_on_a_generator_and_on_a_decoder(model, name):
    found = made(f"model={model}", f"experiment=on_g_{name}").objective.regularizers
    others = {key: one for key, one in found.items() if key != "code_l2"}
    assert [type(one) for one in others.values()] == [ON_G[name]] * bool(ON_G[name])
    for one in others.values():
        on_g = one.strengths["g"] > 0 and one.strengths["d"] == 0 and one.relative
        assert on_g or list(one.nets) == ["generator"]


def test_single_sweep_trains_gan_and_autoencoder_and_compares_both(train, tmp_path: Path):
    axes = ("model=gan,rae", "experiment=on_g_slope")
    short = ("monitor=val/fd", "metrics=[frechet]", "max_iterations=4", "data.subset=100", "evaluate_every=9999999")
    folder = tmp_path / "decoders"
    train("-m", "sweep=decoders", *axes, *short, f"hydra.sweep.dir={folder}")
    with open(folder / "summary.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["model"], row["status"]) for row in rows} == {("gan", "finished"), ("rae", "finished")}
    page = (folder / "compare.html").read_text()
    assert all(word in page for word in ("generator_slope", "model=gan", "model=vae", "prior=mixture"))


def test_spectral_norm_bounds_every_layer_of_a_decoder_by_1():
    model = made("model=rae", "experiment=on_g_spectral_norm")
    model.train()
    for _ in range(50):  # power iterations
        model.generator(torch.zeros(2, 16))
    layers = [layer for layer in model.generator.modules() if isinstance(layer, torch.nn.Linear)]
    norms = [torch.linalg.matrix_norm(layer.weight, 2).item() for layer in layers]
    assert norms == pytest.approx([1.0] * len(layers), rel=0.02) and len(norms) == 3
