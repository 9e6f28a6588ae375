"""Bad input: exit status 78 and one line that names what was expected, what came or what to type instead."""

import functools
import re

import pytest
import torch
from helpers.commands import RING, SMOKE
from helpers.composition import compose_config
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from PIL import Image

from regen.config import validate as config
from regen.config.instantiate import build
from regen.core.distributed import processes
from regen.core.objective import Loss
from regen.data.images import Images
from regen.errors import ConfigError
from regen.models.build_model import make_model

# Typed as a command, through Hydra.
COMMANDS = {
    "regularizer=l22": r"unknown option regularizer=l22 \(did you mean l2\?\)\. Expected one of .*weight_norm",
    "regularizer=R1": r"option regularizer=R1 \(did you mean r1\?\)",
    "regularizer=[l2,r11]": r"option regularizer=r11 \(did you mean r1\?\)",
    "trainer=GPU": r"option trainer=GPU \(did you mean gpu",
    "experiment=artcle": r"option experiment=artcle \(did you mean article",
    "model=diffusion": r"unknown option model=diffusion\. Expected one of flow, gan, rae, vae",
    "network.encoder.hidden=[9]": r"network\.encoder\.hidden=\[9\]: model=gan has no encoder\. Leave it out, or type a mo",
    "model=vae network.discriminator.batch_norm=true": r"batch_norm=true: model=vae has no discriminator\.",
    "model=vae_gan network.velocity.hidden=[9]": r"model=vae_gan has no velocity\. Leave it out",
    "model=vae_gan lambda_g=1": r"lambda_g=1: kl and reconstruction all have it\. Type regularizer\.kl\.lambda_g=1",
    "model=vae_gan loss=bernoulli": r"loss=Bernoulli is for a VAE: type model=vae",
    "regularizer=reconstruction": r"both an encoder and a discriminator, .*no encoder: .*Type model=vae_gan",
    "model=vae loss=hinge": r"loss=hinge is for another model: with model=vae type loss=gaussian_learned",
    "loss=bernoulli": r"loss=Bernoulli is for a VAE: type model=vae",
    "regularizer=kl": r"kl cannot be combined with a model without an encoder.*Type model=vae",
    "model=vae regularizer=r1": r"r1 acts only on a discriminator, and a VAE has none: type model=gan",
    "model=vae regularizer=feature_matching": r"no attribute real_features, .* a VAE has no discriminator",
    "model=vae recipe=cosine_decay": r"model\.lr_schedule_d is a setting of D, and model=vae has no D: .* \+schedule@model",
    "model=flow recipe=warmup": r"model\.lr_warmup_d is a setting of D, and model=flow has no D",
    "model=vae lambda_d=1": r"lambda_d=1.*kl",
    "model=vae regularizer=l2 lambda_d=1": r"lambda_d=1 is a strength on D's loss, and model=vae has no D",
    "model=vae loss=iwae": r"kl cannot be combined with loss=iwae.*Type regularizer=none",
    "lamda_g=0.2": r"key lamda_g \(did you mean lambda_g",
    "+lamda_g=0.2": r"key lamda_g \(did you mean lambda_g",
    "regulariser=l2": r"key regulariser \(did you mean regularizer\?\)",
    "network.generator.hiden=[8]": r"key network\.generator\.hiden \(did you mean network\.generator\.hidden",
    "+foo=1": r"key foo\. All keys: python src/train\.py --cfg job",
    "+data.foo=1": r"data\.foo: regen\S+ takes image_size",
    "+model.foo=1": r"model\.foo: regen\S+ takes",
    "+trainer.foo=1": r"key trainer\.foo",
    "+loss.foo=1": r"loss.*unexpected keyword argument 'foo'",
    "regularizer=l2 +regularizer.l2.foo=1": r"regularizer\.l2\.foo: regen\.\S+\.L2 takes reduce, lambda_g, lambda_d",
    "+regularizer.l2.foo=1": r"regularizer\.l2 must name a _target_ .* choose the option",
    "+regularizer.l2=1 lambda_g=1": r"no chosen regularizer has that strength",
    "regularizer.r1.lambda_d=1": r"belongs to an option that is not chosen: type regularizer=r1 as well",
    "network.generator.width=3": r"belongs to an option that is not chosen: type network=dcgan or network=r3gan or network=r",
    "loss=null": r"loss=null: type one of article, bernoulli",
    "-m experiment=null,grid": r"^experiment=null,grid: type one of article, .* none",
    "seed=1,2": r"^seed=1,2: type -m seed=1,2 for one run each",
    "lambda_g": r"^lambda_g: expected KEY=VALUE, like lambda_g=1",
    "regularizer=l2 lambda_g=0,1": r"^lambda_g=0,1: type -m lambda_g=0,1 for one run each",
    "data.batch_size=5000": r"^data\.batch_size=5000 is larger than",
    "model.optimizer_g.lr=-1": r"model\.optimizer_g.*-1",
    "data._target_=os.system": r"data\._target_=os\.system is not allowed",
    "evaluation_samples=1": r"^1 generated images are too few: frechet needs 2 or more",
    "network.generator.hidden=[8,8] max_iterations=0": r"max_iterations must be at least 1",
    "regularizer=[l2,r1,l2]": r"regularizer=\[l2,r1,l2\]: l2 is in the list twice",
    "resume=/nowhere": r"resume=/nowhere: no run there; looked in /nowhere",
}
# The rest needs no separate commands: the configuration is composed once for the same choices.
STRENGTHS = {
    "regularizer=l2 lambda_g=-1": r"regularizer\.l2\.lambda_g must be a finite number >= 0, got -1",
    "regularizer=l2 lambda_d=nan": r"regularizer\.l2\.lambda_d must be a finite number >= 0, got nan",
    "regularizer=l2 lambda_g=inf": r"regularizer\.l2\.lambda_g must be a finite number >= 0, got inf",
    "regularizer=l2 lambda_g=strong": r"lambda_g: Value 'strong' .* could not be converted to Float",
    "regularizer=l2 lambda_g=1e": r"lambda_g: Value '1e' .* could not be converted to Float",
    "regularizer=l2 lambda_g=true": r"lambda_g: Value 'True' .* could not be converted to Float",
    "regularizer=r1 regularizer.r1.lambda_d=-1": r"regularizer\.r1\.lambda_d must be a finite number >= 0, got -1",
    "regularizer=r1 regularizer.r1.lambda_d=abc": r"regularizer\.r1\.lambda_d must be a finite number >= 0, got abc",
    "regularizer=r1 regularizer.r1.lambda_d=true": r"regularizer\.r1\.lambda_d must be a finite number >= 0, got True",
    "regularizer=r1 lambda_g=1": r"lambda_g=1: no chosen regularizer has that strength \(regularizer=r1\)",
    "lambda_d=1": r"lambda_d=1: no chosen regularizer has that strength \(regularizer=none\)\. Type regularizer=l2",
    "regularizer=[l1,l2] lambda_g=1": r"Type regularizer\.l1\.lambda_g=1 or regularizer\.l2\.lambda_g=1",
    "regularizer=r1 +regularizer.r1.lambda_g=1": r"R1 has no penalty on G's loss: leave out lambda_g=1",
    "regularizer=r1 regularizer.r1.interval=0": r"interval must be an integer >= 1, got 0",
    "regularizer=r1 regularizer.r1.interval=1.5": r"regularizer\.r1\.interval must be an integer, got 1\.5",
    "regularizer=l2 regularizer.l2.reduce=max": r"reduce must be one of mean, sum, got 'max'",
    "regularizer=weight_clipping regularizer.weight_clipping.limit=abc": r"weight_clipping\.limit must be a number, got 'abc'",
    "regularizer=weight_clipping regularizer.weight_clipping.limit=0": r"limit must be a finite number > 0, got 0",
    "regularizer=instance_noise regularizer.instance_noise.std=-1": r"std must be a finite number >= 0, got -1",
    "regularizer=diffaugment regularizer.diffaugment.cutout=2": r"cutout must be a number in \[0, 1\], got 2",
    "regularizer=weight_decay regularizer.weight_decay.decay_d=nan": r"decay_d must be a finite number >= 0, got nan",
    "regularizer=spectral_norm regularizer.spectral_norm.nets=[d]": r"nets must list .* or both, got \['d'\]",
    "regularizer=spectral_norm regularizer.spectral_norm.nets=3": r"regularizer\.spectral_norm",
    "regularizer=[spectral_norm,weight_norm]": r"type regularizer=\[weight_norm,\.\.\.\]",
}
NETS = {
    "regularizer=r1 network.discriminator.batch_norm=true": r"^regularizer r1 cannot .* Type \S+\.batch_norm=false",
    "regularizer=[packing,r1]": r"r1 cannot be combined with Packing, and this run has regularizer packing",
    "regularizer=packing data.batch_size=63": r"Packing: m=2 must divide the batch, got 63 images",
    "regularizer=label_smoothing loss=hinge": r"losses other than Minimax and its subclasses, .* Hinge: .* Type loss=",
    "regularizer=r1 gradient_method=finite_differences": r"smooth discriminator, .*layers\.1 is a LeakyReLU.* gradient_method=",
    "model.lr_schedule_g=cosine": r"model\.lr_schedule_g must be a schedule, got cosine: type \+schedule@model\.lr_",
    "recipe=top_k loss=relativistic": r"model\.top_k G learns only .* type another loss, or model\.top_k=1",
    "regularizer=r1 regularizer.r1.relative=-1": r"R1: relative must be a finite number > 0 or null, got -1",
    "regularizer=r1 regularizer.r1.interval=2.5": r"regularizer\.r1\.interval must be an integer, got 2\.5",
    "network=dcgan data.image_size=12": r"^network=dcgan makes images of 16 to 256 .* Type data\.image_size=32, or network=mlp",
    "network=dcgan data.image_size=257": r"^network=dcgan makes images of 16 to 256 .* 1 x 257 x 257",
    "network=r3gan data.image_size=30": r"^network=r3gan doubles a map of 4 to 7 .* 1 x 30 x 30 .* data\.image_size=32",
    "network=resnet data.image_size=7": r"^network=resnet makes images of 8 to 256 .* 1 x 7 x 7",
    "network.generator.hidden=x": r"hidden must ",
    "network.generator.hidden=3": r"hidden must ",
    "network.generator.hidden=[-4]": r"hidden must ",
    "network.generator.hidden=[0]": r"hidden must ",
    "network=dcgan data.image_size=16 network.generator.width=many": r"generator\.width must be an integer, got 'many'",
    "network=dcgan data.image_size=16 network.generator.width=0": r"width must be .* got 0",
    "network.discriminator.batch_norm=3": r"network\.discriminator\.batch_norm must be true or false, got 3",
    "network.discriminator=null": r"network\.discriminator must name a _target_",
}
DATA = {
    "data.batch_size=5000": r"^data\.batch_size=5000 is larger than .* 1257 images: type data\.batch_size=1257 or less",
    "data.batch_size=0": r"data\.batch_size must be at least 1, got 0",
    "data.batch_size=many": r"data\.batch_size: Value 'many' .* could not be converted to Integer",
    "data.folds=5": r"data\.folds=5 alone: expected both, like data\.folds=5 data\.fold=0",
    "data.fold=1": r"data\.fold=1 alone: expected both",
    "data.subset=0": r"data\.subset=0: expected a fraction above 0\.0 and up to 1\.0",
    "data.subset=5000": r"data\.subset=5000: expected .* type data\.subset=0\.1",
    "data.validation=0": r"data\.validation=0: expected a fraction between 0 and 1",
    "data.workers=-1": r"data\.workers=-1: expected 0 or a positive whole number",
    "data.image_size=0": r"data\.image_size=0: expected a whole number of pixels",
    "data=folder data.root=/nowhere": r"data\.root=/nowhere: no such folder\. Looked at /nowhere .* Type data\.root=",
}
TRAINING = {
    "trainer.devices=0": r"trainer\.devices must be a number of devices or -1 for all, got 0",
    "trainer.devices=1.5": r"trainer\.devices must be a number of devices or -1 for all, got 1\.5",
    "trainer.precision=16-mixed": r"trainer\.precision must be one of 32-true, bf16-mixed, got 16-mixed",
    "trainer.accelerator=tpu": r"trainer\.accelerator must be auto, cpu or gpu, got tpu",
    "trainer.strategy=foo": r"trainer\.strategy.*foo",
    "trainer.threads=0": r"trainer\.threads must be at least 1, got 0",
    "max_iterations=0": r"max_iterations must be at least 1, got 0",
    "max_iterations=1.5": r"max_iterations: Value '1\.5' .* could not be converted to Integer",
    "max_iterations=null": r"how long\? Type max_iterations=10000",
    "max_images=0": r"max_images must be at least 1, got 0",
    "log_every=0": r"log_every must be at least 1, got 0",
    "save_every=0": r"save_every must be at least 1, got 0",
    "evaluate_every=0": r"evaluate_every must be at least 1, got 0",
    "iterations_per_call=0": r"iterations_per_call must be at least 1, got 0",
    "seed=abc": r"seed: Value 'abc' .* could not be converted to Integer",
    "model.n_critic=0": r"model\.n_critic must be at least 1, got 0",
    "model.n_critic=1.5": r"model\.n_critic: Value '1\.5' .* could not be converted to Integer",
    "model.order=[g]": r"model\.order must be \[d,g\] or \[g,d\], got \[g\]",
    "model.order=dg": r"model\.order",
    "model.reuse_fake=true model.n_critic=2": r"it needs model\.n_critic=1 and model\.order=\[d,g\], got 2",
    "model.ema_decay=1.5": r"model\.ema_decay must be in \[0, 1\), got 1\.5",
    "model.latent_dim=0": r"model\.latent_dim must be at least 1, got 0",
    "model.optimizer_g.lr=-1": r"model\.optimizer_g.*-1",
    "model.optimizer_d.lr=nan": r"model\.optimizer_d.*nan",
    "model.optimizer_g.lr=inf": r"model\.optimizer_g\.lr.*inf",
    "model.optimizer_g.lr=fast": r"model\.optimizer_g.*fast",
    "model.optimizer_g.lr=true": r"model\.optimizer_g\.lr.*True",
    "model.optimizer_g.betas=[2,2]": r"model\.optimizer_g.*beta",
    "model.optimizer_g.betas=0.5": r"model\.optimizer_g",
    "+model.optimizer_g.momentum=0.9": r"model\.optimizer_g.*momentum",
}
HOSTILE = [
    "os.system",
    "builtins.open",
    "builtins.eval",
    "subprocess.Popen",
    "pathlib.Path",
    "numpy.load",
    "joblib.load",
    "torch.load",
    "torch.hub.load",
    "torch.optim.lr_scheduler.StepLR",
    "regen.utils.project.subprocess.run",
    "regen.utils.project.os.system",
    "regen.cli.entry_point.Path",
    "regen.losses.adversarial.F.relu",
    "regen.losses.adversarial",
    "regen..losses.Hinge",
    "nonsense",
    "''",
    "null",
    "[os.system]",
]
PLACES = {
    "data._target_=os.system": r"data\._target_=os\.system is not allowed",
    "model._target_=os.system": r"model\._target_=os\.system is not allowed",
    "model.optimizer_g._target_=os.system": r"model\.optimizer_g\._target_=os\.system is not allowed",
    "+regularizer.x._target_=os.system": r"regularizer\.x\._target_=os\.system is not allowed",
    "+network.generator.extra={_target_:os.system}": r"network\.generator\.extra\._target_=os\.system is not allowed",
    "+model.optimizer_g.extra={_target_:os.system}": r"model\.optimizer_g\.extra\._target_=os\.system is not allowed",
    "model.optimizer_g._target_=torch.optim.Nope": r"torch\.optim\.Nope does not exist",
    "loss._target_=regen.losses.adversarial.Nope": r"adversarial\.Nope is not allowed: expected .*adversarial\.Hinge",
    "loss._target_=regen.nope.Nope": r"regen\.nope\.Nope is not allowed",
    "loss._target_=regen.regularizers.gradients.R1": r"loss.*R1",
    "+regularizer.x._target_=regen.losses.adversarial.Hinge": r"regularizer\.x.*Hinge",
    "loss._target_=regen.config.resolvers.folder_name +loss.overrides=x": r"loss.*folder_name",
    "+loss._partial_=true": r"loss",
    "network.generator._target_=regen.networks.mlp.Discriminator": r"network\.generator.*Discriminator",
}
VALUES = STRENGTHS | NETS | DATA | TRAINING | PLACES


