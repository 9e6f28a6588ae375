"""Search for run folders by a path, a glob or a list of them. Imports nothing heavy."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from regen.errors import ConfigError
from regen.runs.folder import Folder
from regen.utils.project import ROOT
from regen.utils.safe_files import check_links


def find_runs(patterns: str | Path | Sequence[str | Path]) -> list[Path]:
    """Find run folders by a path, a glob or a list of them, in the working directory and then in the project.

    Raises ConfigError with the places searched if a pattern matches no run, and on a run with a link that leads out.
    """
    texts = pattern_texts(patterns)
    if not all(texts) or not texts:
        raise ConfigError("which run? Type run=outputs/RUN, a list run=[outputs/A,outputs/B] or a glob run='outputs/*'")
    found = list(dict.fromkeys(path for pattern in texts for path in _meant(pattern)))
    for path in found:
        check_links(path)
    return found


def pattern_texts(patterns: str | Path | Sequence[str | Path]) -> list[str]:
    """Return one pattern or several as a list of texts."""
    if isinstance(patterns, str | Path) or not isinstance(patterns, Sequence):
        return [str(patterns)]
    return [str(pattern) for pattern in patterns]


def _meant(pattern: str) -> list[Path]:
    for place in _places(pattern):
        globbed = place.exists() is False and any(character in pattern for character in "*?[")
        home = Path(place.anchor)
        found = sorted(home.glob(str(place.relative_to(home)))) if globbed else [place]
        if runs := [path.resolve() for path in found if _is_run(path)]:
            return runs
    looked = " and ".join(map(str, _places(pattern)))
    raise ConfigError(f"run={pattern}: no run there; looked in {looked}{_hint(pattern)}")


def _places(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    return list(dict.fromkeys([Path.cwd() / path, ROOT / path]))


def _is_run(path: Path) -> bool:
    return Folder(path).config.is_file()


def _hint(pattern: str) -> str:
    """Suggest the run around a file, the runs in a folder, or a run with a similar name."""
    for place in _places(pattern):
        if around := next((path for path in place.parents if _is_run(path)), None):
            return f". Type the run's folder: run={around}"
        if place.is_dir() and any(map(_is_run, place.iterdir())):
            return f". It holds runs: type run='{pattern.rstrip('/')}/*'"
    near = _alike(Path(pattern).name)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _alike(name: str) -> list[str]:
    """Return runs of outputs/ with this name, or else with names that contain it or are close to it, newest first."""
    known = sorted((path.name for path in (ROOT / "outputs").glob("*") if _is_run(path)), reverse=True)
    held = [one for one in known if name and name in one]
    near = [name] if name in known else held[:3] or difflib.get_close_matches(name, known, 3, 0.6)
    return [f"outputs/{one}" for one in near]
