"""Replicas: Lightning's strategy launches the processes and sets up their group; its wrapper is left out, because it fails when
G and D take turns."""

from lightning.pytorch.strategies import DDPStrategy, StrategyRegistry

NAME = "replicas"


class Replicas(DDPStrategy):
    """Every process holds the same nets; the modules average their own gradients (`distributed.average_`)."""

    def configure_ddp(self) -> None:
        pass


StrategyRegistry.register(NAME, Replicas, override=True)
