"""Start and end of a multirun: its folder, and the table, pages and exit status of its jobs."""

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
register_resolvers()  # processes of joblib and submitit need them for the job's folder and import this module first
isolation.end_with_parent()


class MultirunCallback(Callback):
    """Hydra callback that sets the folder of a multirun once for all its processes."""

    folder: Path | None = None
    config: DictConfig | None = None
    quiet: bool = False  # the command prints its own table

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Set the folder before any job, in the process of the command."""
        MultirunCallback.folder, MultirunCallback.config = Path(config.hydra.sweep.dir).absolute(), config
        if MultirunCallback.folder.is_dir():
            check_links(MultirunCallback.folder)  # Hydra writes into it before any job begins
        with read_write(config), open_dict(config):  # jobs are composed from these overrides
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote(str(MultirunCallback.folder))}")
            _hide_password(config)
        axes.note(config.hydra.overrides.task)
        os.environ[workers.TYPED_IN] = str(os.getpid())
        paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def _hide_password(config: DictConfig) -> None:
    """Replace the password in a yaml's storage by a variable, because Hydra writes the configuration of each job."""
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
def summarize_multirun() -> Iterator[None]:
    """Write summary.csv and print a table after a multirun, even on errors; exit with 1 if a job failed, 75 if interrupted."""
    MultirunCallback.folder, MultirunCallback.quiet = None, False
    try:
        yield
    except (KeyboardInterrupt, signals.Interrupted):
        if MultirunCallback.folder is None:
            raise
        sys.exit(75)
    finally:
        ended = MultirunCallback.folder and MultirunCallback.folder.is_dir()  # no folder if it was refused at once
        failed = _close(MultirunCallback.folder, MultirunCallback.config) if ended else False
    if failed:
        sys.exit(1)
    if ended and _is_interrupted(MultirunCallback.folder, MultirunCallback.config):
        sys.exit(75)
    if (
        MultirunCallback.folder
        and not MultirunCallback.quiet
        and not any(any(MultirunCallback.folder.glob(f"*/{name}")) for name in ("job.json", "error.txt"))
    ):
        raise ConfigError("the multirun has no jobs: a list of values is empty, type at least one value for each key")


def _close(sweep: Path, config: DictConfig) -> bool:
    """Write and print the summary and the comparison, and log them to W&B if it is chosen; return whether a job failed."""
    failed = sweep_summary.close(sweep, shown=not MultirunCallback.quiet)
    if any(sweep.glob("*/config.yaml")):
        from regen.report import comparison_report  # here: drawing takes a second to import

        if page := comparison_report.write(sweep):
            print(f"compare  {page}")
    if config.get("logger"):
        from regen.tracking.wandb_sweep import summarize_sweep

        summarize_sweep(sweep, config.logger, config.get("group"))
    if (answer := sweep / "best.json").exists():
        from regen.sweeps.search import search_result

        search_result.show(answer)
    return failed


def _is_interrupted(sweep: Path, config: DictConfig) -> bool:
    """Return whether a job under Slurm has been ended by a signal (scancel), and has not been queued again."""
    if "submitit" not in str(config.hydra.launcher.get("_target_")):
        return False
    return any(row["status"] == "interrupted" for row in sweep_summary.rows(sweep))
