"""Checks of `regen doctor` that need a GPU: losses as on the CPU, bf16, torch.compile, several GPUs."""

import contextlib
import io
import tempfile
from collections.abc import Callable

import torch
from torch import Tensor

NO_GPU = "skipped: no GPU"
RELATIVE_TOLERANCE = 1e-3  # of losses in float32 after five iterations
TRAINING = "data=ring data.train=160 data.validation=80 data.test=40 data.batch_size=16 network=mlp metrics=[frechet]"
TRAINING += " monitor=val/fd trainer=gpu trainer.progress_bar=false logger=csv report=false max_iterations=20"
TRAINING += " evaluate_every=20 evaluation_samples=100 regularizer=r1 lambda_d=0.1"


def losses(device: str) -> list[float]:
    """Return D's losses with r1 over five iterations of a small network in float32, from the same weights and data."""
    from regen import functional
    from regen.networks.dcgan import Discriminator
    from regen.utils.randomness import Draws, seeded

    with seeded("doctor"):
        discriminator = Discriminator((1, 16, 16), 16).to(device)
    images = Draws("doctor", "images").normal(16, 1, 16, 16).to(device)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=1e-2)
    values = []
    for _ in range(5):
        points = images.clone().requires_grad_()
        scores = discriminator(points)
        loss = torch.nn.functional.softplus(-scores).mean() + functional.r1(scores, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def equal_losses() -> str:
    """Compare the losses on the GPU with the CPU's. Raises RuntimeError if they differ."""
    if not torch.cuda.is_available():
        return NO_GPU
    cpu, gpu = losses("cpu"), losses("cuda")
    worst = max(abs(one - other) / abs(one) for one, other in zip(cpu, gpu, strict=True))
    if not worst <= RELATIVE_TOLERANCE:
        raise RuntimeError(f"losses differ by {worst:.2g} of their value, at most {RELATIVE_TOLERANCE:g} is expected")
    return f"losses equal the CPU's to {worst:.1g} of their value"


def bf16() -> str:
    """Train in bf16-mixed, penalties in float32."""
    return _train("trainer.precision=bf16-mixed") if torch.cuda.is_available() else NO_GPU


def compiled() -> str:
    """Compile a penalty's network and compare its output with the network's own. Raises RuntimeError if they differ."""
    if not torch.cuda.is_available():
        return NO_GPU
    network = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.LeakyReLU(0.2), torch.nn.Linear(32, 1)).cuda()
    images: Tensor = torch.linspace(-1, 1, 64, device="cuda").view(8, 8)
    difference = (torch.compile(network)(images) - network(images)).abs().max().item()
    if not difference < 1e-4:
        raise RuntimeError(f"a compiled network's output differs by {difference:.2g}")
    return f"torch.compile works, outputs differ by {difference:.1g}"


def several_gpus() -> str:
    """Train on two GPUs."""
    if torch.cuda.device_count() < 2:
        return NO_GPU if not torch.cuda.is_available() else "skipped: one GPU"
    return _train("trainer=ddp", "trainer.devices=2")


def _train(*overrides: str) -> str:
    import regen

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = regen.train([*TRAINING.split(), *overrides, f"hydra.run.dir={folder}/run"])
        if run.status != "finished":
            raise RuntimeError(f"the run ended as {run.status}: {run.result.get('reason')}")
        return f"20 iterations, val/fd {run.value:.3g}"


CHECKS: dict[str, Callable[[], str]] = {
    "GPU losses": equal_losses,
    "GPU bf16": bf16,
    "GPU compile": compiled,
    "two GPUs": several_gpus,
}
