"""Compare the speed of training with a bare loop tuned by hand: python benchmarks/training_speed.py [--quick]

All contestants live in this process and take turns of some iterations (turns.py); a ratio is taken within a round, so that
the load of the machine falls on both sides of it. A second copy of the bare loop shows the noise. Each run must end with the
weights of its bare loop bit for bit, else this exits with status 1.
"""

import argparse
import contextlib
import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import bare_loop
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from turns import Contestant, Gate, in_turns, ratios

from regen.config import validate
from regen.config.instantiate import build
from regen.config.resolvers import register_resolvers
from regen.data.images import Images
from regen.models.build_model import make_model
from regen.models.gan import GAN
from regen.runs.provenance import provenance
from regen.tracking.wandb_run import Wandb
from regen.training import callbacks
from regen.training.data_module import StreamModule
from regen.training.launcher import Rank
from regen.training.replicas import Group
from regen.training.trainer import tune
from regen.training.training_run import TrainingRun
from regen.utils.project import ROOT

ITERATIONS = {
    "mlp": 100,
    "dcgan": 10,
}  # a turn: it holds rows of the log, and is short compared with changes of the load
SIZES = {"mlp": 28, "dcgan": 32}  # pixels a side
REUSING = ", fakes reused"
GOALS = {("mlp", "regen"): 0.97, ("dcgan", "regen"): 0.98, ("dcgan", "regen" + REUSING): 1.10}
MEMORY_GOAL = 1500  # MB, of a run on digits
ENDLESS = ["max_iterations=1000000000", "evaluate_every=1000000000000"]  # figures lie outside of what is timed
SPEND = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=2); "
SPEND += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


class Turns(Callback):
    """The gate of a Lightning run: a callback, because Lightning fetches a chunk ahead of the one that it trains on."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if model.iteration % self.gate.iterations == 0 and not self.gate.wait():
            trainer.should_stop = True


class Timed(TrainingRun):
    """A run as train.py makes it, with its loggers, checkpoints, averaged generator and bar, that goes through a gate."""

    def fit(self, gate: Gate) -> None:
        self.gate = gate
        written, stops = self._open(), (self.cfg.log_every, self.cfg.save_every, gate.iterations)
        try:
            stream = StreamModule(self.data, self.model, self.last, stops)
            self._trainer(written).fit(self.model, datamodule=stream)
        finally:
            for logger in written:
                if isinstance(logger, Wandb):
                    logger.experiment.finish()

    def judge(self, model: GAN) -> None:
        """None: figures lie outside of what is timed."""

    def _callbacks(self, written: list[Logger]) -> list[Callback]:
        made = super()._callbacks(written)  # handlers of signals can be set in the main thread alone
        return [*(c for c in made if not isinstance(c, callbacks.Signals)), Turns(self.gate)]


def configure(overrides: list[str], folder: Path) -> DictConfig:
    """The configuration that train.py would compose; its run writes into the folder."""
    register_resolvers()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        place = [f"hydra.runtime.output_dir='{folder}'", "hydra.mode=RUN"]
        cfg = compose("train", [*overrides, *place], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    validate.check(cfg)
    return cfg


def regen_loop(name: str, overrides: list[str], gate: Gate, folder: Path) -> tuple[Contestant, GAN]:
    """Training through Lightning, as train.py does it."""
    cfg = configure([*overrides, *ENDLESS], folder / name.replace(" ", "-"))
    data = build(cfg.data, "data", Images)
    run = Timed(cfg, data, make_model(cfg, data), Group(Rank(), 0, print))
    return Contestant(name, gate, run.fit), run.model


def bare_contestant(name: str, overrides: list[str], gate: Gate, folder: Path) -> tuple[Contestant, GAN]:
    """The same training by bare_loop.train, from the same weights."""
    cfg = configure(overrides, folder)
    data = build(cfg.data, "data", Images)
    model = make_model(cfg, data)
    r1 = cfg.regularizer.r1.lambda_d if "r1" in cfg.regularizer else 0.0
    adam = [{"lr": own.lr, "betas": tuple(own.betas)} for own in (cfg.model.optimizer_g, cfg.model.optimizer_d)]

    def loop(gate: Gate) -> None:
        stream = gate.through(bare_loop.batches(data.train.images, data.batch_size, cfg.seed))
        bare_loop.train(model.generator, model.discriminator, stream, cfg.seed, r1, cfg.model.reuse_fake, *adam)

    return Contestant(name, gate, loop), model


def race(overrides: list[str], iterations: int, rounds: int) -> tuple[list[Contestant], list[str]]:
    """Contestants after one turn to warm up and `rounds` more, the bare loop first; and who ended with other weights."""
    reuse = [*overrides, "model.reuse_fake=true"]
    entered = [
        ("bare", bare_contestant, overrides),
        ("bare, again", bare_contestant, overrides),
        ("regen", regen_loop, overrides),
    ]
    entered += [("bare" + REUSING, bare_contestant, reuse), ("regen" + REUSING, regen_loop, reuse)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(os.devnull, "w") as nowhere:
        contestants, models = [], []
        with contextlib.redirect_stdout(nowhere):  # the configuration; and the bar, which keeps it
            for name, loop, own in entered:
                contestant, model = loop(name, own, Gate(iterations), Path(folder))
                contestant.turn()
                contestants.append(contestant)
                models.append(model)
        in_turns(contestants, rounds)
        for contestant in contestants:
            contestant.finish()
    plain, *copies, reusing, reusing_too = map(weights, models)
    alike = [True, *(same(plain, copy) for copy in copies), True, same(reusing, reusing_too)]
    return contestants, [one.name for one, right in zip(contestants, alike, strict=True) if not right]


def weights(model: GAN) -> list[Tensor]:
    """Of both nets, buffers included."""
    return [*model.generator.state_dict().values(), *model.discriminator.state_dict().values()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether they are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def figures(contestants: list[Contestant], network: str, images: int) -> list[dict[str, object]]:
    """A row for each contestant, ratios to the first one; `images` in a turn."""
    rows, first = [], contestants[0]
    for one in contestants:
        wall = ratios(first, one, 0)
        deciles = statistics.quantiles(wall, n=10, method="inclusive") if len(wall) > 1 else wall
        row = {"name": one.name, "images_per_second": images / statistics.median(seconds for seconds, _ in one.turns)}
        row |= {"ratio": statistics.median(wall), "p10": deciles[0], "p90": deciles[-1]}
        row |= {"cpu_ratio": statistics.median(ratios(first, one, 1))}
        row |= {"overall": sum(seconds for seconds, _ in first.turns) / sum(seconds for seconds, _ in one.turns)}
        rows.append(row | {"goal": GOALS.get((network, one.name))})
    return rows


def show(title: str, rows: list[dict[str, object]], differing: list[str]) -> None:
    """ratio: median of the rounds' ratios of images/s; CPU: the same in CPU time; overall: of all rounds together."""
    print(f"\n{title}\n{'':22}images/s  ratio [p10-p90]         CPU  overall  goal")
    for row in rows:
        speed = f"{row['name']:20}{row['images_per_second']:>10,.0f}  {row['ratio']:.3f} [{row['p10']:.2f}-{row['p90']:.2f}]"
        print(f"{speed}{row['cpu_ratio']:>12.3f}{row['overall']:>9.3f}  {row['goal'] or ''}")
    print(f"weights: {'NOT THOSE OF THE BARE LOOP: ' + '; '.join(differing) if differing else 'identical'}", flush=True)


