"""conf/wandb_sweep.yaml: what W&B's agents type is a command of src/train.py."""

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from regen.config import validate
from regen.config.resolvers import register_resolvers
from regen.regularizers.gradients import R1
from regen.utils.project import ROOT

SWEEP = yaml.safe_load((ROOT / "conf/wandb_sweep.yaml").read_text())


def command(**values: object) -> list[str]:
    """As an agent makes it (wandb/wandb_agent.py) of the values that the server has chosen."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args  # here: it takes seconds

    made = create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
    made |= {"env": ["/usr/bin/env"], "interpreter": ["python"], "program": [SWEEP["program"]]}
    words = [str(word) for word in create_sweep_command(list(SWEEP["command"]))]
    return [word for one in words for word in (made[one[2:-1]] if one.startswith("${") else [one])]


def test_command_of_an_agent_composes_and_sets_the_strength_of_the_regularizer() -> None:
    typed = command(
        lambda_d=3.2e-05, **{name: one["value"] for name, one in SWEEP["parameters"].items() if "value" in one}
    )
    assert typed[:3] == ["/usr/bin/env", "python", "src/train.py"]
    assert (ROOT / typed[2]).is_file()
    assert OverridesParser.create().parse_overrides(typed[3:])
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", typed[3:])
    validate.check(cfg)
    assert cfg.regularizer.r1.lambda_d == 3.2e-05
    assert cfg.monitor == SWEEP["metric"]["name"]


def test_wandb_sweep_searches_the_declared_range_and_compares_within_a_run() -> None:
    strength = SWEEP["parameters"]["lambda_d"]
    assert (strength["min"], strength["max"]) == R1.search["lambda_d"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", ["regularizer=r1"])
    evaluations = cfg.max_iterations // SWEEP["parameters"]["evaluate_every"]["value"]
    assert SWEEP["early_terminate"]["min_iter"] * SWEEP["early_terminate"]["eta"] < evaluations
