"""Rank of this process in a run, and start of the others.

A rank is taken only from the launcher that started this process for this run: torchrun, srun, submitit, or a regen process.
A run of one process has rank 0, regardless of other launchers' variables in the environment.
"""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from lightning.fabric.plugins.environments import SLURMEnvironment

from regen.config.quoting import quote
from regen.errors import ConfigError, ProcessLost
from regen.utils import process_state, program

OWN = ("REGEN_RANK", "REGEN_WORLD", "REGEN_PORT", "REGEN_PARENT")


@dataclass(frozen=True)
class Rank:
    """Rank of this process, number of processes, and address of the first one.

    starts_others   whether this process starts the others
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    node: int = 0
    address: str = "127.0.0.1"
    port: int = 0
    starts_others: bool = False
    launcher: str = "python"


def find_rank(world: int, nodes: int = 1) -> Rank:
    """Return the rank of this process in a run of `world` processes.

    Raises ConfigError if several nodes are requested and no launcher started this process, if their names do not resolve, and
    if torchrun started another number of processes.
    """
    _check_torchrun(world)
    if world == 1:
        return Rank()
    rank = _from_regen(world) or _from_submitit(world) or _from_torchrun(world, nodes) or _from_srun(world)
    if rank is None and nodes > 1:
        raise ConfigError(
            f"trainer.num_nodes={nodes} needs {world} processes, and this one was started alone: start them with "
            f"srun --ntasks={world}, torchrun --nnodes={nodes} or hydra/launcher=slurm, or type trainer.num_nodes=1"
        )
    if rank is None:
        return Rank(0, world, port=_free_port(), starts_others=True)
    _check_resolves(rank)
    return rank


def _from_regen(world: int) -> Rank | None:
    number, size, port, parent = (os.environ.pop(name, "") for name in OWN)
    if size != str(world):
        return None
    if parent != str(os.getppid()):
        raise ProcessLost("process 0 has ended")
    return Rank(int(number), world, int(number), port=int(port), launcher="regen")


def _from_submitit(world: int) -> Rank | None:
    if "submitit" not in sys.modules:
        return None
    import submitit

    try:
        job = submitit.JobEnvironment()
    except RuntimeError:  # not a process of submitit
        return None
    if job.num_tasks == 1:
        return None
    if job.num_tasks != world:
        raise ConfigError(
            f"the launcher starts {job.num_tasks} processes for each job and the trainer asks for {world}: "
            "hydra.launcher.nodes times hydra.launcher.tasks_per_node must be trainer.num_nodes times trainer.devices"
        )
    port = 20000 + int("".join(filter(str.isdigit, job.job_id)) or 0) % 20000
    address = os.environ.get("MASTER_ADDR", job.hostnames[0])
    return Rank(job.global_rank, world, job.local_rank, job.node, address, port, launcher="submitit")


def _from_torchrun(world: int, nodes: int) -> Rank | None:
    """Read torchrun's variables, which users may also set by hand on several nodes."""
    environment = os.environ
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    if ("TORCHELASTIC_RUN_ID" not in environment and nodes == 1) or not all(name in environment for name in names):
        return None
    rank, size, local, port = (
        _number(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")
    )
    if size != world or not 0 <= rank < world or port < 1:
        return None
    node = _number(environment.get("GROUP_RANK", environment.get("NODE_RANK", "0")))
    return Rank(rank, world, local, node, environment["MASTER_ADDR"], port, launcher="torchrun")


def _check_torchrun(world: int) -> None:
    """Raise ConfigError if torchrun started another number of processes than the trainer's, each of which would train alone.

    Processes below those of torchrun inherit its variables as well, and are not meant.
    """
    started = _number(os.environ.get("WORLD_SIZE", ""))
    if "TORCHELASTIC_RUN_ID" not in os.environ or started in (world, -1):
        return
    names = {Path(word).name for word in process_state.command_of(os.getppid())}
    if names & {"torchrun", "torch.distributed.run", "torch.distributed.launch"}:
        raise ConfigError(
            f"torchrun started {started} processes and the trainer asks for {world}: type trainer=ddp (on CPUs "
            f"trainer=ddp_cpu) with trainer.num_nodes times trainer.devices = {started}"
        )


def _from_srun(world: int) -> Rank | None:
    """Read the variables of a step of srun; a batch script and its children have only SLURM_PROCID."""
    environment = os.environ
    if _number(environment.get("SLURM_STEP_NUM_TASKS", "")) != world or world == 1:
        return None
    rank, local, node = (_number(environment.get(f"SLURM_{name}", "")) for name in ("PROCID", "LOCALID", "NODEID"))
    if not 0 <= rank < world or local < 0:
        return None
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_NODELIST", "127.0.0.1")
    address = environment.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(nodes)
    step = _number(environment.get("SLURM_JOB_ID", "0")) * 16 + _number(environment.get("SLURM_STEP_ID", "0"))
    port = _number(environment.get("MASTER_PORT", "")) if "MASTER_PORT" in environment else 20000 + step % 20000
    return Rank(rank, world, local, max(node, 0), address, port, launcher="srun")


def _number(text: str) -> int:
    """Parse a number; -1 for other text."""
    return int(text) if text.isdigit() else -1


def _check_resolves(rank: Rank) -> None:
    try:
        socket.getaddrinfo(rank.address, rank.port)
    except OSError as error:
        raise ConfigError(
            f"the name of the first node, {rank.address}, does not resolve on {socket.gethostname()} ({error}): set "
            "MASTER_ADDR to its address, or add it to /etc/hosts"
        ) from error


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_others(rank: Rank, folder: Path) -> list[subprocess.Popen]:
    """Start processes 1 to world - 1 on this machine with the same command in the run's folder."""
    place = [f"hydra.run.dir={quote(str(folder))}", "hydra.output_subdir=null"]
    started = []
    for number in range(1, rank.world):
        own = dict(zip(OWN, map(str, (number, rank.world, rank.port, os.getpid())), strict=True))
        job = f"hydra.job.name={HydraConfig.get().job.name}_process_{number}"
        command = [*program.process_arguments("train"), *sys.argv[1:], *place, job]
        started.append(subprocess.Popen(command, env=os.environ | own))
    return started


def end(processes: list[subprocess.Popen], seconds: float) -> None:
    """Wait for processes to end, then terminate and finally kill them."""
    for ask in (lambda process: None, subprocess.Popen.terminate, subprocess.Popen.kill):
        for process in processes:
            ask(process)
        last = time.monotonic() + seconds
        while any(process.poll() is None for process in processes) and time.monotonic() < last:
            time.sleep(0.02)
