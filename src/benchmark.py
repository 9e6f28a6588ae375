"""How close training as a user runs it comes to a bare loop tuned by hand (bare.py): python src/benchmark.py [--quick]

All contestants live in this process and take turns of some iterations, in an order that rotates from round to round; a ratio
is taken within a round, so that a neighbour's load on the machine falls on both sides of it. A second copy of the bare loop
shows the noise. Both sides must end with the same weights bit for bit, else this exits with status 1.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

import bare
from regen import callbacks, config, runs, training
from regen.build import build
from regen.gan import GAN
from regen.loggers import Wandb

ITERATIONS = {"mlp": 100, "dcgan": 10}  # in a turn: long enough to hold the log's rows, short beside changes of the load
SIZES = {"mlp": 28, "dcgan": 32}  # pixels a side
GOALS = {("mlp", "regen"): 0.97, ("dcgan", "regen"): 0.98, ("dcgan", "regen, fakes reused"): 1.10}
MEMORY_GOAL = 1500  # MB, of a run on digits
SPENT = "import resource as r, subprocess as s, sys; s.run(sys.argv[1:], check=True, stdout=s.DEVNULL, stderr=s.DEVNULL)"
SPENT += "; print(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss)"


class Gate:
    """Where a loop in a thread of its own waits for its next turn; the clocks are read there, in its thread."""

    def __init__(self, iterations: int) -> None:
        self.iterations, self.open = iterations, True  # iterations in a turn
        self.go, self.arrived = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self) -> bool:
        """End a turn, wait for the next; False if there is none."""
        self.ended = (time.perf_counter(), time.process_time())
        self.arrived.release()
        self.go.acquire()
        self.began = (time.perf_counter(), time.process_time())
        return self.open

    def through(self, stream: Iterable[Tensor]) -> Iterator[Tensor]:
        """The stream's batches; when the loop asks for one more, it has done with the one before."""
        for iteration, batch in enumerate(stream, 1):
            yield batch
            if iteration % self.iterations == 0 and not self.wait():
                return


