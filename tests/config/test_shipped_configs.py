"""Every shipped configuration composes and passes the checks."""

import sys

import pytest
from helpers.composition import compose_config
from hydra.utils import get_object
from omegaconf import OmegaConf

from regen.config import validate
from regen.config.suggestions import keys
from regen.utils.project import ROOT

CONF = ROOT / "conf"
OPTIONS = sorted(f"{path.parent.name}={path.stem}" for path in CONF.glob("*/*.yaml"))
SCHEDULES = [option for option in OPTIONS if option.startswith("schedule=")]
REGULARIZERS = [option for option in OPTIONS if option.startswith("regularizer=")]  # regularizers/test_every_option.py


@pytest.mark.parametrize("option", [one for one in OPTIONS if one not in (*SCHEDULES, *REGULARIZERS)])
def test_every_option_of_every_group_composes_and_passes_the_checks(option):
    cfg = compose_config(*(["model=vae"] if option.startswith("prior=") else []), option)
    validate.check(cfg)
    OmegaConf.to_container(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True)


@pytest.mark.parametrize("option", SCHEDULES)
def test_every_schedule_can_take_a_strengths_place(option):
    group, _, name = option.partition("=")
    cfg = compose_config("regularizer=[r1,l2]", f"+{group}@regularizer.r1.lambda_d={name}")
    validate.check(cfg)
    assert cfg.regularizer.r1.lambda_d._target_.startswith(("regen.core.schedules.", "regen.core.controllers."))


@pytest.mark.parametrize("path", sorted(CONF.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_target_exists(path):
    def targets(node):
        if OmegaConf.is_dict(node):
            for key, value in node.items_ex(resolve=False):
                yield from [value] if key == "_target_" else targets(value)

    for target in targets(OmegaConf.load(path)):
        assert callable(get_object(target))


@pytest.mark.parametrize("name", ["article", "article_literal"])
def test_experiment_keeps_the_values_of_the_yaml_and_the_command_line_wins(name):
    cfg = compose_config(f"experiment={name}")
    assert cfg.data._target_.endswith(".mnist") and cfg.data.batch_size == 128
    assert cfg.model.optimizer_g.betas == [0.9, 0.999] and cfg.model.optimizer_g.lr == 2e-4
    assert compose_config(f"experiment={name}", "data.batch_size=7").data.batch_size == 7


def test_experiment_none_equals_no_experiment():
    assert compose_config("experiment=none") == compose_config()


def test_the_literal_experiment_is_the_articles_formulas():
    cfg = compose_config("experiment=article_literal")
    assert cfg.loss._target_ == "regen.losses.adversarial.Article" and list(cfg.model.order) == ["g", "d"]
    assert list(cfg.regularizer) == ["l2_literal"] and cfg.regularizer.l2_literal.reduce == "sum"


def test_list_of_regularizers_composes_in_order():
    cfg = compose_config("regularizer=[r1,l2,instance_noise]", "regularizer.r1.lambda_d=5")
    assert list(cfg.regularizer) == ["r1", "l2", "instance_noise"] and cfg.regularizer.r1.lambda_d == 5


@pytest.mark.parametrize(
    ("overrides", "key", "value"),
    [
        (["regularizer=l2", "lambda_g=0.3"], "l2.lambda_g", 0.3),
        (["regularizer=l2", "lambda_d=0"], "l2.lambda_d", 0),
        (["regularizer=[l2,r1]", "lambda_g=2"], "l2.lambda_g", 2),
        (["regularizer=[none,r1]", "lambda_d=2"], "r1.lambda_d", 2),
        (["regularizer=r1", "lambda_d=1e-400"], "r1.lambda_d", 0),
        (["regularizer=l2"], "l2.lambda_g", 0.1),
    ],
    ids=str,
)
def test_strength_goes_to_the_only_regularizer_with_that_key(overrides, key, value):
    cfg = compose_config(*overrides)
    validate.check(cfg)
    assert OmegaConf.select(cfg.regularizer, key) == value


def test_every_name_that_the_errors_suggest_can_be_overridden():
    names = keys()
    assert {"seed", "regularizer", "data.batch_size", "regularizer.r1.lambda_d", "model.optimizer_g.lr"} <= set(names)


def test_no_script_bears_the_name_of_a_module_of_python():
    assert not {path.stem for path in (ROOT / "src").glob("*.py")} & sys.stdlib_module_names


def test_checking_a_configuration_imports_neither_torch_nor_lightning():
    import subprocess

    program = (
        "import sys; from regen import cli, config, runs; print(*{'torch', 'lightning', 'wandb'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
