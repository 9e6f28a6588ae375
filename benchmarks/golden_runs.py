"""Check that a change of the code changes no training: python benchmarks/golden_runs.py write|compare FILE

`write` trains short runs of several models and regularizers and writes a digest of the final weights of each; `compare`
trains them again, after the change, and exits with status 1 if a digest differs. Digests of two machines may differ:
rounding depends on the processor. --source FOLDER trains the code of another checkout.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
QUIET = ["evaluate_every=100000000", "report=false", "logger=csv", "trainer.progress_bar=false"]
RUNS = {
    "none": ["regularizer=none"],
    "l2": ["regularizer=l2", "lambda_g=0.1"],
    "r1": ["regularizer=r1"],
    "lecam": ["regularizer=lecam"],
    "ada": ["regularizer=ada"],
    "r1, spectral norm, dcgan hinge": ["regularizer=[r1,spectral_norm]", "loss=hinge"],
    "vae kl": ["model=vae", "regularizer=kl"],
    "two processes": ["regularizer=r1", "network=mlp", "trainer=ddp_cpu"],
}


def tensors(value: object) -> list[torch.Tensor]:
    """All tensors of a checkpoint, in the order of their keys."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for key in sorted(value, key=str) for tensor in tensors(value[key])]
    return [tensor for item in value for tensor in tensors(item)] if isinstance(value, list | tuple) else []


def digest(source: Path, overrides: list[str], folder: Path) -> str:
    """Train a run, and return the digest of the tensors of its last checkpoint, whatever their names."""
    command = [
        sys.executable,
        str(source / "src/train.py"),
        *overrides,
        *QUIET,
        "max_iterations=40",
        "seed=3",
        f"hydra.run.dir='{folder}'",
    ]
    environment = {"PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    newest = max(folder.glob("checkpoints/iteration_*.ckpt"), key=lambda path: int(path.stem.rpartition("_")[2]))
    state = torch.load(newest, map_location="cpu", weights_only=True)
    parts = sorted(hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest() for tensor in tensors(state))
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that a change of the code changes no training.")
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--source", type=Path, default=ROOT, help="the checkout whose code is trained")
    given = parser.parse_args()
    digests = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, overrides) in enumerate(RUNS.items()):
            digests[name] = digest(given.source, overrides, Path(folder) / str(number))
            print(f"{name:32} {digests[name][:16]}", flush=True)
    if given.action == "write":
        given.file.write_text(json.dumps(digests, indent=2) + "\n")
        return 0
    before = json.loads(given.file.read_text())
    different = [name for name in RUNS if digests[name] != before.get(name)]
    print(f"different: {', '.join(different)}" if different else f"all {len(RUNS)} equal bit for bit")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
