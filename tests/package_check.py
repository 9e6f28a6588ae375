"""Build the wheel and the source distribution, and use them outside the clone.

    python tests/package_check.py              # `make package-check`
    python tests/package_check.py --offline    # no package index: read the dependencies of this environment

The wheel is built from the source distribution and installed with its dependencies, in the versions of constraints.txt,
into a new virtual environment, as a user does: a dependency that pyproject.toml lacks fails here. Commands run in an empty
folder. The first one that fails ends the check with its output and exit status 1. The packages take 6 GB for its duration, and
a minute or two from a fast index.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = "data=ring data.train=160 data.validation=80 data.test=40 data.batch_size=16 network=mlp metrics=[frechet]"
SMALL += " monitor=val/fd trainer=smoke logger=csv report=false trainer.progress_bar=false max_iterations=4"
CHOICE = "regularizer=r1 lambda_d=0,0.1 folds=2 rounds=2 n_jobs=1 evaluate_every=9999 sweep=chosen"
PROGRAM = f"""
import regen
from regen.config.yaml_files import yamls
assert len(yamls("regularizer")) > 50
run = regen.train("{SMALL} name=second seed=1".split())
assert regen.load("outputs/second").sample(3).shape == (3, 2, 1, 1) and run.status == "finished"
choice = regen.choose("{CHOICE} {SMALL}".split())
assert choice.recommended is not None and regen.functional.drift
"""
COMMANDS = (
    "regen --help",
    f"regen train {SMALL} regularizer=l2 lambda_g=0.1 name=first",
    "regen init mine",
    f"regen choose {CHOICE} {SMALL}",
)
EXPECTED = (
    "outputs/first/result.json",
    "outputs/second/result.json",
    "mine/regularizer/row_variation.yaml",
    "outputs/sweeps/chosen/choice.json",
)


def build(folder: Path) -> Path:
    """Build sdist and wheel in a folder; return the wheel."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)], ROOT)
    return next(folder.glob("*.whl"))


def install(wheel: Path, environment: Path, offline: bool) -> Path:
    """Make a virtual environment with the wheel and its dependencies; return its folder of programs.

    offline   the dependencies are those of this environment; whether pyproject.toml lists all of them is not checked
    """
    venv.create(environment, symlinks=os.name != "nt")
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet"]
    if not offline:
        run([*pip, "--no-compile", "-c", str(ROOT / "constraints.txt"), str(wheel)], ROOT)
        return programs
    run([*pip, "--no-deps", "--no-index", str(wheel)], ROOT)
    place = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", place))
    # A line of a .pth is not searched for further .pth files: the clone's editable install stays invisible
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a command in a folder and return what it prints. Exits with status 1 if it fails."""
    began = time.perf_counter()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    print(f"{time.perf_counter() - began:5.1f} s  {' '.join(command)[:100]}", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr, f"exit status {done.returncode}", sep="\n", file=sys.stderr)
        sys.exit(1)
    return done.stdout


def commands(python: str) -> Iterator[list[str]]:
    """The commands of a user, and programs that import the package."""
    yield from ([*line.split()] for line in COMMANDS)
    yield [python, "-c", PROGRAM]


def main() -> None:
    """Build, install, run, and look for the files that must be there."""
    parser = argparse.ArgumentParser(description="Build the wheel and the sdist, and use them outside the clone.")
    parser.add_argument("--offline", action="store_true", help="read the dependencies of this environment")
    offline = parser.parse_args().offline
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary).resolve()
        programs = install(build(place / "dist"), place / "venv", offline)
        work = place / "work"
        work.mkdir()
        for command in commands(str(programs / "python")):
            printed = run([str(programs / command[0]), *command[1:]], work)
            if str(ROOT) in printed or "python src/" in printed:
                sys.exit(f"{' '.join(command)} prints the clone's folder, or python src/…:\n{printed}")
        if missing := [name for name in EXPECTED if not (work / name).is_file()]:
            sys.exit(f"not written: {', '.join(missing)}")
    print("passed")


if __name__ == "__main__":
    main()
