"""Result of a search so far: best.json and a table."""

import math
import re
import shlex
from collections import Counter
from pathlib import Path

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, Trial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from regen.config.keys import JOBS_ONLY, override_key
from regen.errors import ConfigError
from regen.runs.eligibility import memorizes
from regen.sweeps.search.trials import Trials
from regen.utils import program
from regen.utils.json_files import read_json, write_json

ENOUGH = 10  # least number of finished trials for importances
SHOWN = 8  # passed-over trials in the terminal


def write(trials: Trials) -> None:
    """Write best.json into the sweep's folder."""
    write_json(trials.folder / "best.json", _answer(trials))


def _answer(trials: Trials) -> dict:
    known = trials.counted()
    finite = [one for one in known if one.state == TrialState.COMPLETE and math.isfinite(_value(one))]
    higher = trials.study.direction == optuna.study.StudyDirection.MAXIMIZE
    counts = Counter(one.user_attrs.get("status", one.state.name.lower()) for one in known)
    answer = {"trials": dict(counts), "wanted": trials.wanted, "higher_is_better": higher}
    passed_over = {one.number: one for one in finite if _memorizes(trials.folder, one)}
    answer["passed_over"] = [_passed_over(trials.folder, one) for one in passed_over.values()]
    eligible = [one for one in finite if one.number not in passed_over]
    if eligible:
        best = (max if higher else min)(eligible, key=_value)
        answer |= _best(trials, best) | {"importance": _importance(trials.study, finite)}
    return answer


def _value(trial: FrozenTrial) -> float:
    return math.nan if trial.value is None else trial.value


def _memorizes(folder: Path, trial: FrozenTrial) -> bool:
    """Return whether the trial's run memorizes, from its folder, or from the study if the folder is on another machine."""
    result = read_json(_job(folder, trial) / "result.json")
    return memorizes(result) if result else trial.user_attrs.get("memorizes", False)


def _passed_over(folder: Path, trial: FrozenTrial) -> dict:
    place = str(_job(folder, trial))
    return {"trial": trial.number, "value": trial.value, "folder": place, "reason": "its run memorizes"}


def _best(trials: Trials, best: FrozenTrial) -> dict:
    job, overrides = _job(trials.folder, best), _overrides(trials, best)
    return {
        "trial": best.number,
        "monitor": read_json(job / "result.json").get("monitor"),
        "value": best.value,
        "params": best.params,
        "overrides": overrides,
        "folder": str(job),
        "command": f"{program.typed('train')} {shlex.join(overrides)}",
    }


def _job(folder: Path, trial: FrozenTrial) -> Path:
    """Return the folder of a trial's job; in a shared study a name that leads elsewhere is replaced."""
    name = str(trial.user_attrs.get("folder"))
    return folder / (name if Path(name).name == name and name.strip(".") else f"trial_{trial.number}")


def _overrides(trials: Trials, best: FrozenTrial) -> list[str]:
    """Return the overrides of a trial from its parameters; only numbers for a trial outside the present spaces."""
    try:
        overrides = trials.draw(Trial(trials.study, best._trial_id))
    except (ConfigError, ValueError, LookupError, TypeError):
        numbers = {key: value for key, value in best.params.items() if isinstance(value, int | float)}
        overrides = [f"{key}={value:g}" for key, value in numbers.items() if re.fullmatch(r"[\w.]+", key)]
    return [one for one in overrides if override_key(one) not in JOBS_ONLY]


def _importance(study: optuna.Study, finite: list[FrozenTrial]) -> dict[str, float]:
    """Return each common setting's importance (PED-ANOVA, Watanabe et al. 2023); {} with one setting or too few trials."""
    common = set.intersection(*(set(one.params) for one in finite))
    if len(common) < 2 or len(finite) < ENOUGH:
        return {}
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(), params=sorted(common))


def show(path: Path) -> None:
    """Print the table of a best.json."""
    answer = read_json(path)
    table = Table(title="search", title_justify="left", show_header=False)
    table.add_row("trials", ", ".join(f"{n} {status}" for status, n in sorted(answer["trials"].items())) or "none")
    if "value" in answer:
        table.add_row(f"best {answer['monitor']}", f"{answer['value']:.4g}, trial {answer['trial']}")
        for name, value in answer["params"].items():
            share = answer["importance"].get(name)
            decides = "" if share is None else f"   importance {share:.0%}"
            table.add_row(escape(name), escape(f"{value:.4g}" if isinstance(value, float) else str(value)) + decides)
    if passed_over := answer.get("passed_over"):
        named = ", ".join(f"trial {one['trial']} ({one['value']:.4g})" for one in passed_over[:SHOWN])
        more = f" and {len(passed_over) - SHOWN} more" if len(passed_over) > SHOWN else ""
        reason = "its run memorizes" if len(passed_over) == 1 else "their runs memorize"
        table.add_row("passed over", f"{named}{more}: {reason}")
        if "value" not in answer:
            table.add_row("best", "none recommended: every finished trial memorizes")
    console = Console()
    console.print(table)
    if "value" in answer:
        for name, said in (("best run", answer["folder"]), ("again", answer["command"]), ("answer", str(path))):
            console.print(f"{name:8} {said}", soft_wrap=True, markup=False, highlight=False)
