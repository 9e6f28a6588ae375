"""Packages import only packages that docs/architecture.md lists below them, and modules have distinct names."""

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from regen.utils.project import ROOT

SOURCE = ROOT / "src/regen"
SHARED_NAMES = {"__init__", "base"}
USERS = {"cli/doctor.py", "cli/gpu_checks.py"}  # they try the library as a user does, by `import regen`


def layers(page: str) -> list[str]:
    """Return the packages in the section "Layers" of docs/architecture.md, from top to bottom."""
    section = page.partition("\n## Layers\n")[2].partition("\n## ")[0]
    block = section.partition("```\n")[2].partition("```")[0]
    return [line.split()[0] for line in block.splitlines()]


def package(module: str) -> str:
    """Return "metrics" of regen.metrics.base, and "regen" of the package itself."""
    return module.split(".")[1] if "." in module else module


def imports(source: str, package_name: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the module of each import of regen, in functions too; those for type checkers are left out."""
    tree = ast.parse(source)
    typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    unused = {id(part) for node in typing for statement in node.body for part in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unused:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names if is_own(name.name))
        elif isinstance(node, ast.ImportFrom):
            module = absolute(node, package_name)
            if module == "regen":
                yield from ((node.lineno, f"regen.{name.name}") for name in node.names if name.name != "__version__")
            elif is_own(module):
                yield node.lineno, module


def absolute(node: ast.ImportFrom, package_name: str) -> str:
    """Return the module of "from X import Y", also where X begins with dots."""
    if not node.level:
        return node.module or ""
    parts = package_name.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])


def is_own(module: str) -> bool:
    return module.partition(".")[0] == "regen"


def upward(order: list[str], own: str, source: str, package_name: str) -> list[str]:
    """Return the imports of a module in the package `own` that are not of a layer below: "line 3: regen.report"."""
    height = {name: -place for place, name in enumerate(order)}
    return [
        f"line {line}: {module}"
        for line, module in imports(source, package_name)
        if package(module) != own and not height.get(package(module), 1) < height[own]
    ]


ORDER = layers((ROOT / "docs/architecture.md").read_text())
FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or path.stem == "errors"]


def test_layers_of_documentation_are_packages_of_source() -> None:
    packages = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}
    assert sorted(ORDER) == sorted(packages)


@pytest.mark.parametrize("name", ORDER)
def test_package_imports_only_layers_below(name: str) -> None:
    wrong = {}
    for path in FILES:
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        if parts[1] == name:
            found = upward(ORDER, name, path.read_text(), ".".join(parts[:-1]))
            is_user = path.relative_to(SOURCE).as_posix() in USERS
            wrong[str(path.relative_to(ROOT))] = [text for text in found if not (is_user and text.endswith(": regen"))]
    assert {path: found for path, found in wrong.items() if found} == {}


def test_upward_import_in_function_is_found() -> None:
    source = "def f():\n    from regen.report import run_page\n    import regen.utils.signals\n"
    assert upward(ORDER, "training", source, "regen.training") == ["line 2: regen.report"]


def test_upward_relative_import_is_found() -> None:
    assert upward(ORDER, "core", "from ..cli import entry_point\n", "regen.core") == ["line 1: regen.cli"]


def test_upward_import_for_type_checkers_is_allowed() -> None:
    source = "if TYPE_CHECKING:\n    from regen.report import run_page\n"
    assert upward(ORDER, "training", source, "regen.training") == []


def test_module_names_are_distinct() -> None:
    names = Counter(path.stem for path in SOURCE.rglob("*.py") if path.stem not in SHARED_NAMES)
    repeated = {name for name, count in names.items() if count > 1}
    assert [str(path.relative_to(ROOT)) for path in sorted(SOURCE.rglob("*.py")) if path.stem in repeated] == []
