"""The rank of a process comes from the launcher that started it, and from no variable that another one has left."""

import os
import subprocess
import sys

import pytest
from helpers.commands import RING

from regen.errors import ConfigError
from regen.training.launcher import find_rank

LEFT = ("SLURM_PROCID", "SLURM_LOCALID", "RANK", "LOCAL_RANK", "JSM_NAMESPACE_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK")
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "7",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
SRUN = {
    "SLURM_JOB_ID": "12",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NODELIST": "localhost",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*LEFT, *TORCHRUN, *SRUN):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("world", [1, 2])
def test_variable_that_another_launcher_left_makes_no_process_second(monkeypatch, name: str, world: int) -> None:
    monkeypatch.setenv(name, "1")
    rank = find_rank(world)
    assert (rank.rank, rank.world, rank.starts_others) == (0, world, world > 1)


@pytest.mark.parametrize(("variables", "launcher"), [(TORCHRUN, "torchrun"), (SRUN, "srun")], ids=["torchrun", "srun"])
def test_process_of_a_launcher_has_the_rank_of_the_launcher(
    monkeypatch, variables: dict[str, str], launcher: str
) -> None:
    set_all(monkeypatch, variables)
    rank = find_rank(4, nodes=2)
    assert (rank.rank, rank.local_rank, rank.node, rank.launcher, rank.starts_others) == (3, 1, 1, launcher, False)


@pytest.mark.parametrize("variables", [TORCHRUN, SRUN], ids=["torchrun", "srun"])
@pytest.mark.parametrize("world", [1, 2])
def test_launcher_of_another_number_of_processes_is_ignored(monkeypatch, variables: dict[str, str], world: int) -> None:
    set_all(monkeypatch, variables)
    assert find_rank(world).rank == 0


@pytest.mark.slow
@pytest.mark.parametrize(("world", "error"), [(1, "started 4 processes and the trainer asks for 1"), (4, "")])
def test_trainer_with_another_number_of_processes_than_torchrun_is_refused(world: int, error: str) -> None:
    code = f"from regen.training.launcher import find_rank; find_rank({world})"
    call = ["bash", "-c", '"$1" -c "$2"; exit $?', "torchrun", sys.executable, code]  # $0 is the name of the parent
    done = subprocess.run(call, env=os.environ | TORCHRUN, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == bool(error)
    assert error in done.stderr


def test_process_started_by_regen_has_a_rank_and_passes_none_on(monkeypatch) -> None:
    own = {"REGEN_RANK": "1", "REGEN_WORLD": "2", "REGEN_PORT": "29501", "REGEN_PARENT": str(os.getppid())}
    set_all(monkeypatch, own)
    rank = find_rank(2)
    assert (rank.rank, rank.port, rank.launcher) == (1, 29501, "regen")
    assert not set(own) & set(os.environ)


def test_several_nodes_without_a_launcher_are_refused_with_the_command_to_type() -> None:
    with pytest.raises(ConfigError, match=r"num_nodes=2 needs 4 processes.*srun --ntasks=4, torchrun --nnodes=2"):
        find_rank(4, nodes=2)


def test_first_node_with_an_unresolvable_name_is_named(monkeypatch) -> None:
    set_all(monkeypatch, SRUN | {"SLURM_STEP_NODELIST": "node-that-is-nowhere.invalid"})
    with pytest.raises(ConfigError, match=r"node-that-is-nowhere\.invalid, does not resolve .* MASTER_ADDR"):
        find_rank(4, nodes=2)


def test_run_of_a_single_process_is_written_despite_stale_rank_variables(train, monkeypatch) -> None:
    set_all(monkeypatch, dict.fromkeys(LEFT, "1"))
    assert (train(*RING, smoke=False) / "result.json").exists()
