"""Processes of a run, and Lightning's strategy without its wrapper, which alternating updates break."""

from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_only

from regen.errors import ProcessLost
from regen.training import launcher
from regen.training.heartbeat import Heartbeat
from regen.training.launcher import Rank
from regen.training.rank_environment import RankEnvironment
from regen.utils import signals


class Replicas(DDPStrategy):
    """Strategy in which all processes have the same networks and models average gradients (`distributed.average_`)."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__(cluster_environment=RankEnvironment(heartbeat.rank))
        self.heartbeat = heartbeat

    def configure_ddp(self) -> None:
        pass

    def setup_distributed(self) -> None:
        """Join the group through the heartbeat's store, which detects processes that do not start."""
        if not dist.is_initialized():
            rank, device = self.heartbeat.rank, self.root_device if self.root_device.type != "cpu" else None
            dist.init_process_group(
                self._get_process_group_backend(),
                store=dist.PrefixStore("group", self.heartbeat.store),
                rank=rank.rank,
                world_size=rank.world,
                device_id=device,
            )
        super().setup_distributed()


class Group:
    """Processes of a run, including this one; a group of one does nothing.

    patience   seconds without a heartbeat after which a process is lost
    on_stuck   called in a process whose main thread cannot end by itself; see Heartbeat
    """

    def __init__(self, rank: Rank, patience: float, on_stuck: Callable[[str, int], int]) -> None:
        self.rank, self._patience, self._on_stuck = rank, patience, on_stuck
        self.heartbeat: Heartbeat | None = None
        rank_zero_only.rank = rank.rank  # type: ignore[attr-defined]  # Lightning guesses from the environment
        if rank.world > 1 and not rank.starts_others:
            self._begin()

    def _begin(self) -> Heartbeat:
        self.heartbeat = Heartbeat(self.rank, self._patience, self._on_stuck)
        return self.heartbeat

    def share_folder(self, folder: Path) -> Path:
        """Return process 0's folder on every process: torchrun and srun start each one separately."""
        if self.heartbeat is None or self.rank.launcher == "regen":  # processes started by process 0 have its folder
            return folder
        return Path(self.heartbeat.share("folder", str(folder)))

    def assemble(self, folder: Path) -> None:
        """Start processes that no launcher started, and wait for a heartbeat of all."""
        if self.rank.world == 1:
            return
        heartbeat = self.heartbeat or self._begin()
        if self.rank.starts_others:
            heartbeat.children = launcher.start_others(self.rank, folder)
        heartbeat.wait_for_all()

    def explain(self, error: BaseException) -> str | None:
        """Return the failure of another process that caused an error of this one; None if the error is its own."""
        if self.heartbeat is None:
            return None
        if isinstance(error, ProcessLost):
            return str(error)
        if not _is_of_transport(error):
            self.heartbeat.send_failure(f"{type(error).__name__}: {error}")
            return None
        return self.heartbeat.find_cause() or f"the connection to another process broke: {error}"

    def find_signal(self, error: BaseException) -> int:
        """Return the signal that ended the run if it caused the error, else 0.

        A signal ends all processes. One that leaves first breaks the connections of the others.
        """
        if isinstance(error, signals.Interrupted):
            return error.number
        if self.heartbeat is None or not (isinstance(error, ProcessLost) or _is_of_transport(error)):
            return 0
        return self.heartbeat.find_signal()

    def leave(self, number: int) -> None:
        """Forward the signal that ends this process to the others, which then end as well."""
        if self.heartbeat:
            self.heartbeat.leave(number)

    def close(self) -> None:
        """Announce that this process has finished."""
        if self.heartbeat:
            self.heartbeat.close()

    def end(self) -> None:
        """Leave the group and end processes that this one started."""
        if self.heartbeat is None:
            return
        self.heartbeat.stop()
        if self.heartbeat.cause:
            self.heartbeat.kill_others()
        is_cut_short = self.heartbeat.find_signal() or self.heartbeat.cause
        launcher.end(self.heartbeat.children, seconds=1.0 if is_cut_short else 10.0)
        if dist.is_initialized() and not self.heartbeat.cause:  # could wait forever for a lost process
            dist.destroy_process_group()
        self.heartbeat = None


def _is_of_transport(error: BaseException) -> bool:
    words = ("gloo", "nccl", "connection", "store", "socket")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
