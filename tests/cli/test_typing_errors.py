"""Mistakes on the command line, as people make them: each is answered with the words that work."""

import importlib
import re

import pytest
from helpers.commands import SMOKE, type_in
from helpers.composition import compose_config

from regen.config import validate
from regen.config.command_schemas import Export, Sample
from regen.config.schema_values import in_full, settle
from regen.config.schemas import Train
from regen.config.suggestions import config_of_script

TRAIN = {
    "lambda_g = 0.1": r"^lambda_g = 0\.1: blanks separate overrides: type lambda_g=0\.1$",
    "lambda_g =0.1": r"type lambda_g=0\.1$",
    "lambda_g= 0.1": r"type lambda_g=0\.1$",
    "lambda_g = -1": r"type lambda_g=-1$",
    "lambda_g 0.1": r"type lambda_g=0\.1$",
    "lambda_g:0.1": r"^lambda_g:0\.1: a key and its value are joined by =: type lambda_g=0\.1$",
    "--lambda_g 0.1": r"^--lambda_g is not an option: type lambda_g=0\.1, without dashes\.",
    "--lambda_g=0.1": r"type lambda_g=0\.1, without dashes",
    "-seed 3": r"^-seed is not an option: type seed=3",
    "--epochs 10": r"^--epochs is not an option",
    "epochs=10": r"^unknown key epochs: type max_images=N, .*as max_images=12570 for data=digits",
    "num_epochs=2": r"max_images=2514 for data=digits; or max_iterations=10000",
    "lr=0.001": r"type model\.optimizer_g\.lr=0\.001 model\.optimizer_d\.lr=0\.001\.",
    "learning_rate=1e-4": r"type model\.optimizer_g\.lr=1e-4 model\.optimizer_d\.lr=1e-4\.",
    "batch_size=32": r"type data\.batch_size=32\.",
    "bs=32": r"type data\.batch_size=32\.",
    "steps=1000": r"type max_iterations=1000\.",
    "iterations=1000": r"type max_iterations=1000\.",
    "gpus=2": r"type trainer=ddp trainer\.devices=2\.",
    "gpus=1": r"type trainer=gpu\.",
    "device=cuda": r"type trainer=gpu\.",
    "device=cpu": r"type trainer=cpu\.",
    "optimizer=adam": r"type model\.optimizer_g\._target_=torch\.optim\.Adam model\.optimizer_d",
    "scheduler=cosine": r"type recipe=cosine_decay\.",
    "lr_scheduler=LinearLR": r"type recipe=linear_decay\.",
    "warmup_steps=500": r"type model\.lr_warmup_g=500 model\.lr_warmup_d=500\.",
    "gradient_clip_val=1": r"type model\.clip_norm_g=1 model\.clip_norm_d=1\.",
    "dataset=mnist": r"type data=mnist\.",
    "data_dir=my/photos": r"type data=folder data\.root=my/photos\.",
    "root=my/photos": r"type data\.root=my/photos\.",
    "image_size=32": r"type data\.image_size=32\.",
    "threads=4": r"type trainer\.threads=4\.",
    "wandb=false": r"type logger=csv\.",
    "Regularizer=l2": r"^unknown key Regularizer \(did you mean regularizer\?\)\. .* Type regularizer=l2$",
    "data=MNIST": r"^unknown option data=MNIST \(did you mean mnist\?\)\. .* Type data=mnist$",
    "regularizer=l2,r1": r"type 'regularizer=\[l2,r1\]' for all of them together or -m regularizer=l2,r1 for one run each$",
    "metrics=frechet,kernel": r"type 'metrics=\[frechet,kernel\]' for all of them together",
    "tags=a,b": r"type 'tags=\[a,b\]'",
    "seed=0,1": r"^seed=0,1: type -m seed=0,1 for one run each$",
    "max_iterations=10k": r"^max_iterations: .* Type max_iterations=10000$",
    "monitor=a&b": r"type 'monitor='.*a&b.*'$",
    "data.root=": r"^data\.root=: the path is empty: is a variable unset\? Type data\.root=PATH, or leave it out$",
    "resume=": r"^resume=: the path is empty",
    "+model.conditional=true": r"^\+model\.conditional=true: .* Leave out the \+: type model\.conditional=true$",
    "resume=''": r"^resume='': the path is empty",
}
OTHERS = {
    "export run=/x formats=onnx,pt2": r"type 'formats=\[onnx,pt2\]' for all of them together$",
    "sample run /x": r"^run /x: blanks separate overrides: type run=/x$",
    "sample num_samples=5 run=/x": r"type n=5\.",
    "evaluate run=": r"^run=: the path is empty",
    "evaluate run=/x checkpoint=newest,best": r"type one value, like checkpoint=newest$",
    "compare runs=": r"^runs=: the path is empty",
    "judge samples=": r"^samples=: the path is empty",
    "sample run=/x out=": r"^out=: the path is empty",
}


@pytest.mark.parametrize("words", [*(f"train {words}" for words in TRAIN), *OTHERS])
def test_typing_mistakes_are_answered_with_the_command_to_type(words, monkeypatch, capsys):
    script, _, typed = words.partition(" ")
    pattern = OTHERS.get(words) or TRAIN[typed]
    type_in(monkeypatch, importlib.import_module(f"regen.cli.{script}"), *typed.split(), status=78)
    said = capsys.readouterr().err
    assert said.startswith("error: ") and re.search(pattern, said.removeprefix("error: ").rstrip("\n")), said
    assert said.count("\n") == 1


def test_whole_numbers_and_lists_are_accepted_as_often_typed():
    cfg = compose_config(*SMOKE)
    cfg.max_iterations, cfg.data.batch_size, cfg.tags, cfg.seed = 1e4, 32.0, "x", 3.0
    validate.check(cfg)
    assert (cfg.max_iterations, cfg.data.batch_size, list(cfg.tags), cfg.seed) == (10_000, 32, ["x"], 3)
    assert all(isinstance(value, int) for value in (cfg.max_iterations, cfg.data.batch_size, cfg.seed))
    cfg.max_iterations, cfg.lambda_g = 1.5, 1.0
    settle(cfg, Train)
    assert (cfg.max_iterations, cfg.lambda_g) == (1.5, 1.0)


@pytest.mark.parametrize(("schema", "values"), [(Export, {"formats": "onnx"}), (Sample, {"truncations": 0.5})])
def test_single_value_is_a_list_where_a_list_is_expected(schema, values):
    from omegaconf import OmegaConf

    cfg = OmegaConf.create(values)
    settle(cfg, schema)
    assert OmegaConf.to_container(cfg) == {key: [value] for key, value in values.items()}


def test_thousands_are_written_in_full():
    assert [in_full(text) for text in ("10k", "1.5M", "10kg", "k", 3)] == [10_000, 1_500_000, None, None, None]


def test_a_large_number_is_trained_on_as_typed(train):
    run = train("max_iterations=2e0", "trainer.threads=1e0")
    assert "max_iterations: 2\n" in (run / "config.yaml").read_text()
    assert config_of_script().stem == "train"