@functools.cache
def _data(config: str) -> Images:
    return build(OmegaConf.create(config), "data", Images)


def prepare(*overrides: str) -> None:
    """All that train.py does before it trains, on a configuration that is composed once for the same choices."""
    groups = "(regularizer|network|data|trainer|loss|gradient_method|recipe)="
    choices = [override for override in overrides if re.match(groups, override)]
    values = [override for override in overrides if override not in choices]
    cfg = compose_config(*SMOKE, *choices)
    for value in OverridesParser.create().parse_overrides(values):
        OmegaConf.update(cfg, value.key_or_group, value.value(), force_add=value.is_add())
    config.check(cfg)
    processes(cfg.trainer)
    make_model(cfg, _data(OmegaConf.to_yaml(cfg.data)))


@pytest.mark.parametrize("overrides", VALUES)
def test_a_bad_value_is_refused_in_words(overrides):
    with pytest.raises(ConfigError) as refusal:
        prepare(*overrides.split())
    assert re.search(VALUES[overrides], str(refusal.value)), refusal.value
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("target", HOSTILE)
def test_no_code_but_the_projects_own_is_called(target):
    words = "is not allowed|does not exist|is not a class or function|must be the name of a class"
    with pytest.raises(ConfigError, match=rf"loss\._target_.*({words})"):
        prepare(f"loss._target_={target}")


