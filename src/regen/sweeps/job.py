"""Job of a multirun: its stored result, or else a new or resumed training; a failure does not affect other jobs."""

import contextlib
import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from regen.config.command_line import options_of_single_run
from regen.config.keys import STRENGTHS, owners
from regen.config.quoting import quote
from regen.config.validate import check
from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.sweeps import isolation, workers
from regen.sweeps.job_config import JobConfig
from regen.sweeps.search import pruning
from regen.utils import program, signals
from regen.utils.json_files import read_json, write_json
from regen.utils.locks import FolderLock
from regen.utils.redaction import redact
from regen.utils.safe_files import write_safely

MOST_CRASHES = 2
Train = Callable[[DictConfig], float]  # from a configuration to its monitored metric
log = logging.getLogger(__name__)


def job(cfg: DictConfig, load: Callable[[], Train]) -> float:
    """Return the monitored metric of a job of a multirun, stored or from a training in its folder.

    load   imports the training; called once in this process, so that the forks of all jobs share it

    A finished or diverged job returns its stored result; an interrupted, killed or failed one continues from its
    checkpoint. A failure writes error.txt and returns nan, so that the other jobs run. An interruption ends the whole
    multirun.
    """
    try:
        with workers.requeued():
            return _job(cfg, load)
    except (SystemExit, signals.Interrupted):
        if workers.is_of_submitit() and not workers.is_requeued():
            return math.nan  # scancel: the waiting command must learn that the job ended
        raise


def _job(cfg: DictConfig, load: Callable[[], Train]) -> float:
    folder = Folder.of_hydra()
    without = _leave_out_what_is_nowhere(cfg)
    if workers.join():  # not the first process of this job, which writes the results
        _go_on(cfg, folder)
        return load()(cfg)
    with _alone(folder), _as_a_single_run(cfg, folder, without):
        try:
            return _done(cfg, folder, load, without)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's
            _note(folder, error)
            return math.nan


def _done(cfg: DictConfig, folder: Folder, load: Callable[[], Train], without: list[str]) -> float:
    check(cfg)
    overrides = [one for one in HydraConfig.get().overrides.task if one.partition("=")[0] not in without]
    asked = JobConfig(cfg, overrides, pruning.number() is not None, folder.outputs / "features")
    asked.check(folder)
    result = read_json(folder.result)
    if not asked.is_answered_by(result):
        _check_crashes(folder, result)
        asked.write(folder)
        _go_on(cfg, folder)
        if not _worked(cfg, folder, load):
            return math.nan
        result = read_json(folder.result)
        if not asked.is_answered_by(result):
            raise ConfigError(f"{folder.path} was already trained longer: type a larger max_iterations=")
        _say(folder, f"{result['status']} after {result['iteration']:,} iterations, {_figure(result)}")
    else:
        _say(folder, f"there already: {result['status']}, {_figure(result)}")
    (folder.path / "error.txt").unlink(missing_ok=True)
    return float(result.get(result["monitor"], math.nan))


def _worked(cfg: DictConfig, folder: Folder, load: Callable[[], Train]) -> bool:
    """Train the job, in its own process if possible, and return whether it succeeded."""

    train = load()

    def settled() -> None:
        workers.settle(cfg, folder.path.parent)
        train(cfg)

    if isolation.is_possible():
        return isolation.run_apart(settled, lambda error: _note(folder, error))
    try:
        settled()
    except SystemExit as leaving:
        if leaving.code in (signals.SAVED, *(128 + number for number in signals.ENDING)):
            raise
        raise isolation.Crashed(f"the job called sys.exit({leaving.code!r})") from leaving
    return True


def _check_crashes(folder: Folder, result: dict) -> None:
    """Raise ConfigError if the job has crashed too often."""
    if result.get("crashes", 0) >= MOST_CRASHES:
        raise ConfigError(
            f"the job has crashed {result['crashes']} times ({result.get('reason')}) and is skipped: delete {folder.path} to "
            "train it again"
        )


def _say(folder: Folder, words: str) -> None:
    log.info("%s%s", f"{folder.path.name}: " if workers.is_beside_others() else "", words)


def _figure(result: dict) -> str:
    return f"{result['monitor']} {float(result.get(result['monitor'], math.nan)):.4g}"


def _leave_out_what_is_nowhere(cfg: DictConfig) -> list[str]:
    """Remove strengths of no regularizer of this job: in a grid, `none` with lambda_g=0.1 is the same job as `none`."""
    without = [strength for strength in STRENGTHS if cfg[strength] is not None and not owners(cfg, strength)]
    for strength in without:
        log.info(
            "%s=%s has no meaning for regularizer=%s: left out",
            strength,
            cfg[strength],
            ",".join(cfg.regularizer) or "none",
        )
        cfg[strength] = None
    return without


def _has_begun(folder: Folder) -> bool:
    return folder.metrics.exists() or any(folder.checkpoints.glob("*.ckpt"))


def _go_on(cfg: DictConfig, folder: Folder) -> None:
    if _has_begun(folder):
        cfg.resume = str(folder.path)


@contextlib.contextmanager
def _alone(folder: Folder) -> Iterator[None]:
    """Lock the job, because another command may train it; wait for that one."""
    lock = FolderLock(folder.path)
    lock.acquire(on_wait=lambda owner: _say(folder, f"{owner} trains this job: waiting for it"))
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _as_a_single_run(cfg: DictConfig, folder: Folder, without: list[str]) -> Iterator[None]:
    """Set sys.argv to the command of this job, which is recorded and which starts its further processes."""
    hydra, before = cast(DictConfig, HydraConfig.get()), sys.argv  # typed as the schema of its content
    options = options_of_single_run(sys.argv[1:])
    overrides = [one for one in hydra.overrides.task if one.partition("=")[0] not in ("sweep", *without)]
    resumed = [f"resume={quote(str(folder.path))}"] if _has_begun(folder) else []
    sys.argv = [program.argument_zero("train"), *options, *overrides, *resumed]
    with read_write(hydra), open_dict(hydra):
        hydra.run.dir = str(folder.path)
    try:
        yield
    finally:
        sys.argv = before


def _note(folder: Folder, error: Exception) -> None:
    """Write error.txt, and a failed result unless an earlier one exists."""
    said = redact(f"{type(error).__name__}: {error}")
    _say(folder, f"failed: {said}")
    write_safely(folder.path / "error.txt", redact("".join(traceback.format_exception(error))).encode())
    result = read_json(folder.result)
    if result.get("status") not in ("finished", "diverged", "pruned") and not result.get("crashes", 0) >= MOST_CRASHES:
        crashes = result.get("crashes", 0) + isinstance(error, isolation.Crashed)
        write_json(
            folder.result, result | {"status": "failed", "reason": said} | ({"crashes": crashes} if crashes else {})
        )
