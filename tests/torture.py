"""Kill and interrupt real runs at random moments, resume them, and compare them with the uninterrupted runs.

    python tests/torture.py --kills 200 --signals 100 --seed 0
    python tests/torture.py --seconds 120          # as much of it as fits

Each attempt is the same command with resume=auto, in a copy of this process that has everything imported (with two
processes, the second one is a new process). It is hit after a random time, again and again, until the run ends. Then the
last checkpoint must be that of the uninterrupted run bit for bit, and the log must have the same rows. After each hit the
newest checkpoint must load and not be older than before; a signal must end the run within --slowest seconds, with exit
status 75 or 128 + its number, and without a traceback. Exit status 1 if anything was not so.
"""

import argparse
import contextlib
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml

from regen.cli import entry_point, train
from regen.core import checkpoint
from regen.training import training_run  # noqa: F401 - imported once, for all copies

RING = "data=ring network=mlp metrics=[frechet] monitor=val/fd evaluation_samples=200"
DIGITS = "network=mlp data.image_size=8 data.subset=200 metrics=[frechet] monitor=val/fd evaluation_samples=200"
CASES = {
    "none": f"{RING} regularizer=none",
    "r1, spectral norm": f"{RING} regularizer=[r1,spectral_norm]",
    "ada, l2": f"{DIGITS} regularizer=[ada,l2]",
    "lecam, diffaugment": f"{DIGITS} regularizer=[lecam,diffaugment]",
    "vae": f"{DIGITS} model=vae regularizer=[kl]",
    "workers": f"{DIGITS} regularizer=r1 data.workers=2",
    "two processes": f"{RING} regularizer=r1 trainer=ddp_cpu trainer.timeout_seconds=50",
}
LENGTHS = (
    "max_iterations=240 log_every=15 save_every=20 evaluate_every=20 report=false logger=csv trainer.progress_bar=false"
)
KINDS = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")


@dataclass
class Score:
    """What was done and what went wrong."""

    hits: Counter = field(default_factory=Counter)
    runs: Counter = field(default_factory=Counter)  # finished and identical, or not
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    limit: float = 10.0  # seconds from a signal to the end of the run


class Victim:
    """A run that is started again and again until it has finished."""

    def __init__(self, case: str, folder: Path, score: Score, chance: random.Random) -> None:
        self.case, self.folder, self.score, self.chance = case, folder, score, chance
        self.newest, self.log = -1, folder.with_suffix(".log")

    def start(self) -> int:
        """The id of a copy of this process, the leader of a group, which runs the command."""
        sys.stdout.flush()
        self.log.touch()  # here: the copy may be killed before it opens the file
        child = os.fork()
        if child:
            return child
        os.setsid()
        output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.argv = ["train.py", *CASES[self.case].split(), *LENGTHS.split()]
        sys.argv += ["resume=auto", f"hydra.run.dir={self.folder}"]
        status = 1
        try:
            entry_point.run(train.main)
            status = 0
        except SystemExit as leaving:
            status = leaving.code or 0
        except BaseException:  # noqa: BLE001 - shown in the log, where it counts as a fault
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def hit(self, number: int, to_group: bool, within: float) -> bool:
        """Start, send the signal after a random time, and check what is left; whether the run had ended before it."""
        child = self.start()
        last = time.monotonic() + self.chance.uniform(0.0, within)
        while time.monotonic() < last:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return self._ended(os.waitstatus_to_exitcode(status), None, 0.0)
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number) if to_group else os.kill(child, number)
        sent = time.monotonic()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        took = time.monotonic() - sent
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what a killed process has left: the second of two
        return self._ended(status, number or None, took)

    def _ended(self, status: int, number: int | None, took: float) -> bool:
        if number is not None:
            name = signal.Signals(number).name
            self.score.hits[name] += 1
            if number != signal.SIGKILL:
                self.score.slowest = max(self.score.slowest, took)
                if took > self.score.limit:
                    self.fault(f"{name}: ended after {took:.1f} seconds")
                if status not in (0, 75, 128 + number, -number):  # the last: before Python has set the handlers
                    self.fault(f"{name}: exit status {status}")
        elif status != 0:
            self.fault(f"exit status {status} without a signal")
            return True
        if "Traceback" in self.log.read_text():
            self.fault("a traceback")
        state = checkpoint.newest(self.folder / "checkpoints") if (self.folder / "checkpoints").exists() else None
        iteration = state["iteration"] if state else -1
        if iteration < self.newest:
            self.fault(f"the checkpoint of iteration {self.newest} is lost: the newest is of {iteration}")
        self.newest = iteration
        return status == 0

    def fault(self, what: str) -> None:
        kept = self.log.with_name(f"fault-{len(self.score.faults)}.log")
        shutil.copy(self.log, kept)
        self.log.write_text("")
        self.score.faults.append(f"{self.case}: {what} ({kept})")
        print("FAULT", self.score.faults[-1], flush=True)


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The log without the speed."""
    with open(folder / "metrics.csv", newline="") as file:
        return [{name: row[name] for name in row if name != "images_per_second"} for row in csv.DictReader(file)]


def is_same(one: object, other: object) -> bool:
    """Whether two states are equal bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(is_same(*pair) for pair in zip(one, other, strict=True))
    return one == other