def peak_memory() -> float:
    """MB that a short run on digits needs, figures included. A small process starts it: one so large as this would count."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "src/train.py"), "max_iterations=200", f"hydra.run.dir={folder}/run"]
        spent = subprocess.run([sys.executable, "-c", SPEND, *command], check=True, capture_output=True, text=True)
    return int(spent.stdout) / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def machine() -> dict[str, object]:
    """Versions, processor, threads."""
    path = Path("/proc/cpuinfo")
    named = [line for line in path.read_text().splitlines() if line.startswith("model name")] if path.exists() else []
    found = provenance()
    about = {"python": found["python"], **{name: found["versions"][name] for name in ("torch", "lightning")}}
    cpu = named[0].partition(": ")[2] if named else platform.processor()
    return about | {"cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def prepare(threads: int) -> None:
    """The same ground for everyone: threads, the allocator, no account, and a run of W&B for each."""
    torch.set_num_threads(threads)
    tune("cpu")
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX: the threads allocate where the main thread of a run does
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_REINIT": "create_new"}
    warnings.filterwarnings("ignore", module="lightning")


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How close training comes to a bare loop tuned by hand.")
    parser.add_argument("--quick", action="store_true", help="few and short turns: a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="turns of each contestant after one to warm up (20; quick: 3)")
    parser.add_argument("--network", choices=list(ITERATIONS), action="append", help="default: each")
    parser.add_argument("--regularizer", choices=["none", "r1"], action="append", help="default: each")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--skip-memory", action="store_true", help="leave out the run whose memory is measured")
    parser.add_argument("overrides", nargs="*", help="keys of train.py for every contestant, as data.batch_size=128")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Race, print the tables; 1 if weights were not identical."""
    asked = arguments(given)
    prepare(asked.threads)
    report, rounds = {"machine": machine(), "workloads": []}, asked.rounds or (3 if asked.quick else 20)
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    for network in asked.network or ITERATIONS:
        for regularizer in asked.regularizer or ("none", "r1"):
            title = f"network={network} data.image_size={SIZES[network]} data.batch_size=64 regularizer={regularizer}"
            overrides = [*title.split(), *asked.overrides]
            turn = ITERATIONS[network] // (5 if asked.quick else 1)
            contestants, differing = race(overrides, turn, rounds)
            rows = figures(contestants, network, turn * configure(overrides, Path()).data.batch_size)
            show(f"{' '.join(overrides)} ({rounds} rounds of {turn} iterations)", rows, differing)
            report["workloads"].append({"overrides": overrides, "rows": rows, "identical": not differing})
    if not asked.skip_memory:
        report["peak_memory_mb"] = peak_memory()
        print(f"\npeak memory of a run on digits: {report['peak_memory_mb']:,.0f} MB (goal: under {MEMORY_GOAL:,} MB)")
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(workload["identical"] for workload in report["workloads"]) else 1


if __name__ == "__main__":
    sys.exit(main())
