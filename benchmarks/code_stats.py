"""Count what makes the code readable: python benchmarks/code_stats.py [--json FILE]

Files, lines, repeated names, package cycles, functions, types, and words that have a plainer or a standard form.
"""

import argparse
import ast
import json
import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from test_layers import SHARED_NAMES, imports, package  # noqa: E402  # the rule of the test

SOURCE = ROOT / "src"
DIALECT = [
    r"\bbeside\b",
    r"\banew\b",
    r"\b(goes|gone|go) on\b",
    r"\bheld against\b",
    r"\blet be\b",
    r"\bst(and|ands|ood) (in|for)\b",
    r"\btold\b",
    r"(?<!\.)\b(tells|tell)\b",
    r"\bof its own\b",
    r"\bis no\b",
    r"\bat hand\b",
    r"\bwhatever else\b",
    r"\bnumbers? (of|in) (a|the) (code|latent)\b",
    r"\bslopes?\b",
    r"\bpassport\b",
    r"\binert\b",
    r"\bz_size\b",
    r"\bd_steps\b",
    r"\bema_every\b",
    r"\bdynamics=",
    r"\bshare_every\b",
    r"\bleans? on\b",
    r"\bknobs?\b",
]


def main(given: list[str] | None = None) -> None:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description="Count what makes the code readable.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    path = parser.parse_args(given).json
    figures = {**sizes(), **names(), **functions(), "mypy errors": mypy_errors(), **dialect()}
    for name, value in figures.items():
        print(f"{name:34} {value:,}" if isinstance(value, int) else f"{name:34} {value}")
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def sizes() -> dict[str, object]:
    """Files and lines, and the files longer than 200 lines."""
    lengths = [len(path.read_text().splitlines()) for path in modules()]
    return {
        "files of src": len(lengths),
        "lines of src": sum(lengths),
        "files of more than 200 lines": sum(length > 200 for length in lengths),
    }


def names() -> dict[str, object]:
    """Basenames that repeat, and the packages that import each other, imports in functions included."""
    stems = Counter(
        path.stem for path in modules() if path.stem not in SHARED_NAMES and path.is_relative_to(SOURCE / "regen")
    )
    cycles = knots(package_graph())
    return {
        "basenames that repeat": sum(count > 1 for count in stems.values()),
        "package cycles": len(cycles),
        "packages in cycles": " ".join(sorted(set().union(*cycles))) or "-",
    }


def package_graph() -> dict[str, set[str]]:
    """{package: the packages that it imports}."""
    graph: dict[str, set[str]] = defaultdict(set)
    for path in (SOURCE / "regen").rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        own = package(".".join(parts))
        for _, module in imports(path.read_text(), ".".join(parts[:-1])):
            graph[own].add(package(module))
    return {name: others - {name} for name, others in graph.items() if len(name.split(".")) == 1 and name != "regen"}


def knots(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of two or more packages each of which imports all others, directly or not."""
    reached = {name: reachable(graph, name) for name in graph}
    groups = {frozenset(other for other in reached[name] if name in reached.get(other, ())) for name in graph}
    return [set(group) for group in groups if len(group) > 1]


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        for other in graph.get(waiting.pop(), set()) - found:
            found.add(other)
            waiting.append(other)
    return found


def functions() -> dict[str, object]:
    """How many there are, their lengths without decorators, and the share whose arguments and result are all annotated."""
    nodes = [node for path in modules() for node in defined(path)]
    lengths = sorted(node.end_lineno - node.lineno + 1 for node in nodes)
    typed = sum(map(is_typed, nodes))
    return {
        "functions": len(nodes),
        "lines of a function: median": statistics.median(lengths),
        "lines of a function: 90 %": lengths[int(0.9 * len(lengths))],
        "lines of a function: longest": lengths[-1],
        "functions of more than 25 lines": sum(length > 25 for length in lengths),
        "functions fully typed": f"{typed / len(nodes):.1%}",
    }


def defined(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def is_typed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return node.returns is not None and all(one.annotation or one.arg in ("self", "cls") for one in arguments)


def mypy_errors() -> int:
    """Return the number of errors under the settings of pyproject.toml."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return sum(": error: " in line for line in output.splitlines())


def dialect() -> dict[str, object]:
    """Return how often the words to avoid are in each place."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    others = [*sorted((ROOT / "conf").rglob("*.yaml")), *sorted((ROOT / "tests").rglob("*.py"))]
    counts = {
        "dialect words in src": count(modules()),
        "dialect words in conf and tests": count(others),
        "dialect words in README and docs": count(pages),
    }
    each = Counter(word.lower() for path in [*modules(), *others, *pages] for word in found(path))
    return counts | {"most frequent": ", ".join(f"{word} {n}" for word, n in each.most_common(8)) or "-"}


def count(paths: list[Path]) -> int:
    return sum(len(found(path)) for path in paths)


def found(path: Path) -> list[str]:
    text = re.sub(r'"\w+"', '""', path.read_text())  # names, such as those of former keys
    return [match.group(0) for pattern in DIALECT for match in re.finditer(pattern, text, re.I)]


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


if __name__ == "__main__":
    main()
