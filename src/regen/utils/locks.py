"""Lock of a run folder, which names its owner and is released when the owner's process ends."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from regen.errors import ConfigError

WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class FolderLock:
    """Exclusive lock on a folder, in its file `.lock`, which names the owner.

    A POSIX record lock: the kernel releases it when its process ends, and forked processes do not inherit it. It is
    reentrant within a process. On file systems without locks, the owner named in the file decides.
    """

    _held: dict[Path, int] = {}  # number of holds per folder; closing a file releases all of its locks
    _files: dict[Path, int] = {}

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder.resolve() / ".lock"

    def acquire(self, on_wait: Callable[[str], None] | None = None) -> None:
        """Acquire the lock. With `on_wait`, call it with the owner's name and wait; otherwise raise ConfigError."""
        waiting = False
        while not self._try():
            if on_wait is None:
                raise ConfigError(
                    f"{self.folder} is being written by {self._owner()}. Wait until it has ended, end it, or choose "
                    "another folder: type name=NAME"
                )
            if not waiting:
                on_wait(self._owner())
            waiting = True
            time.sleep(0.2)

    def release(self) -> None:
        """Release the lock."""
        key = self.path
        if key not in self._held:
            return
        self._held[key] -= 1
        if self._held[key] == 0:
            del self._held[key]
            os.close(self._files.pop(key))

    @classmethod
    def forget(cls) -> None:
        """Forget all locks after a fork: they are the parent's."""
        cls._held, cls._files = {}, {}

    def _try(self) -> bool:
        key = self.path
        if key in self._held:
            self._held[key] += 1
            return True
        file = os.open(key, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS or self._is_owned():
                os.close(file)
                if error.errno in (errno.EACCES, errno.EAGAIN, *WITHOUT_LOCKS):
                    return False
                raise
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(_own()).encode(), 0)
        self._held[key], self._files[key] = 1, file
        return True

    def _owner(self) -> str:
        owner = self._read()
        if not owner:
            return "another process"
        return f"process {owner.get('pid')} on {owner.get('host')} (since {owner.get('since')})"

    def _read(self) -> dict:
        with contextlib.suppress(OSError, ValueError):
            owner = json.loads(self.path.read_text())
            return owner if isinstance(owner, dict) else {}
        return {}

    def _is_owned(self) -> bool:
        """Return whether the process named in the file may be alive; always true for another host."""
        owner = self._read()
        if not owner:
            return False
        return owner.get("host") != socket.gethostname() or _started(owner.get("pid")) == owner.get("started")


def _own() -> dict[str, object]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid()), "since": since}


def _started(pid: object) -> str | None:
    """Return when a process of this host started, in clock ticks since boot; None if it ended or this is not Linux."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return None
