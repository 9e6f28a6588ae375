"""The processes of a run: their start and end, and Lightning's strategy without its wrapper, which G and D in turns break."""

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
    """Every process holds the same networks; the modules average their own gradients (`distributed.average_`)."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        super().__init__(cluster_environment=RankEnvironment(heartbeat.rank))
        self.heartbeat = heartbeat

    def configure_ddp(self) -> None:
        pass

    def setup_distributed(self) -> None:
        """Join the group through the heartbeat's store, where a process that does not start has been noticed."""
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
    """The processes of a run, of which this is one; a group of one does nothing.

    patience   seconds without a sign of life after which a process is lost
    on_loss    called with the reason in a process whose main thread cannot end by itself
    """

    def __init__(self, rank: Rank, patience: float, on_loss: Callable[[str], None]) -> None:
        self.rank, self._patience, self._on_loss = rank, patience, on_loss
        self.heartbeat: Heartbeat | None = None
        rank_zero_only.rank = rank.rank  # Lightning's own guess is from whatever the environment holds
        if rank.world > 1 and not rank.starts_others:
            self._begin()

    def _begin(self) -> None:
        self.heartbeat = Heartbeat(self.rank, self._patience, self._on_loss)

    def share_folder(self, folder: Path) -> Path:
        """The folder of process 0, on every process: torchrun and srun start each one for itself, at its own time."""
        if self.heartbeat is None or self.rank.launcher == "regen":  # those that process 0 has started have its folder
            return folder
        return Path(self.heartbeat.share("folder", str(folder)))

    def assemble(self, folder: Path) -> None:
        """Start the processes that no launcher has started, and wait until all have given a sign of life."""
        if self.rank.world == 1:
            return
        if self.rank.starts_others:
            self._begin()
            self.heartbeat.children = launcher.start_others(self.rank, folder)
        self.heartbeat.wait_for_all()

    def explain(self, error: BaseException) -> str | None:
        """The failure of another process that is behind an error of this one; None if the error is this process's own."""
        if self.heartbeat is None:
            return None
        if isinstance(error, ProcessLost):
            return str(error)
        if not _is_of_transport(error):
            self.heartbeat.send_failure(f"{type(error).__name__}: {error}")
            return None
        return self.heartbeat.find_cause() or f"the connection to another process broke: {error}"

    def send_signal(self, number: int) -> None:
        """Hand a signal to the other processes."""
        if self.heartbeat:
            self.heartbeat.send_signal(number)

    def close(self) -> None:
        """Announce that this process has done its part."""
        if self.heartbeat:
            self.heartbeat.close()

    def end(self) -> None:
        """Leave the group; end what this process has started."""
        if self.heartbeat is None:
            return
        self.heartbeat.stop()
        if self.heartbeat.cause:
            self.heartbeat.kill_others()
        launcher.end(self.heartbeat.children, seconds=1.0 if signals.received() or self.heartbeat.cause else 10.0)
        if dist.is_initialized() and not self.heartbeat.cause:  # with a lost process this could wait for ever
            dist.destroy_process_group()
        self.heartbeat = None


def _is_of_transport(error: BaseException) -> bool:
    words = ("gloo", "nccl", "connection", "store", "socket")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
