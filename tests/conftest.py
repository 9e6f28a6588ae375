"""What the tests share: tiny models, steps without a trainer, and runs of the command line inside this process."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from regen import cli
from regen.gan import GAN
from regen.likelihoods import Gaussian
from regen.losses import Nonsaturating
from regen.networks import mlp
from regen.objective import Objective
from regen.randomness import Draws, generator, seeded
from regen.regularizer import Regularizer
from regen.step import GANStep
from regen.vae import VAE

torch.set_num_threads(1)
torch.zeros(
    1, requires_grad=True
).sum().backward()  # before any torch.export: after it, a first backward starts threads
# that no forked process could do without
SHAPE = (1, 4, 4)


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written outside the test's folders, and no W&B account is used."""
    home = tmp_path_factory.getbasetemp() / "home"
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("REGEN_TRACEBACK", "0")
    monkeypatch.delenv("WANDB_REINIT", raising=False)  # the benchmark's


def make_gan(
    *, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, nets=None, **options
) -> GAN:
    """A small GAN, fully connected and on 4x4 images unless nets are given, prepared to be stepped by hand."""
    with seeded(seed, "weights"):
        gan = GAN(
            **(nets or small_nets()),
            objective=Objective(loss or Nonsaturating(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            optimizer_d=lambda parameters: torch.optim.Adam(parameters, 1e-3, (0.5, 0.999)),
            z_size=8,
            seed=seed,
            **options,
        )
    gan.prepare(gan.configure_optimizers())
    return gan


def small_nets() -> dict[str, torch.nn.Module]:
    return {
        "generator": mlp.Generator(SHAPE, z_size=8, hidden=(16,)),
        "discriminator": mlp.Discriminator(SHAPE, hidden=(16,)),
    }


def make_vae(*, regularizers: dict[str, Regularizer] | None = None, loss=None, seed: int = 0, **options) -> VAE:
    """A small fully connected VAE on 4x4 images, prepared to be stepped by hand; without regularizers an autoencoder."""
    with seeded(seed, "weights"):
        vae = VAE(
            generator=mlp.Generator(SHAPE, z_size=3, hidden=(16,)),
            encoder=mlp.Encoder(SHAPE, z_size=3, hidden=(16,)),
            objective=Objective(loss or Gaussian(), regularizers or {}),
            optimizer_g=lambda parameters: torch.optim.Adam(parameters, 1e-3),
            z_size=3,
            seed=seed,
            **options,
        )
    vae.population = 100
    vae.prepare(vae.configure_optimizers())
    return vae


def images(batch: int = 16, number: int = 0) -> torch.Tensor:
    """(batch, 1, 4, 4) numbers in [-1, 1], the same for the same number."""
    return torch.rand(batch, *SHAPE, generator=generator("images", number)) * 2 - 1


def weights(gan: GAN) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in gan.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two dictionaries of tensors are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


SMOKE = (
    "trainer=smoke",
    "network=mlp",
    "logger=csv",
    "report=false",
    "trainer.progress_bar=false",
    "trainer.threads=1",
    "data.image_size=8",
)
# Trained and judged within a second
RING = ("trainer=smoke", "logger=csv", "trainer.progress_bar=false", "data=ring", "network=mlp", "max_iterations=2")


def type_in(monkeypatch: pytest.MonkeyPatch, script: ModuleType, *words: str, status: int | None = None) -> None:
    """Type python src/SCRIPT.py with these words, in this process; it is to leave with this status."""
    monkeypatch.setattr(sys, "argv", [f"{script.__name__}.py", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as cli.run sets it, and undone after the test
    try:
        cli.run(script.main)
        left = None
    except SystemExit as leaving:
        left = leaving.code
    assert left == status, f"left with {left}, expected {status}"


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """train(*overrides, folder="run", status=0) types the command and returns the run's folder."""
    import train as script

    def typed(*overrides: str, folder: str = "run", status: int | None = None, smoke: bool = True) -> Path:
        path = tmp_path / folder
        place = [] if any(o.startswith(("resume=", "hydra.")) for o in overrides) else [f"hydra.run.dir={path}"]
        type_in(monkeypatch, script, *(SMOKE if smoke else ()), *overrides, *place, status=status)
        return path

    return typed


def make_step(
    player: str = "d", generator=None, discriminator=None, real: torch.Tensor | None = None, **options
) -> GANStep:
    """A step of the given nets (those of make_gan by default) on `real` (images() by default), without augmentations."""
    gan = make_gan()
    return GANStep(
        player=player,
        index=options.pop("index", 0),
        generator=generator or gan.generator,
        discriminator=discriminator or gan.discriminator,
        real=images() if real is None else real,
        z_size=8,
        rng=options.pop("rng", lambda purpose: Draws(0, player, purpose)),
        augment=options.pop("augment", lambda images, rng, step: images),
        **options,
    )


def linear_critic(weight: torch.Tensor, bias: float = 0.0) -> torch.nn.Module:
    """D(x) = <weight, x> + bias."""
    layer = torch.nn.Linear(weight.numel(), 1).to(weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.flatten())
        layer.bias.fill_(bias)
    return torch.nn.Sequential(torch.nn.Flatten(), layer, torch.nn.Flatten(0))


BOMB = (
    "import os, signal\nfrom pathlib import Path\nfrom regen.regularizer import Regularizer\n"
    "class Bomb(Regularizer):\n"
    "    search = {'lambda_d': (0.1, 10.0)}\n"
    "    def for_d(self, step):\n"
    "        action = Path(__file__).with_name('action').read_text() if step.index == 4 else ''\n"
    "        if action == 'raise':\n"
    "            raise RuntimeError('the bomb went off')\n"
    "        if action == str(os.getpid()):\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        if action == 'signal':\n"
    "            os.kill(os.getpid(), signal.SIGTERM)\n"
    "        return step.real_scores.square().mean() * (float('nan') if action == 'nan' else 1.0)\n"
)


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """bomb(action, regularizer="bomb") writes a regularizer that does this at iteration 4, and returns its overrides.

    action   raise, signal (SIGTERM), nan, or the id of a process that is killed
    """
    (tmp_path / "conf/regularizer").mkdir(parents=True)
    (tmp_path / "conf/bomb.py").write_text(BOMB)
    (tmp_path / "conf/regularizer/bomb.yaml").write_text("bomb:\n  _target_: bomb.Bomb\n  lambda_d: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "conf")
    monkeypatch.delitem(sys.modules, "bomb", raising=False)

    def armed(action: str, regularizer: str = "bomb") -> tuple[str, ...]:
        (tmp_path / "conf/action").write_text(action)
        return "--config-dir", str(tmp_path / "conf"), f"regularizer={regularizer}"

    return armed
