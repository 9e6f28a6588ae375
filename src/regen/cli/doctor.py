"""Check an installation: regen doctor

Prints versions, devices, extras and the state of W&B, trains a tiny model, and on a GPU compares it with the CPU.
"""

import argparse
import contextlib
import importlib.util
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from regen import __version__
from regen.runs.provenance import provenance
from regen.utils import program
from regen.utils.lazy_imports import loading
from regen.utils.project import CLONE, CONF

EXTRAS = {
    "eval": ("torch_fidelity",),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "sweep": ("hydra_plugins.hydra_joblib_launcher",),
    "search": ("optuna",),
    "slurm": ("submitit",),
    "view": ("wandb_workspaces",),
}
SMALL = "data=ring data.train=160 data.validation=80 data.test=40 data.batch_size=16 network=mlp metrics=[frechet]"
SMALL += " monitor=val/fd trainer=smoke trainer.progress_bar=false logger=csv report=false max_iterations=20"
SMALL += " regularizer=r1 lambda_d=0.1"
PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"


def main(words: list[str] | None = None) -> int:
    """Print what is there and what works; 1 if a check failed."""
    parser = argparse.ArgumentParser(prog=program.typed("doctor"), description="Check the installation of regen.")
    parser.parse_args(words)
    with loading():
        from regen.cli import gpu_checks
    for name, text in _facts().items():
        print(f"{name:12} {text}", flush=True)
    checks = {"training": train_on_cpu, **gpu_checks.CHECKS}
    results = [_report(name, check) for name, check in checks.items()]
    return int(FAILED in results)


def _facts() -> dict[str, str]:
    """Return what is installed, in lines."""
    versions = cast(dict[str, str], provenance()["versions"])
    lacking = [name for name, modules in EXTRAS.items() if not all(map(_is_there, modules))]
    present = [name for name in EXTRAS if name not in lacking]
    how = f" (pip install 'regen[{','.join(lacking)}]' brings {', '.join(lacking)})" if lacking else ""
    return {
        "regen": f"{__version__} in {CLONE or CONF.parent}",
        "python": f"{platform.python_version()}, {platform.platform()}",
        "packages": ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "extras": (", ".join(present) or "none") + how,
        "devices": _devices(),
        "wandb": _wandb(),
    }


def _devices() -> str:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"{cores} CPU cores, {', '.join(gpus) or 'no GPU'}; trainer=auto takes {'the GPU' if gpus else 'the CPU'}"


def _wandb() -> str:
    """Return whether runs would be logged online, without asking W&B's server."""
    if os.environ.get("WANDB_MODE"):
        return f"WANDB_MODE={os.environ['WANDB_MODE']}"
    has_key = bool(os.environ.get("WANDB_API_KEY")) or _has_netrc_entry()
    return (
        "an API key is configured: runs go online" if has_key else "no API key: runs are logged offline (wandb login)"
    )


def _has_netrc_entry() -> bool:
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return "wandb" in path.read_text()
    except OSError:
        return False


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _report(name: str, check: Callable[[], str]) -> str:
    """Run a check and print its result; a check returns what it found, or raises what went wrong."""
    began = time.perf_counter()
    try:
        found = check()
        status = SKIPPED if found.startswith(SKIPPED) else PASSED
        text = found if status == SKIPPED else f"{PASSED}: {found}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        status, text = FAILED, f"{FAILED}: {type(error).__name__}: {error}"
    print(f"{name:12} {text} ({time.perf_counter() - began:.1f} s)", flush=True)
    return status


def train_on_cpu() -> str:
    """Train, sample and evaluate a tiny model in a temporary folder."""
    import regen

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = regen.train([*SMALL.split(), f"hydra.run.dir={folder}/run"])
        if run.status != "finished" or not run.sample(4).isfinite().all():
            raise RuntimeError(f"the run ended as {run.status}: {run.result.get('reason')}")
        return f"20 iterations with r1 on the CPU, val/fd {run.value:.3g}"
