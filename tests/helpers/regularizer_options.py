"""The options of conf/regularizer, as the tests of all of them build them."""

from pathlib import Path

from omegaconf import OmegaConf

from regen.config.instantiate import build, resolve
from regen.core.constraints import is_of_flows, needs_both, needs_classes
from regen.core.regularizer import Regularizer
from regen.regularizers.latent_codes import A_CODE
from regen.utils.project import ROOT


def _needs_encoder(path: Path) -> bool:
    kinds = [resolve(node._target_, f"regularizer.{name}") for name, node in OmegaConf.load(path).items()]
    return any(A_CODE in kind.incompatible for kind in kinds)


def _needs_flow(path: Path) -> bool:
    return any(
        is_of_flows(resolve(node._target_, f"regularizer.{name}")) for name, node in OmegaConf.load(path).items()
    )


def _needs_classes(path: Path) -> bool:
    kinds = [resolve(node._target_, f"regularizer.{name}") for name, node in OmegaConf.load(path).items()]
    return any(map(needs_classes, kinds))


def _needs_both(path: Path) -> bool:
    kinds = [resolve(node._target_, f"regularizer.{name}") for name, node in OmegaConf.load(path).items()]
    return any(map(needs_both, kinds))


CONF = ROOT / "conf"
OPTIONS = {path.stem: path for path in sorted(CONF.glob("regularizer/*.yaml"))}
OF_CODES = {name for name, path in OPTIONS.items() if _needs_encoder(path)}  # regularizers/test_every_vae_option.py
OF_CLASSES = {
    name for name, path in OPTIONS.items() if _needs_classes(path)
}  # regularizers/test_every_conditional_option.py
OF_FLOWS = {name for name, path in OPTIONS.items() if _needs_flow(path)}  # regularizers/test_every_flow_option.py
OF_VAE_GANS = {name for name, path in OPTIONS.items() if _needs_both(path)}  # regularizers/test_every_vae_gan_option.py

# A neutral setting of those without a strength
NEUTRAL = {
    "diffaugment": dict.fromkeys(("brightness", "saturation", "contrast", "translation", "cutout"), 0.0),
    "dropout": {"p_g": 0.0, "p_d": 0.0},
    "input_perturbation": {"gamma": 0.0},
    "instance_noise": {"std": 0.0},
    "weight_clipping": {"limit": 1e9},
    "weight_decay": {"decay_g": 0.0, "decay_d": 0.0},
    "weight_l1_proximal": {"shrink_g": 0.0, "shrink_d": 0.0},
    "ada": {"target": 1.0},  # E sign D(x) is never above 1, so that p stays 0
    "apa": {"target": 1.0},
}

# What lets it act on 4x4 images within three iterations, where its defaults would not
ACTING = {
    "weight_decay": {"decay_d": 10.0},  # the default is below a float's last digit here
    "weight_l1_proximal": {"shrink_d": 1.0},
    "lecam": {"start": 1},
    "ada": {"start": 0.5},
    "apa": {"start": 0.5},
    "jacobian_clamping": {"most": 0.01, "least": 0.0},
}


def regularizers(*names: str, **values):
    """The objects that conf/regularizer describes, some values replaced."""
    nodes = OmegaConf.merge(*[OmegaConf.load(OPTIONS[name]) for name in names])
    for name, node in nodes.items():
        node.update(values or ACTING.get(name, {}))
    return {name: build(node, f"regularizer.{name}", Regularizer) for name, node in nodes.items()}


def neutral(name: str) -> dict | None:
    strengths = {key: 0.0 for key in next(iter(OmegaConf.load(OPTIONS[name]).values())) if key.startswith("lambda_")}
    return strengths or NEUTRAL.get(name)
