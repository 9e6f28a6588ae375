"""Checks of several processes on one machine: torchrun, and what remains of a command whose first process is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from check_commands import (
    ROOT,
    RUN,
    SHORT,
    Skipped,
    find_marked,
    make_mark,
    start_command,
    start_sweep,
    wait_until,
)

ENDLESS = "max_iterations=100000000 save_every=100000000 evaluate_every=99999999999 trainer.threads=1"
PATIENCE = 30.0  # seconds after which nothing of a sweep remains: a worker notices it once it has imported the package
PATIENCE_OF_SEVERAL = (
    60.0  # as documented (trainer.timeout_seconds): a process that imports torch notices it afterwards
)
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1")


def check_torchrun(folder: Path) -> None:
    """Two processes of torchrun are one run in one folder, also where its name has a time in it.

    A trainer of one process is refused.
    """
    program = Path(sys.executable).with_name("torchrun")
    if not program.exists():
        raise Skipped(f"no {program}")
    command = [str(program), "--nproc_per_node=2", str(ROOT / "src/train.py"), *RUN.split(), *SHORT.split()]
    place = f"hydra.run.dir={folder}/${{now:%f}}"
    started = start_command(folder.with_suffix(".log"), [*command, "trainer=ddp_cpu", "regularizer=r1", place])
    assert started.wait(300) == 0
    (run,) = folder.iterdir()
    result = json.loads((run / "result.json").read_text())
    assert (result["status"], result["images_seen"]) == ("finished", 2 * 64 * 20)
    log = folder.with_suffix(".log")
    assert start_command(log, [*command, "trainer=cpu", "regularizer=r1", place]).wait(300) != 0
    assert "torchrun started 2 processes and the trainer asks for 1" in log.read_text()


def check_orphans(folder: Path) -> str:
    """kill -9 of the first process leaves none of the others, whether they start or train; the longest times are returned."""
    if not Path("/proc/self/environ").exists():
        raise Skipped("no /proc: which processes remain cannot be found here")
    folder.mkdir()
    sweeps = [_check_joblib(folder / f"joblib_{delay:.0f}", delay) for delay in (0.0, 2.0, 6.0)]
    sweeps += [_check_sweep(folder / f"basic_{delay:.0f}", delay, 2, "seed=0,1") for delay in (0.0, 2.0)]
    sweeps.append(_check_trained(folder / "joblib_trained"))
    choice = _check_choice(folder / "choice")
    several = [_check_run(folder / f"run_{delay:.0f}", delay) for delay in (0.0, 1.0, 2.0, 4.0)]
    job = _check_sweep(folder / "two_processes", 0.0, 3, "trainer=ddp_cpu", "seed=0,1", patience=PATIENCE_OF_SEVERAL)
    longest = (max(*sweeps, choice), max(*several, job))
    return "the last process of a sweep ended after {:.1f} s, of two processes after {:.1f} s".format(*longest)


def _check_sweep(sweep: Path, delay: float, processes: int, *overrides: str, patience: float = PATIENCE) -> float:
    """Kill the sweep's first process some seconds after there are so many."""
    mark = make_mark()
    started = start_sweep(sweep, *ENDLESS.split(), *overrides, mark=mark)
    _wait_for(started, mark, processes, delay)
    return _kill(started, mark, sweep.name, patience)


def _check_joblib(sweep: Path, delay: float) -> float:
    """Kill the parent of two workers that import their first job. Before it, a worker waits for joblib's five minutes."""
    mark = make_mark()
    started = start_sweep(sweep, *ENDLESS.split(), *JOBLIB, mark=mark)
    wait_until(lambda: sum(map(_imports_its_job, find_marked(mark))) == 2, 120)
    time.sleep(delay)
    return _kill(started, mark, sweep.name, PATIENCE)


def _check_choice(sweep: Path) -> float:
    """Kill src/choose.py while short trainings measure the time of its fits."""
    mark, strengths = make_mark(), "regularizer=l2 lambda_g=0,0.1 lambda_d=0 max_iterations=100000000 budget=60min"
    command = [sys.executable, str(ROOT / "src/choose.py"), *RUN.split(), *strengths.split()]
    started = start_command(sweep.with_suffix(".log"), [*command, f"hydra.sweep.dir={sweep}"], mark)
    _wait_for(started, mark, 2, 3.0)
    return _kill(started, mark, sweep.name, PATIENCE)


def _imports_its_job(process: int) -> bool:
    """Whether a worker of joblib has loaded what Hydra needs, before the package."""
    folder = Path(f"/proc/{process}")
    return b"popen_loky" in (folder / "cmdline").read_bytes() and b"_yaml" in (folder / "maps").read_bytes()


def _check_trained(sweep: Path) -> float:
    """Kill the parent of two workers of joblib that train."""
    mark = make_mark()
    started = start_sweep(sweep, *ENDLESS.split(), *JOBLIB, mark=mark)
    wait_until(lambda: len(list(sweep.glob("*/metrics.csv"))) == 2, 120)
    return _kill(started, mark, sweep.name, PATIENCE)


def _check_run(run: Path, delay: float) -> float:
    """Kill process 0 of two some seconds after it has started the other one."""
    mark = make_mark()
    command = [sys.executable, str(ROOT / "src/train.py"), *RUN.split(), "trainer=ddp_cpu", *ENDLESS.split()]
    started = start_command(run.with_suffix(".log"), [*command, f"hydra.run.dir={run}"], mark)
    _wait_for(started, mark, 2, delay)
    return _kill(started, mark, run.name, PATIENCE_OF_SEVERAL)


def _wait_for(started: subprocess.Popen, mark: str, processes: int, delay: float) -> None:
    last = time.monotonic() + 120
    while len(find_marked(mark)) < processes:
        assert started.poll() is None, "the command ended by itself"
        assert time.monotonic() < last, f"{processes} processes have not been started"
        time.sleep(0.02)
    time.sleep(delay)


def _kill(started: subprocess.Popen, mark: str, what: str, patience: float) -> float:
    """The seconds until nothing remains."""
    started.kill()
    started.wait()
    began = time.monotonic()
    while (left := find_marked(mark)) and time.monotonic() < began + patience:
        time.sleep(0.1)
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left, f"{len(left)} processes remain of {what} after {patience:.0f} seconds"
    return time.monotonic() - began
