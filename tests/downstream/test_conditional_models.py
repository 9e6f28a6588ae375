"""Downstream tasks of conditional models that were trained: generated images show their class."""

import pytest
import torch
from helpers.commands import type_in
from helpers.composition import compose_config
from helpers.labelled_digits import small_digits

from regen.cli import downstream
from regen.data.batches import Stream
from regen.data.split import as_float
from regen.downstream.generated_images import CAS, Augment
from regen.downstream.labelled_images import Setup, generate, prepare
from regen.models.build_model import make_model
from regen.utils.json_files import read_json


@pytest.fixture(scope="module")
def setup() -> Setup:
    """A conditional VAE of the digits after some epochs."""
    data = small_digits()
    words = ("model=vae", "model.conditional=true", "network=mlp", "data.image_size=8", "model.latent_dim=4", "seed=0")
    model = make_model(compose_config(*words), data)
    model.prepare(model.configure_optimizers())
    for indices in Stream(len(data.train), 64, draws=1, seed=0).indices(0, 400):
        images, labels = data.train[indices[0]]
        model.iterate(as_float(images)[None], labels[None])
    return prepare(model.eval(), data, "test")


def test_generated_digits_show_the_right_class_and_train_a_classifier(setup):
    scores = {score.method: score for score in CAS(steps=100).scores(setup, [0])}
    assert scores["real"].accuracy > 0.9
    assert min(scores["real, tested on generated"].accuracy, scores["generated"].accuracy) > 0.5  # chance: 0.1


def test_augmentation_compares_generated_digits_with_both_baselines(setup):
    scores = {score.method: score for score in Augment(labels=[50], generated=100, steps=60).scores(setup, [0])}
    assert {"real", "real + classical"} == {score.method for score in scores.values() if score.is_baseline}
    assert scores["real + generated"].accuracy > 0.6


def test_images_of_a_label_differ_between_seeds_and_repeat_for_a_seed(setup):
    labels = torch.tensor([3, 3, 7])
    first, again, other = (generate(setup, labels, seed) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images) and not torch.equal(first.images, other.images)
    assert first.images.dtype == torch.uint8 and torch.equal(first.labels, labels)


def test_conditional_run_is_measured_by_conditional_tasks_and_refused_by_others(train, monkeypatch, capsys):
    run = train(
        "model.conditional=true",
        "max_iterations=4",
        "metrics=[kernel]",
        "task=cas",
        "task.cas.steps=5",
        "monitor=downstream/cas",
    )
    assert 0 <= read_json(run / "result.json")["figures"]["downstream/cas"] <= 1
    short = ("task.cas.steps=5", "task.augment.steps=5", "task.augment.labels=[50]", "seeds=1", "threads=1")
    type_in(monkeypatch, downstream, f"run={run}", "task=[cas,augment,features]", *short)
    records = {record["task"]: record for record in read_json(run / "result.json")["downstream"]}
    assert records.keys() == {"cas", "augment"} and len(records["cas"]["scores"][0]["by_class"]) == 10
    assert "model.conditional=false" in "".join(capsys.readouterr())
