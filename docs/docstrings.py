"""Docstrings are plain text with `code`, formulas and lists; Sphinx reads reStructuredText. This converts them."""

import re

SETTING = re.compile(r"^(\w\S*(?:, \S+)*) {2,}(\S.*)$")  # a name and its meaning, in two columns
SECTION = re.compile(r"^(Args|Raises|Returns|Yields|Attributes):$")
ENTRY = re.compile(r"^ {4}(\w[\w., ]*): (.*)$")  # of a section
CODE = re.compile(r"`([^`\n]+)`")


def convert(app, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Sphinx's autodoc-process-docstring: change the lines in place."""
    converted, in_list, in_section = [], False, False
    for line in lines:
        in_section = bool(SECTION.match(line)) or (in_section and (not line or line.startswith(" ")))
        entry = ENTRY.match(line) if in_section else SETTING.match(line)
        if entry and not in_list:
            converted.append("")
        in_list = bool(entry) or (in_list and line.startswith(" "))
        if SECTION.match(line):
            converted += ["", f"**{line[:-1]}**"]
        elif entry:
            converted.append(f"* ``{entry[1]}``: {escape(entry[2])}")
        else:
            converted.append(("  " if in_list else "") + escape(line.strip()))
    lines[:] = converted


def escape(text: str) -> str:
    """The text with its code as literals, and without other markup."""
    parts = CODE.split(text)
    plain = [re.sub(r"([*|`_\\])", r"\\\1", part) for part in parts[::2]]
    code = [f"``{part}``" for part in parts[1::2]]
    return "".join(a + b for a, b in zip(plain, [*code, ""], strict=True))


def setup(app) -> dict:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", convert)
    return {"parallel_read_safe": True}