def test_refused_commands_pass_without_the_bad_value():
    prepare(
        "regularizer=[l2,r1,instance_noise]",
        "model.optimizer_g.lr=1e-3",
        "lambda_g=0.1",
        "network.generator.hidden=[8]",
    )


@pytest.fixture
def refused(train, capsys):
    """refused(*overrides) types the command, expects status 78 and no training, and returns the error's line."""

    def typed(*overrides: str, smoke: bool = True) -> str:
        folder = train(*overrides, status=78, smoke=smoke)
        said = capsys.readouterr().err
        assert "Traceback" not in said and said.count("error: ") == 1
        assert not (folder / "metrics.csv").exists()  # nothing has been trained
        return said.partition("error: ")[2]

    return typed


@pytest.mark.parametrize("overrides", COMMANDS)
def test_a_bad_command_is_refused_in_words(refused, overrides):
    said = refused(*overrides.split())
    assert re.search(COMMANDS[overrides], said, re.DOTALL), said


def test_the_error_is_all_that_is_printed(train, capsys):
    train("regularizer=l2", "lambda_g=-1", status=78)
    printed = capsys.readouterr()
    assert printed.err == "error: regularizer.l2.lambda_g must be a finite number >= 0, got -1\n" and printed.out == ""


def test_no_code_is_called_through_an_interpolation(tmp_path):
    canary = tmp_path / "canary"
    hostile = {"_target_": "builtins.open", "file": str(canary), "mode": "w"}
    ways = [
        ("${network.evil}", {"network": {"evil": hostile}}),
        (f"${{oc.create:{{_target_:builtins.open,file:'{canary}',mode:w}}}}", {}),
        ({"deep": ["${network.evil}"]}, {"network": {"evil": hostile}}),
    ]
    for value, elsewhere in ways:
        cfg = OmegaConf.create({"loss": {"_target_": "regen.losses.adversarial.Hinge", "extra": value}} | elsewhere)
        with pytest.raises(ConfigError, match=r"_target_=builtins\.open is not allowed"):
            build(cfg.loss, "loss", Loss)
    assert not canary.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("trainer", ["gpu", "ddp"])
