"""The rank of this process as Lightning reads it."""

from lightning.pytorch.plugins.environments import ClusterEnvironment

from regen.training.launcher import Rank


class RankEnvironment(ClusterEnvironment):
    """Gives Lightning the rank that was found, so that it looks for none itself."""

    creates_processes_externally = True

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self.rank = rank

    @property
    def main_address(self) -> str:
        return self.rank.address

    @property
    def main_port(self) -> int:
        return self.rank.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.rank.world

    def global_rank(self) -> int:
        return self.rank.rank

    def local_rank(self) -> int:
        return self.rank.local_rank

    def node_rank(self) -> int:
        return self.rank.node

    def set_world_size(self, size: int) -> None:
        pass

    def set_global_rank(self, rank: int) -> None:
        pass
