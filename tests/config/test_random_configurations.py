"""Random configurations: each composes and trains two batches, or is refused with a ConfigError.

REGEN_EXAMPLES=500 tries that many (make nightly), other ones each time; the suite tries the same 30 each time.
"""

import math
import os

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from regen.config import validate
from regen.config.instantiate import build
from regen.config.resolvers import register_resolvers
from regen.data.batches import Chunk, Stream
from regen.data.images import Images
from regen.errors import ConfigError
from regen.models.build_model import make_model
from regen.sweeps import sweep_names
from regen.utils.project import ROOT

CONF = ROOT / "conf"
EXAMPLES = int(os.environ.get("REGEN_EXAMPLES", "30"))
REGULARIZERS = sorted(path.stem for path in CONF.glob("regularizer/*.yaml"))
DATA = (["data=ring"], ["data=grid"], ["data.image_size=8", "data.subset=60"], ["data.image_size=8", "data.subset=60"])
LOSSES = {
    "gan": ["article", "cross_entropy", "hinge", "least_squares", "logistic", "minimax", "nonsaturating"],
    "vae": ["bernoulli", "gaussian", "gaussian_learned", "iwae"],
    "flow": ["velocity", "epsilon"],
}
LOSSES["gan"] += ["relativistic", "relativistic_average", "wasserstein"]
LOSSES["rae"], LOSSES["vae_gan"] = LOSSES["vae"], LOSSES["gan"]
R3GAN = ["network=r3gan", *(f"network.{net}.width=8" for net in ("generator", "discriminator", "encoder"))]
NUMBERS = {
    "data.batch_size": (1, 2, 3, 16),
    "model.latent_dim": (1, 2, 7),
    "model.n_critic": (1, 2, 3),
    "model.ema_interval": (1, 4),
    "model.top_k": (1.0, 0.5),
    "model.ema_rampup": (0.05, 2.0),
    "model.lr_warmup_g": (1, 10),
    "model.clip_norm_g": (1e-3, 1.0),
    "grad_ratio_every": (1, 2),
    "seed": (0, 1, 12345),
}


@st.composite
def commands(draw: st.DrawFn) -> list[str]:
    """The overrides of a run."""
    model = draw(st.sampled_from(("gan", "gan", "gan", "vae", "rae", "vae_gan", "flow")))
    chosen = draw(st.lists(st.sampled_from(REGULARIZERS), min_size=1, max_size=3, unique=True))
    typed = [f"model={model}", f"regularizer=[{','.join(chosen)}]", "logger=csv", "report=false"]
    typed += [
        *draw(
            st.sampled_from(
                (["network=mlp"], *([f"network={one}"] for one in ("mlp", "dcgan", "resnet", "unet")), R3GAN)
            )
        ),
        *draw(st.sampled_from(DATA)),
    ]
    if draw(st.booleans()):
        every = sorted({loss for losses in LOSSES.values() for loss in losses})
        typed.append(f"loss={draw(st.sampled_from(LOSSES[model] * 3 + every))}")
    for key, values in NUMBERS.items():
        if draw(st.integers(0, 4)) == 0:
            typed.append(f"{key}={draw(st.sampled_from(values))}")
    if draw(st.integers(0, 4)) == 0:
        typed.append(f"lambda_{draw(st.sampled_from('gd'))}={draw(st.sampled_from((0, 0.1, 10, 1e6)))}")
    if draw(st.integers(0, 4)) == 0:
        typed.append(
            f"gradient_method={draw(st.sampled_from(sorted(path.stem for path in CONF.glob('gradient_method/*.yaml'))))}"
        )
    if draw(st.integers(0, 4)) == 0:
        typed.append(f"recipe=[{draw(st.sampled_from(sorted(path.stem for path in CONF.glob('recipe/*.yaml'))))}]")
    return typed


def train_two_batches(typed: list[str]) -> str:
    """ "trained", or the words with which the command is refused. AssertionError if it trains without losses."""
    register_resolvers()
    sweep_names.register_resolvers()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", typed)
        validate.check(cfg)
        data = build(cfg.data, "data", Images)
        model = make_model(cfg, data)
        model.prepare(model.configure_optimizers())
    except (ConfigError, HydraException) as error:  # the latter is of unknown keys: the command line names the nearest
        return str(error)
    stream = Stream(len(data.train), data.batch_size, model.n_critic, cfg.seed)
    model.training_step(Chunk(0, *data.train[stream.indices(0, 2)]))
    losses = [value for name, value in model.record.means().items() if name.endswith("/data")]
    assert model.iteration == 2
    assert losses
    assert all(math.isfinite(loss) for loss in losses) or model.alarm
    return "trained"


@pytest.mark.slow
@seed(int.from_bytes(os.urandom(4)) if EXAMPLES > 30 else 0)
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],  # an example is short enough without shrinking
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(commands())
@pytest.mark.timeout(EXAMPLES * 20)
def test_random_configuration_trains_two_batches_or_is_refused_in_words(typed: list[str]) -> None:
    torch.set_num_threads(1)
    result = train_two_batches(typed)
    assert result == "trained" or 20 < len(result) < 700, result