def test_a_gpu_that_is_not_there_is_refused(refused, trainer):
    assert "torch finds no GPU here: type trainer=cpu" in refused(f"trainer={trainer}", "logger=csv", smoke=False)


def test_dcgan_refuses_points_in_the_plane(refused):
    said = refused("network=dcgan", "data=ring", "trainer.threads=1", "logger=csv", smoke=False)
    assert said.startswith("network=dcgan makes images of 16 to 256") and "2 x 1 x 1" in said


def test_key_of_an_unchosen_option_names_the_options_with_that_key(refused):
    said = refused("data=ring")  # next to the fixture's data.image_size
    assert "data=array or data=cifar10 or data=digits" in said


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        Image.new("L", (8, 8), number).save(folder / f"{number:02}.png")
    return folder


def test_an_empty_folder_is_named(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    said = refused("data=folder", f"data.root={tmp_path / 'empty'}")
    assert f"{tmp_path / 'empty'} and its subfolders hold no image" in said


@pytest.mark.parametrize("content", [b"", b"this is text", b"\x89PNG\r\n\x1a\n cut"], ids=["empty", "text", "cut"])
def test_an_unreadable_image_is_named(refused, pictures, content):
    (pictures / "07.png").write_bytes(content)
    assert f"{pictures / '07.png'} cannot be read as an image" in refused("data=folder", f"data.root={pictures}")


def test_a_batch_larger_than_a_folder_says_how_many_images_there_are(refused, pictures):
    assert "14 images: type data.batch_size=14" in refused("data=folder", f"data.root={pictures}")


def test_a_monitor_that_is_no_figure_is_refused_before_training(refused):
    assert re.search(r"monitor=val/nope.*val/reverse_kl", refused(*RING, "monitor=val/nope", smoke=False))


def test_folder_with_a_run_is_not_overwritten(train, capsys):
    run = train(*RING, smoke=False)
    before = (run / "metrics.csv").read_bytes()
    train(*RING, smoke=False, status=78)
    assert f"{run} holds a run already: type resume=auto (with name=) or resume='{run}'" in capsys.readouterr().err
    assert (run / "metrics.csv").read_bytes() == before


def test_resume_and_multirun_do_not_go_together(train, tmp_path, capsys):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra/overrides.yaml").write_text("[]")
    train(f"resume={tmp_path}", "-m", status=78)
    assert "leave out -m" in capsys.readouterr().err
