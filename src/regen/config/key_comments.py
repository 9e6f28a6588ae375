"""Comments on keys in conf/*.yaml, and configurations printed with them. Imports nothing heavy."""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from regen.config.suggestions import CONF, config_of_script
from regen.config.yaml_files import yamls

LINE = re.compile(r"^( *)([\w/@]+):(?: .*?)??(?:\s+#\s*(.*))?$")
KEY = re.compile(r"^( *)([\w/@]+):")
COLUMN = 42  # column where comments begin; later on longer lines
PENALTIES = {  # keys that every penalty has
    "lambda_g": "strength of the penalty on G's loss",
    "lambda_d": "strength of the penalty on D's loss",
    "interval": "updates from one use of the penalty to the next; it weighs as many times as much",
    "relative": "strength as a part of the data term's gradient, instead of a fixed one; null: fixed",
}


def comments_of(path: Path) -> dict[str, str]:
    """Return the comments of a yaml by the full key of their line."""
    comments: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for line in path.read_text().splitlines():
        if not (found := LINE.match(line)):
            continue
        indent, key, comment = len(found[1]), found[2], found[3]
        while parents and parents[-1][0] >= indent:
            parents.pop()
        full = ".".join([*(name for _, name in parents), key])
        parents.append((indent, key))
        if comment:
            comments[full] = comment
    return comments


def key_comments(choices: Mapping[str, object]) -> dict[str, str]:
    """Return the comments on every key of a command's configuration.

    Those of the chosen options come first, then those of any option of the same group.

    Args:
        choices: the chosen options by group, as Hydra's runtime.choices has them.
    """
    comments: dict[str, str] = {}
    folders = {path.parent.relative_to(CONF).as_posix() for path in CONF.glob("*/**/*.yaml")}
    for group in sorted(group for group in folders if not group.startswith("hydra")):
        for option in sorted(yamls(group), key=lambda path: path.stem != str(choices.get(group))):
            for key, comment in comments_of(option).items():
                comments.setdefault(f"{group.replace('/', '.')}.{key}", comment)
    own = config_of_script()
    for path in (CONF / "train.yaml", own) if "train" in own.read_text().split("_self_")[0] else (own,):
        comments |= comments_of(path)
    return comments


def explained(config: Mapping[str, object], comments: Mapping[str, str]) -> str:
    """Return a configuration as yaml with the comment on each key."""
    lines: list[str] = []
    parents: list[tuple[int, str]] = []  # indent and key
    for line in yaml.safe_dump(dict(config), sort_keys=False, width=1000).splitlines():
        found = KEY.match(line)
        if not found:
            lines.append(line)
            continue
        while parents and parents[-1][0] >= len(found[1]):
            parents.pop()
        parents.append((len(found[1]), found[2]))
        comment = comments.get(".".join(name for _, name in parents)) or PENALTIES.get(found[2])
        lines.append(f"{line:{COLUMN}}  # {comment}" if comment else line)
    return "\n".join(lines)