class Turns(Callback):
    """The gate of a Lightning run: a callback, because Lightning fetches a chunk ahead of the one that it trains on."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def on_train_batch_end(self, trainer: Trainer, model: GAN, *_: object) -> None:
        if model.iteration % self.gate.iterations == 0 and not self.gate.wait():
            trainer.should_stop = True


class Timed(training.Run):
    """A run as train.py makes it, with its loggers, checkpoints, averaged generator and bar, that goes through a gate."""

    def fit(self, gate: Gate) -> None:
        self.gate, self.data.evaluator = gate, lambda *_: None  # scoring lies outside of what is timed
        written, stops = self._open(), (self.cfg.log_every, self.cfg.save_every, gate.iterations)
        shown = training.Shown(self.data, self.model, self.last, stops)
        try:
            self._trainer(written).fit(self.model, datamodule=shown)
        finally:
            for logger in written:
                if isinstance(logger, Wandb):
                    logger.experiment.finish()

    def _callbacks(self, written: list[Logger]) -> list[Callback]:
        made = super()._callbacks(written)  # handlers of signals can be set in the main thread alone
        return [*(c for c in made if not isinstance(c, callbacks.Signals)), Turns(self.gate)]


class Contestant(threading.Thread):
    """A training loop that takes turns. The first one sets it up and warms it."""

    def __init__(self, name: str, model: GAN, gate: Gate, loop: Callable[[Gate], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.model, self.gate, self.loop, self.error = model, gate, loop, None
        self.turns: list[tuple[float, float]] = []  # seconds of each: on the clock, of this process's CPU time

    def run(self) -> None:
        try:
            self.loop(self.gate)
        except BaseException as error:
            self.error = error
        self.gate.arrived.release()

    def turn(self) -> None:
        """Let it train for a turn."""
        self.start() if self.ident is None else self.gate.go.release()
        self.gate.arrived.acquire()
        if self.error:
            raise self.error
        if hasattr(self.gate, "began"):
            self.turns.append(tuple(end - begin for begin, end in zip(self.gate.began, self.gate.ended, strict=True)))

    def finish(self) -> None:
        self.gate.open = False
        self.gate.go.release()
        self.join()

    def weights(self) -> list[Tensor]:
        return [*self.model.generator.state_dict().values(), *self.model.discriminator.state_dict().values()]


def configure(overrides: list[str], folder: Path) -> DictConfig:
    """The configuration that train.py would compose; its run writes into the folder."""
    runs.register_resolvers()
    place = [f"hydra.runtime.output_dir='{folder}'", "hydra.mode=RUN"]
    with initialize_config_dir(str(runs.ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [*overrides, *place], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    config.check(cfg)
    return cfg


def regen_loop(name: str, overrides: list[str], gate: Gate, folder: Path) -> Contestant:
    """Training through Lightning, as `python src/train.py OVERRIDES` does it."""
    cfg = configure([*overrides, "max_iterations=1000000000", "evaluate_every=64000000000"], folder / name.replace(" ", "-"))
    run = Timed(cfg, build(cfg.data, "data"), training.make_model(cfg, build(cfg.data, "data")), world=1)
    return Contestant(name, run.model, gate, run.fit)


def bare_loop(name: str, overrides: list[str], gate: Gate, folder: Path) -> Contestant:
    """The same training by bare.train, from the same weights."""
    cfg = configure(overrides, folder)
    data = build(cfg.data, "data")
    model = training.make_model(cfg, data)
    r1 = cfg.regularizer.r1.lambda_d if "r1" in cfg.regularizer else 0.0

    def loop(gate: Gate) -> None:
        stream = gate.through(bare.batches(data.train.images, data.batch_size, cfg.seed))
        bare.train(model.generator, model.discriminator, stream, cfg.seed, r1, cfg.model.reuse_fake)

    return Contestant(name, model, gate, loop)


def race(overrides: list[str], iterations: int, rounds: int) -> list[Contestant]:
    """Let bare loops and runs take turns, one round to warm up and then `rounds`; the first one is the bare loop."""
    entered = [("bare", bare_loop, []), ("bare, again", bare_loop, []), ("regen", regen_loop, [])]
    reuse = ["model.reuse_fake=true"]
    entered += [("bare, fakes reused", bare_loop, reuse), ("regen, fakes reused", regen_loop, reuse)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(os.devnull, "w") as nowhere:
        contestants = []
        for name, loop, more in entered:
            with contextlib.redirect_stdout(nowhere):  # the configuration, and the bar for as long as it lives
                contestants.append(loop(name, [*overrides, *more], Gate(iterations), Path(folder)))
                contestants[-1].turn()
        for n in range(rounds):
            first = n % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                contestant.turn()
        for contestant in contestants:
            contestant.finish()
    return contestants


def same_weights(contestants: list[Contestant]) -> bool:
    """Whether each run ended with the weights of its bare loop, bit for bit."""
    plain, again, regen, reusing, regen_reusing = (contestant.weights() for contestant in contestants)
    pairs = [(plain, again), (plain, regen), (reusing, regen_reusing)]
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def ratios(bare: Contestant, contestant: Contestant, clock: int) -> list[float]:
    """Images/s relative to the bare loop's, round by round."""
    return [ours[clock] and theirs[clock] / ours[clock] for theirs, ours in zip(bare.turns, contestant.turns, strict=True)]


def figures(contestants: list[Contestant], images: int, network: str) -> list[dict[str, object]]:
    """A row of the table for each contestant; `images` in a turn."""
    rows, bare = [], contestants[0]
    for one in contestants:
        wall = ratios(bare, one, 0)
        low, *_, high = statistics.quantiles(wall, n=10, method="inclusive") if len(wall) > 1 else wall * 2
        row = {"name": one.name, "images_per_second": images / statistics.median(seconds for seconds, _ in one.turns)}
        row |= {"ratio": statistics.median(wall), "p10": low, "p90": high}
        row |= {"cpu_ratio": statistics.median(ratios(bare, one, 1))}
        row |= {"overall": sum(t for t, _ in bare.turns) / sum(t for t, _ in one.turns)}
        rows.append(row | {"goal": GOALS.get((network, one.name))})
    return rows


