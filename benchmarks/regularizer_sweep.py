"""Compare every regularizer at its default strength with the same model without it, on 300 digits.

    python benchmarks/regularizer_sweep.py commands seed=0,1    # print the commands of training
    python benchmarks/regularizer_sweep.py train seed=0,1       # train; repeated: the missing runs
    python benchmarks/regularizer_sweep.py time                 # measure the CPU time of an iteration
    python benchmarks/regularizer_sweep.py collect              # write docs/regularizer_sweep.yaml

`train` takes further overrides of src/train.py, as hydra/launcher=joblib hydra.launcher.n_jobs=2. `make table` writes the
pages of docs/ from the file.
"""

import argparse
import contextlib
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from training_speed import prepare, regen_loop
from turns import Gate, in_turns, ratios

from regen.comparison.load_runs import Run, gather
from regen.comparison.run_group import Group
from regen.core.constraints import is_of_flows, needs_both, needs_classes
from regen.report.regularizer_docs import RegularizerInfo, regularizer_infos
from regen.report.sweep_results import NONE, PATH, SEPARATOR
from regen.utils.json_files import read_json, write_json
from regen.utils.project import ROOT

IMAGES, ITERATIONS = 300, 1000
SETTINGS = [f"data.subset={IMAGES}", f"max_iterations={ITERATIONS}", "logger=csv", "report=false", "trainer=cpu"]
OPTIONS = {"gan": [], "conditional": ["model.conditional=true"], "vae": ["model=vae"], "flow": ["model=flow"]}
# Their sources add them to the KL term
SUPPLEMENTS = ("dip", "dip_ii", "total_correlation", "total_correlation_stratified")
SWEEPS = ROOT / "outputs/sweeps"
TIMES = SWEEPS / "regularizer_times.json"
TURN, ROUNDS = 12, 6  # iterations in a turn: a multiple of every default interval
HEADER = f"""\
# Written by benchmarks/regularizer_sweep.py collect: every regularizer at its default strength on {IMAGES} digits.
# values: val/generalization, copies: gap/copies, one for each seed; null: the run diverged, or was not trained. time: CPU
# time of an iteration as a multiple of the reference's, the setting without the last regularizer.
"""


def model_of(info: RegularizerInfo) -> str:
    """Return the model that a regularizer is trained with, a key of OPTIONS."""
    if info.is_of_codes:
        return "vae"
    return "flow" if is_of_flows(info.kind) else "conditional" if needs_classes(info.kind) else "gan"


def settings() -> dict[str, list[str]]:
    """Return the settings of each model as keys of the file: "none", "r1", "kl+dip".

    Regularizers that are a part of their model are left out: no run is without them.
    """
    chosen = {model: [NONE] for model in OPTIONS}
    for info in regularizer_infos():
        if needs_both(info.kind):
            continue
        chosen[model_of(info)].append(f"kl{SEPARATOR}{info.name}" if info.name in SUPPLEMENTS else info.name)
    return chosen


def option(key: str) -> str:
    """Return a setting as it is typed: r1, or [kl,dip]."""
    return f"[{key.replace(SEPARATOR, ',')}]" if SEPARATOR in key else key


def commands(overrides: Sequence[str]) -> list[list[str]]:
    """Return a multirun of src/train.py for each model."""
    axes = {model: f"regularizer={','.join(map(option, keys))}" for model, keys in settings().items()}
    return [
        ["src/train.py", "-m", f"sweep=regularizers_{model}", *OPTIONS[model], *SETTINGS, *overrides, axis]
        for model, axis in axes.items()
    ]


def train(overrides: Sequence[str]) -> int:
    """Train the multiruns one after another; returns the largest exit status."""
    multiruns = ([sys.executable, *command] for command in commands(overrides))
    return max(subprocess.run(multirun, cwd=ROOT, check=False).returncode for multirun in multiruns)


def read_groups(folder: Path) -> dict[str, Group]:
    """Return the runs of a multirun that ended, by setting."""
    runs: dict[str, list[Run]] = {}
    for run in gather(folder)[0]:
        if run.status in ("finished", "diverged"):
            runs.setdefault(SEPARATOR.join(run.config["regularizer"]) or NONE, []).append(run)
    return {key: Group({"regularizer": key}, members) for key, members in runs.items()}


def row(group: Group, seeds: Sequence[int], time: float | None) -> dict[str, object]:
    """Return the entry of a setting in the file; null for seeds without a run."""
    runs = {run.config["seed"]: run for run in group.runs}
    finished = {run.config["seed"]: run for run in group.finished}
    kinds = {seed: (run.result.get("diagnosis") or {}).get("kind", run.status) for seed, run in runs.items()}
    figures = {
        key: [_rounded(finished[seed].figure(name)) if seed in finished else None for seed in seeds]
        for key, name in (("values", "val/generalization"), ("copies", "gap/copies"))
    }
    return {**figures, "diagnoses": list(map(kinds.get, seeds))} | ({} if time is None else {"time": round(time, 3)})


def collect(groups: Mapping[str, Mapping[str, Group]], times: Mapping[str, float]) -> dict[str, object]:
    """Return the content of the file: for each model the seeds of its runs, and its settings with at least one run."""
    models = {}
    for model, members in groups.items():
        seeds = sorted({run.config["seed"] for group in members.values() for run in group.runs})
        chosen = {
            key: row(members[key], seeds, times.get(f"{model}/{key}")) for key in settings()[model] if key in members
        }
        models[model] = {"seeds": seeds, "settings": chosen}
    return {"images": IMAGES, "iterations": ITERATIONS, "models": models}


def write(content: Mapping[str, object], path: Path) -> None:
    """Write the file, a line for each list."""
    text = yaml.safe_dump(content, default_flow_style=None, sort_keys=False, width=1000)
    path.write_text(HEADER + text)


def time_of(model: str, key: str) -> float:
    """Return the median ratio of a setting's CPU time to its reference's, in alternating turns."""
    names = [key.rpartition(SEPARATOR)[0] or NONE, key]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(os.devnull, "w") as nowhere:
        contestants = []
        with contextlib.redirect_stdout(nowhere):
            for name in names:
                overrides = [*OPTIONS[model], *SETTINGS, f"regularizer={option(name)}"]
                contestants.append(regen_loop(name, overrides, Gate(TURN), Path(folder))[0])
                contestants[-1].turn()
        in_turns(contestants, ROUNDS)
        for contestant in contestants:
            contestant.finish()
    return statistics.median(ratios(contestants[1], contestants[0], 1))


def measure_times() -> None:
    """Measure the settings that have no time yet, and write each at once."""
    prepare(threads=1)
    for model, keys in settings().items():
        for key in keys[1:]:
            times = read_json(TIMES)
            if f"{model}/{key}" not in times:
                times[f"{model}/{key}"] = time_of(model, key)
                write_json(TIMES, times)
                print(f"{model} {key}: {times[f'{model}/{key}']:.2f} times the CPU time", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare every regularizer at its default strength with none.")
    parser.add_argument("action", choices=["commands", "train", "time", "collect"])
    parser.add_argument("overrides", nargs="*", help="of src/train.py, like seed=0,1")
    typed = parser.parse_args(arguments)
    if typed.action == "train":
        return train(typed.overrides)
    if typed.action == "commands":
        print("\n".join(f"python {shlex.join(command)}" for command in commands(typed.overrides)))
    elif typed.action == "time":
        measure_times()
    else:
        groups = {model: read_groups(SWEEPS / f"regularizers_{model}") for model in OPTIONS}
        write(collect(groups, read_json(TIMES)), PATH)
    return 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    sys.exit(main())
