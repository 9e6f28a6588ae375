"""One writer per run folder: the lock names its owner, ends with it, and can be taken again by the same process."""

import json
import os
import time
from pathlib import Path

import pytest
from helpers.commands import RING
from helpers.forked_processes import forked, kill, wait_until

from regen.errors import ConfigError
from regen.utils.locks import FolderLock


def held_by_a_copy(folder: Path) -> int:
    """A copy of this process that holds the folder's lock until it is killed."""

    def hold() -> None:
        FolderLock.forget()
        FolderLock(folder).acquire()
        (folder / "held").touch()
        time.sleep(100)

    child = forked(hold)
    wait_until((folder / "held").exists)
    return child


def test_second_process_is_refused_with_the_owner_and_admitted_after_the_death_of_the_owner(tmp_path: Path) -> None:
    owner = held_by_a_copy(tmp_path)
    with pytest.raises(ConfigError, match=f"is being written by process {owner} on .*type name=NAME"):
        FolderLock(tmp_path).acquire()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == owner
    kill(owner)
    lock = FolderLock(tmp_path)
    lock.acquire()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
    lock.release()


def test_lock_is_taken_twice_by_a_process_and_freed_by_the_second_release(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.acquire()
    second.acquire()
    first.release()
    assert tmp_path.resolve() / ".lock" in FolderLock._held
    second.release()
    assert tmp_path.resolve() / ".lock" not in FolderLock._held


def test_second_command_in_the_folder_of_a_run_is_refused_and_writes_nothing(train, tmp_path, capsys) -> None:
    run = train(*RING, smoke=False)
    before = (run / "metrics.csv").read_text()
    (run / "held").unlink(missing_ok=True)
    owner = held_by_a_copy(run)
    try:
        train(f"resume={run}", "max_iterations=4", smoke=False, status=78)
        assert f"is being written by process {owner}" in capsys.readouterr().err
        assert (run / "metrics.csv").read_text() == before
    finally:
        kill(owner)