def show(title: str, rows: list[dict[str, object]], identical: bool) -> None:
    print(f"\n{title}\n{'':22}images/s  ratio [p10-p90]      CPU time  overall  goal")
    for row in rows:
        spread = f"{row['ratio']:.3f} [{row['p10']:.2f}-{row['p90']:.2f}]"
        goal = f">= {row['goal']:.2f}" if row["goal"] else ""
        print(f"{row['name']:20}{row['images_per_second']:>10,.0f}  {spread:19}{row['cpu_ratio']:>10.3f}{row['overall']:>9.3f}  {goal}")
    print(f"weights: {'identical' if identical else 'NOT THE SAME'}", flush=True)


def peak_memory() -> float:
    """MB that a short run on digits needs, its figures included. The process between us passes on no memory of ours."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(runs.ROOT / "src/train.py"), "max_iterations=200", f"hydra.run.dir={folder}/run"]
        spent = subprocess.run([sys.executable, "-c", SPENT, *command], check=True, capture_output=True, text=True)
    return int(spent.stdout) / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def machine() -> dict[str, object]:
    """Versions, processor, threads."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    cpu = models[0].partition(": ")[2] if models else platform.processor()
    versions = {name: runs.provenance()["versions"][name] for name in ("torch", "lightning")}
    return {"python": platform.python_version(), **versions, "cpu": cpu, "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How close training comes to a bare loop tuned by hand.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a look, not a measurement")
    parser.add_argument("--rounds", type=int, help="turns of each contestant after one to warm up (20; quick: 4)")
    parser.add_argument("--network", choices=list(ITERATIONS), action="append", help="default: each")
    parser.add_argument("--regularizer", choices=["none", "r1"], action="append", help="default: each")
    parser.add_argument("--threads", type=int, default=1, help="of torch (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--skip-memory", action="store_true", help="leave out the run whose memory is measured")
    parser.add_argument("overrides", nargs="*", help="keys of train.py for every contestant, as data.batch_size=128")
    return parser.parse_args(given)


def prepare(threads: int) -> None:
    """The same ground for everyone: threads, the allocator, no account, a W&B run of its own for each."""
    torch.set_num_threads(threads)
    training._tune_allocator()
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)  # Lightning's; without a GPU, Adam then looks for one at each step
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_REINIT": "create_new"}
    warnings.filterwarnings("ignore", module="lightning")


def main(given: list[str] | None = None) -> int:
    asked = arguments(given)
    prepare(asked.threads)
    report, alike = {"machine": machine(), "workloads": []}, True
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    for network in asked.network or ITERATIONS:
        for regularizer in asked.regularizer or ("none", "r1"):
            iterations, rounds = ITERATIONS[network] // (2 if asked.quick else 1), asked.rounds or (4 if asked.quick else 20)
            overrides = [f"network={network}", f"data.image_size={SIZES[network]}", f"regularizer={regularizer}", *asked.overrides]
            contestants = race(overrides, iterations, rounds)
            images, identical = 64 * iterations, same_weights(contestants)
            rows, alike = figures(contestants, images, network), alike and identical
            show(f"{network}, regularizer={regularizer}: {rounds} rounds of {iterations} iterations", rows, identical)
            report["workloads"] += [{"network": network, "regularizer": regularizer, "rows": rows, "identical": identical}]
    if not asked.skip_memory:
        report["peak_memory_mb"] = peak_memory()
        print(f"\npeak memory of a run on digits: {report['peak_memory_mb']:,.0f} MB (goal: under {MEMORY_GOAL:,} MB)")
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
