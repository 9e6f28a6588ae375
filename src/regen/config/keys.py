"""Groups of configuration keys: keys that change no metric, lengths of training, and strengths.

A key belongs to one group. Each use names the groups that it combines, so that a new key is declared in one line.
"""

from collections.abc import Collection, Mapping
from typing import Any

STRENGTHS = ("lambda_g", "lambda_d")  # short names of regularizer.NAME.lambda_g and lambda_d; see `owners`
LENGTHS = ("max_iterations", "max_images")  # a longer run continues a shorter one
REPEATS = ("seed", "data.fold")  # runs that differ only in these are repetitions
LABELS = ("name", "group", "tags", "sweep", "resume")  # name and place of a run
OUTPUTS = ("report", "logger", "save_every", "keep_checkpoints")  # outputs besides the metrics
EXECUTION = (  # speed of the same computation
    *("iterations_per_call", "data.workers", "data.in_memory_bytes"),
    *("trainer.threads", "trainer.progress_bar", "trainer.timeout_seconds"),
)
AVERAGES = ("model.ema_decays",)  # further averages of the weights, which change checkpoints but no other metric
HARDWARE = ("trainer.accelerator", "trainer.strategy")  # results are equal up to rounding
PROCESSES = ("trainer.devices", "trainer.num_nodes", "data.batch_size")  # their product: images per iteration
EVALUATION = (  # when and how precisely metrics are measured, and which one ends a run; the weights do not depend on it
    *("log_every", "evaluate_every", "evaluation_samples", "monitor", "patience", "data.monitor"),
)
DATA_PLACE = ("data.root",)  # place of the files, whose content is compared by its fingerprint

NO_FIGURE = (*LABELS, *OUTPUTS, *EXECUTION, *AVERAGES)

# Uses of the groups
# A job's stored result is also valid for other values of these.
SAME_JOB = (*NO_FIGURE, *LENGTHS, *HARDWARE, *DATA_PLACE)
# A resumed run may change these (docs/resume.md lists them). Not AVERAGES: the checkpoint holds them. Images per iteration
# are checked, and so are the data; strengths are compared by their long names and may not change.
MAY_CHANGE_ON_RESUME = (
    *(*LABELS, *OUTPUTS, *EXECUTION, *HARDWARE, *PROCESSES, *EVALUATION),
    *(*LENGTHS, *STRENGTHS, *DATA_PLACE),
)
# Runs that differ only in these are compared as equal settings. Lengths and evaluation count as settings, logging
# intervals do not.
NOT_COMPARED = (*NO_FIGURE, *STRENGTHS, "trainer", "log_every", "grad_ratio_every", "monitor")
# Typed for the jobs of a sweep and left out of a single run's command.
JOBS_ONLY = (*LABELS, "report")


def is_among(key: str, keys: Collection[str]) -> bool:
    """Return whether the key is one of these, or below one of them: logger.project is below logger."""
    return any(key == one or key.startswith(f"{one}.") for one in keys)


def override_key(override: str) -> str:
    """Return the key of an override: model.lr of ++model.lr=0.1."""
    return override.partition("=")[0].lstrip("+~")


def is_strength(key: str) -> bool:
    """Return whether a regularizer's strength is typed by this key."""
    return key in STRENGTHS or key.startswith("regularizer.")


def owners(cfg: Mapping[str, Any], strength: str) -> list[str]:
    """Return the names of the chosen regularizers that have the strength lambda_g or lambda_d."""
    return [name for name, node in cfg["regularizer"].items() if isinstance(node, Mapping) and strength in node]


def entries(node: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values of a node of the configuration by key, a text: YAML also reads numbers as keys."""
    return {str(key): value for key, value in node.items()}
