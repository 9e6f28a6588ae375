"""Watch: what surrounds a multirun, from where it stands to its summary."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from regen.config.quoting import quote
from regen.config.resolvers import register_resolvers
from regen.errors import ConfigError
from regen.sweeps import axes, isolation, sweep_names, sweep_summary, workers
from regen.utils import signals
from regen.utils.project import PACKAGE
from regen.utils.redaction import hide, redact
from regen.utils.safe_files import check_links

sweep_names.register_resolvers()
register_resolvers()  # joblib's and submitit's processes find the job's folder by them; this module is the first they import
isolation.end_with_parent()


class Watch(Callback):
    """Hydra's callback: the multirun's folder is decided once, for all processes, and is known when it ends."""

    folder: Path | None = None
    config: DictConfig | None = None
    quiet: bool = False  # no table: the command has its own

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Called before any job, in the process in which the multirun was typed."""
        Watch.folder, Watch.config = Path(config.hydra.sweep.dir).absolute(), config
        if Watch.folder.is_dir():
            check_links(Watch.folder)  # Hydra writes into it before any job begins
        with read_write(config), open_dict(config):  # jobs are composed anew, by these overrides
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote(str(Watch.folder))}")
            _hide_password(config)
        axes.note(config.hydra.overrides.task)
        os.environ[workers.TYPED_IN] = str(os.getpid())
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def _hide_password(config: DictConfig) -> None:
    """Replace the password in a storage that a yaml names by a variable: Hydra writes the configuration for each job."""
    storage = config.hydra.sweeper.get("storage")
    if (
        isinstance(storage, str)
        and redact(storage) != storage
        and not OmegaConf.is_interpolation(config.hydra.sweeper, "storage")
    ):
        config.hydra.sweeper.storage = hide(storage)
        config.hydra.overrides.hydra.append(
            f"hydra.sweeper.storage={config.hydra.sweeper._get_node('storage')._value()}"
        )


@contextlib.contextmanager
def summed_up() -> Iterator[None]:
    """After a multirun, whatever ended it: summary.csv, a table, and the exit status 1 if a job failed, 75 if interrupted."""
    Watch.folder, Watch.quiet = None, False
    try:
        yield
    except (KeyboardInterrupt, signals.Interrupted):
        if Watch.folder is None:
            raise
        sys.exit(75)
    finally:
        ended = Watch.folder and Watch.folder.is_dir()  # none: refused at once
        failed = _close(Watch.folder, Watch.config) if ended else False
    if failed:
        sys.exit(1)
    if ended and "submitit" in str(Watch.config.hydra.launcher.get("_target_")) and _is_interrupted(Watch.folder):
        sys.exit(75)
    if (
        Watch.folder
        and not Watch.quiet
        and not any(any(Watch.folder.glob(f"*/{name}")) for name in ("asked.json", "error.txt"))
    ):
        raise ConfigError("the multirun has no jobs: a list of values is empty, type at least one value for each key")


def _close(sweep: Path, config: DictConfig) -> bool:
    """Sum the sweep up, lay its runs side by side, and tell W&B if it was chosen; whether a job failed."""
    failed = sweep_summary.close(sweep, shown=not Watch.quiet)
    if any(sweep.glob("*/config.yaml")):
        from regen.report import compare  # here: drawing takes a second to import

        if page := compare.write(sweep):
            print(f"compare  {page}")
    if config.get("logger"):
        from regen.tracking.wandb_sweep import tell_sweep

        tell_sweep(sweep, config.logger, config.get("group"))
    if (answer := sweep / "best.json").exists():
        from regen.sweeps.search import search_result

        search_result.show(answer)
    return failed


def _is_interrupted(sweep: Path) -> bool:
    """Whether a job has been ended by a signal (scancel), and has not been queued again."""
    return any(row["status"] == "interrupted" for row in sweep_summary.rows(sweep))
