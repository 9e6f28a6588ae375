"""Optuna's study of a sweep, in a journal in its folder or in a shared database."""

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
from filelock import FileLock
from omegaconf import DictConfig
from optuna.distributions import check_distribution_compatibility
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from optuna.study import StudyDirection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from regen.config.instantiate import build
from regen.errors import ConfigError
from regen.metrics.base import SampleMetric
from regen.metrics.data_metrics import data_metrics
from regen.metrics.features import Source
from regen.metrics.monitor import monitored
from regen.metrics.registry import is_higher_better
from regen.runs.data_identity import open_data
from regen.runs.folder import outputs_of
from regen.sweeps.search.search_spaces import Space
from regen.utils.redaction import redact
from regen.utils.safe_files import write_safely

JOURNAL = "study.journal"
ATTEMPTS = 6  # to open a database while another command creates Optuna's tables
optuna.logging.set_verbosity(optuna.logging.ERROR)
log = logging.getLogger(__name__)


class JournalLock(BaseJournalFileLock):
    """Lock of the journal, which a killed process releases at once (Optuna's own locks only after 30 s)."""

    def __init__(self, journal: Path) -> None:
        self.lock = FileLock(journal.with_name(f".{journal.name}.lock"))

    def acquire(self) -> bool:
        self.lock.acquire()
        return True

    def release(self) -> None:
        self.lock.release()


def storage(folder: Path, url: str | None) -> BaseStorage:
    """Open the journal of a sweep's folder, or the database at a URL. Raises ConfigError if that fails."""
    if url is not None:
        try:
            return _open_database(url)
        except Exception as error:
            said = redact(str(error).splitlines()[0]).replace(url, redact(url))
            raise ConfigError(f"hydra.sweeper.storage: {type(error).__name__}: {said}") from error
    lock = JournalLock(folder / JOURNAL)
    with lock.lock:
        mend(folder / JOURNAL)
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL), lock_obj=lock))


def _open_database(url: str) -> RDBStorage:
    """Open a database and create Optuna's tables; retries if another command creates them at the same time."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return RDBStorage(url, engine_kwargs={"poolclass": NullPool})  # keeps no connection open between queries
        except DBAPIError as error:
            has_lost = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not has_lost or attempt == ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
    raise AssertionError("not reached")


def mend(journal: Path) -> None:
    """Truncate an incomplete last line after a crash, which would make the journal unreadable."""
    content = journal.read_bytes() if journal.exists() else b""
    if content and not content.endswith(b"\n"):
        log.warning("%s ends within a line, which is cut off", journal)
        write_safely(journal, content[: content.rfind(b"\n") + 1])


def open_study(folder: Path, url: str | None, fixed: list[str], is_higher: Callable[[], bool]) -> optuna.Study:
    """Open or create the study with the name of the folder.

    fixed       overrides that all of its trials share
    is_higher   whether more of the monitored metric is better; called for a new study

    Raises ConfigError if the study has other fixed overrides.
    """
    kept, name = storage(folder, url), folder.name
    if name not in optuna.get_all_study_names(kept):
        direction = StudyDirection.MAXIMIZE if is_higher() else StudyDirection.MINIMIZE
        study = optuna.create_study(storage=kept, study_name=name, direction=direction, load_if_exists=True)
        study.set_user_attr("fixed", sorted(fixed))
        return study
    study = optuna.load_study(study_name=name, storage=kept, sampler=optuna.samplers.RandomSampler())
    before, now = set(study.user_attrs.get("fixed", sorted(fixed))), set(fixed)
    if before != now:
        listed = [f"was {' '.join(sorted(one))}" for one in [before - now] if one]
        listed += [f"is {' '.join(sorted(one))}" for one in [now - before] if one]
        raise ConfigError(
            f"{folder} holds a search with other settings: it {' and '.join(listed)}. Type another sweep="
        )
    return study


def check_spaces(study: optuna.Study, spaces: Mapping[str, Space]) -> None:
    """Raise ConfigError on a space that is incompatible with earlier trials; the bounds of an interval may change."""
    probe = optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).ask()
    for name, space in spaces.items():
        space.draw(probe, name)
        for old in [one.distributions[name] for one in study.get_trials(deepcopy=False) if name in one.distributions]:
            try:
                check_distribution_compatibility(old, probe.distributions[name])
            except ValueError as error:
                raise ConfigError(
                    f"{name} is searched over {space}, and earlier trials of this sweep over {old}: only an interval may "
                    "be changed for another. Type another sweep="
                ) from error


def build_pruner(node: DictConfig) -> BasePruner:
    """Create the pruner of a search. Raises ConfigError as `build`."""
    return build(node, "hydra.sweeper.pruner", BasePruner)  # type: ignore[type-abstract]  # of which it checks instances


def is_higher_better_in(cfg: DictConfig) -> bool:
    """Return whether more of the monitored metric is better. Raises ConfigError if it is unknown."""
    chosen = [build(node, f"metrics.{name}", SampleMetric) for name, node in cfg.metrics.items() if name != "features"]
    data = open_data(cfg, outputs_of(Path(cfg.hydra.sweep.dir)) / "features" if "hydra" in cfg else None)
    metrics = [*chosen, *data_metrics(data).values()]
    source = build(cfg.metrics.features, "metrics.features", Source).for_data(data)
    return is_higher_better(monitored(cfg.monitor, metrics, source))


def home(folder: Path) -> str:
    """Return an identifier that is equal on machines that share the folder, and unique otherwise."""
    path = folder / ".home"
    if not path.exists():
        write_safely(path, json.dumps(uuid.uuid4().hex).encode())
    return json.loads(path.read_text())
