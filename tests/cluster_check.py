"""Try a real Slurm of two nodes and a real PostgreSQL on this machine.

    python tests/cluster_check.py                 # Slurm: whichever answers sinfo
    python tests/cluster_check.py --only torchrun orphans   # some of the checks: these need neither

The checks: sweep, nodes, limit, cancel, choice and budget need Slurm, database needs PostgreSQL, torchrun and orphans
this machine alone.

Each check prints "passed", "FAILED" with what was found, or "skipped" with the reason. Exit status 1 if one has failed.
"""

import argparse
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from check_commands import (
    ROOT,
    RUN,
    SHORT,
    Skipped,
    commands_of_children,
    read_statuses,
    start_command,
    start_sweep,
    wait_until,
)
from process_checks import check_orphans, check_torchrun

SLURM = "hydra/launcher=slurm hydra.launcher.gpus_per_node=0 hydra.launcher.cpus_per_task=1 hydra.launcher.mem_gb=2"


def need_slurm() -> str:
    """The name of the partition."""
    if shutil.which("sinfo") is None:
        raise Skipped("no Slurm: apt install slurm-wlm munge, and start two nodes")
    done = subprocess.run(["sinfo", "-h", "-o", "%P"], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode or not done.stdout.strip():
        raise Skipped(f"sinfo does not answer: {done.stderr.strip()[:100]}")
    return done.stdout.split()[0].rstrip("*")


def check_sweep(folder: Path) -> None:
    """Two jobs."""
    launcher = [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    assert start_sweep(folder, *launcher, *SHORT.split(), "regularizer=none,r1").wait(600) == 0
    assert read_statuses(folder) == ["finished"] * 2


def check_nodes(folder: Path) -> None:
    """One job of two processes on two nodes."""
    launcher = [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    launcher += ["hydra.launcher.nodes=2", "hydra.launcher.tasks_per_node=1"]
    trainer = ["trainer=ddp_cpu", "trainer.num_nodes=2", "trainer.devices=1"]
    assert start_sweep(folder, *launcher, *trainer, *SHORT.split(), "regularizer=none").wait(600) == 0
    (result,) = (json.loads(path.read_text()) for path in folder.glob("*/result.json"))
    assert result["status"] == "finished"
    assert result["images_seen"] == 2 * 64 * 20


def check_limit(folder: Path) -> None:
    """A job that runs out of time saves at that moment, is queued again, and trains the rest once."""
    launcher = [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    launcher += ["hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=20"]
    lengths = ["max_iterations=1000000", "save_every=10000000", "evaluate_every=999999999", "regularizer=none"]
    command = start_sweep(folder, *launcher, *lengths)
    try:
        results = lambda: list(folder.glob("*/result.json"))  # noqa: E731
        wait_until(results, 400)
        first = json.loads(results()[0].read_text())
        assert first["status"] == "interrupted", first["status"]
        saved = sorted(results()[0].parent.glob("checkpoints/iteration_*.ckpt"))
        assert int(saved[-1].stem.rpartition("_")[2]) == first["iteration"]
        log = results()[0].parent / "metrics.csv"
        wait_until(lambda: int(log.read_text().strip().splitlines()[-1].split(",")[0]) > first["iteration"], 600)
        iterations = [int(line.split(",")[0]) for line in log.read_text().strip().splitlines()[1:]]
        assert iterations == list(range(5, iterations[-1] + 1, 5))
    finally:
        subprocess.run(["scancel", "--user", getpass.getuser(), "--name", "train"], check=False)
        command.wait(120)


def check_cancel(folder: Path) -> None:
    """scancel leaves a checkpoint, and the same command does the rest."""
    launcher = [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    job = ["regularizer=none", "evaluate_every=999999999", "save_every=100000"]
    command = start_sweep(folder, *launcher, *job, "max_iterations=1000000")
    wait_until(lambda: list(folder.glob("*/metrics.csv")), 300)
    subprocess.run(["scancel", "--user", getpass.getuser(), "--name", "train"], check=True)
    assert command.wait(300) == 75
    (result,) = (json.loads(path.read_text()) for path in folder.glob("*/result.json"))
    assert (result["status"], result["reason"]) == ("interrupted", "SIGTERM received")
    assert list(folder.glob("*/checkpoints/iteration_*.ckpt"))
    longer = f"max_iterations={result['iteration'] + 50}"
    assert start_sweep(folder, *launcher, *job, longer).wait(600) == 0
    assert read_statuses(folder) == ["finished"]


def check_choice(folder: Path) -> None:
    """src/choose.py sends its fits to Slurm, and trains nothing here before."""
    lengths = "max_iterations=200 save_every=100 rounds=2 folds=2 regularizer=l2 lambda_g=0,0.1 lambda_d=0"
    command = [sys.executable, str(ROOT / "src/choose.py"), *RUN.split(), *lengths.split(), f"hydra.sweep.dir={folder}"]
    command += [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    assert start_command(folder.with_suffix(".log"), command).wait(600) == 0
    assert read_statuses(folder) == ["finished"] * 4
    assert len(list(folder.glob(".submitit/*/*_submission.sh"))) == 2, "not one array of jobs for each round"
    assert (folder / "choice.json").exists()


def check_budget(folder: Path) -> None:
    """A choice with a budget measures the time of fits on the cluster, and trains nothing here."""
    lengths = "max_iterations=2000 budget=4min folds=2 regularizer=l2 lambda_g=0,0.1 lambda_d=0"
    command = [sys.executable, str(ROOT / "src/choose.py"), *RUN.split(), *lengths.split(), f"hydra.sweep.dir={folder}"]
    command += [*SLURM.split(), f"hydra.launcher.partition={need_slurm()}"]
    started, local = start_command(folder.with_suffix(".log"), command), []
    while started.poll() is None:
        local += [child for child in commands_of_children(started.pid) if "train.py" in child]
        time.sleep(0.1)
    assert (started.returncode, local) == (0, [])
    assert set(read_statuses(folder)) == {"finished"}
    assert (folder / "choice.json").exists()
    assert not (folder / ".probe").exists()


def check_database(folder: Path) -> None:
    """Two commands share a study in PostgreSQL; one is killed, and all trials are done."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        raise Skipped("no PostgreSQL: apt install postgresql")
    try:
        import psycopg2  # noqa: F401
    except ImportError:
        raise Skipped("no driver: pip install psycopg2-binary") from None
    place, owner = folder.with_suffix(".db"), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    owner = owner if os.getuid() == 0 else []
    place.mkdir()
    place.chmod(0o777)
    program = programs[-1].parent
    subprocess.run([*owner, program / "initdb", "-A", "trust", "-D", place / "data"], check=True, capture_output=True)
    options = f"-k {place} -c listen_addresses=''"
    control = [*owner, program / "pg_ctl", "-D", place / "data", "-w"]
    subprocess.run([*control, "-o", options, "-l", place / "log", "start"], check=True, capture_output=True)
    try:
        user = "postgres" if os.getuid() == 0 else getpass.getuser()
        storage = f"hydra.sweeper.storage='postgresql+psycopg2://{user}@/postgres?host={place}'"
        search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", storage, "regularizer=r1"]
        search += ["lambda_d=tag(log,interval(0.1,100))", *SHORT.split()]
        first, second = start_sweep(folder, *search), start_sweep(folder, *search)
        wait_until(lambda: len(list(folder.glob("*/result.json"))) >= 1, 300)
        os.killpg(first.pid, signal.SIGKILL)
        assert second.wait(600) == 0
        assert read_statuses(folder).count("finished") >= 4
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True)


CHECKS = {
    "sweep": check_sweep,
    "nodes": check_nodes,
    "limit": check_limit,
    "cancel": check_cancel,
    "choice": check_choice,
    "budget": check_budget,
    "database": check_database,
    "torchrun": check_torchrun,
    "orphans": check_orphans,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(CHECKS), choices=list(CHECKS))
    given = parser.parse_args()
    folder, failed = Path(tempfile.mkdtemp(prefix="cluster-check-")), False
    folder.chmod(0o755)
    for name in given.only:
        began = time.monotonic()
        try:
            found = CHECKS[name](folder / name)
            said = f"passed: {found}" if found else "passed"
        except Skipped as reason:
            said = f"skipped: {reason}"
        except Exception as error:  # noqa: BLE001 - each check is for itself
            said, failed = f"FAILED: {type(error).__name__} {error} (see {folder / name}.log)", True
        print(f"{name:10} {time.monotonic() - began:6.0f} s  {said}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