def compare(victim: Victim, reference: Path) -> None:
    """Count a finished run as identical to the uninterrupted one, or not."""
    states = [checkpoint.newest(folder / "checkpoints") for folder in (victim.folder, reference)]
    logs = [rows_of(folder) for folder in (victim.folder, reference)]
    if not is_same(*states):
        victim.fault("the last checkpoint differs from the uninterrupted run's")
    if logs[0] != logs[1]:
        victim.fault(f"the log differs from the uninterrupted run's: {len(logs[0])} and {len(logs[1])} rows")
    same = is_same(*states) and logs[0] == logs[1]
    victim.score.runs["identical" if same else "different"] += 1
    if same:
        shutil.rmtree(victim.folder)


def torture(
    folder: Path, kills: int, signals: int, seconds: float, seed: int, cases: list[str], slowest: float
) -> Score:
    """Hit runs until the numbers are reached or the time is up."""
    chance, score, references, last = random.Random(seed), Score(limit=slowest), {}, time.monotonic() + seconds
    wanted = Counter({"SIGKILL": kills, **dict.fromkeys(KINDS, signals)})
    for turn in range(10**6):
        missing = [name for name in wanted if score.hits[name] < wanted[name]]
        if not missing or time.monotonic() > last:
            break
        case = cases[turn % len(cases)]
        if case not in references:
            reference = Victim(case, folder / f"reference-{len(references)}", score, chance)
            began = time.monotonic()
            reference.hit(0, to_group=False, within=600.0)
            references[case] = (reference.folder, time.monotonic() - began)
        reference, took = references[case]
        victim = Victim(case, folder / f"run-{turn}", score, chance)
        for _ in range(60):
            name = chance.choice([name for name in wanted if score.hits[name] < wanted[name]] or ["SIGKILL"])
            if victim.hit(getattr(signal, name), to_group=chance.random() < 0.5, within=0.7 * took):
                break
            if time.monotonic() > last + 30:
                return score
        else:
            victim.hit(0, to_group=False, within=600.0)
        compare(victim, reference)
        print(f"{turn + 1:4} {case:20} {dict(score.hits)} {dict(score.runs)}", flush=True)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs")
    parser.add_argument("--signals", type=int, default=100, help="signals of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--slowest", type=float, default=10.0, help="seconds that a run may take to end after a signal")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the kinds")
    parser.add_argument("--cases", nargs="*", default=list(CASES), help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--folder", type=Path, default=None, help="where the runs are kept; else a temporary one")
    given = parser.parse_args()
    os.environ.setdefault("REGEN_TRACEBACK", "0")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and then so would the runs
    torch.set_num_threads(1)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    score = torture(folder, given.kills, given.signals, given.seconds, given.seed, given.cases, given.slowest)
    print(
        yaml.safe_dump({"seed": given.seed, "hits": dict(score.hits), "runs": dict(score.runs)}, sort_keys=False),
        end="",
    )
    print(f"slowest end after a signal: {score.slowest:.1f} s\nfaults: {len(score.faults)}")
    for fault in score.faults:
        print(f"  {fault}")
    if given.folder is None and not score.faults:
        shutil.rmtree(folder)
    sys.exit(bool(score.faults))


if __name__ == "__main__":
    main()
