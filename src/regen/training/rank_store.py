"""The key-value store of a run's processes, which the first process hosts (torch's TCPStore)."""

import os
import time
from datetime import timedelta

import torch.distributed as dist

from regen.errors import ConfigError, ProcessLost
from regen.training.launcher import Rank

TRY_AGAIN = 0.2  # seconds


def connect(rank: Rank, patience: float, is_host: bool) -> dist.PrefixStore:
    """Return a connection to the store. Raises ProcessLost if the first process does not answer within `patience` seconds."""
    last = time.monotonic() + patience
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    wait = timedelta(seconds=5)
    while True:
        try:
            store = dist.TCPStore(rank.address, rank.port, None, is_host, wait, wait_for_workers=False)
            return dist.PrefixStore(f"regen/{attempt}", store)
        except RuntimeError as error:
            if is_host and "EADDRINUSE" in str(error):
                raise ConfigError(
                    f"port {rank.port} of {rank.address} is in use: set MASTER_PORT to another"
                ) from error
            if time.monotonic() > last:
                raise ProcessLost(
                    f"process 0 did not answer at {rank.address}:{rank.port} within {patience:.0f} seconds"
                ) from error
            time.sleep(TRY_AGAIN)


def agent_hosts() -> bool:
    """Return whether torchrun's agent hosts the store."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
