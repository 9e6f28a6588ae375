"""read_program: a torch.export program (.pt2) from a file that nobody vouches for.

torch.export.load unpickles: weights that say so, sample inputs that weights_only refuses, custom objects, and files of an
older format. It also evaluates symbolic expressions and makes Python code of names. So the parts are checked here one by
one, and a new archive of nothing but these is loaded.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.pt2_archive._package import PT2ArchiveReader, PT2ArchiveWriter

MOST_BYTES = 8 << 30
MODEL, INPUTS = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
TENSORS = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
NAME = re.compile(r"[\w.]*")
OPERATIONS = re.compile(
    r"torch\.ops\.aten\.(?!from_file|save|record|_)\w+\.\w+"
    r"|_operator\.(getitem|add|sub|mul|truediv|floordiv|mod|neg|pow|eq|ne|lt|le|gt|ge)"
    r"|torch\.sym_(int|float|max|min|not|ite)"
)
FUNCTIONS = "Add|Mul|Integer|Rational|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|Eq|Ne|True|False"
SYMBOL = r"Symbol\('[su]\d+'(?:, (?:positive|nonnegative|integer|even|odd)=(?:True|False))*\)"
EXPRESSION = re.compile(rf"(?!.*\*\*)(?=.{{0,500}}$)(?:{SYMBOL}|\b[su]\d+\b|\b(?:{FUNCTIONS})\b|[\d+*/(),<>=. -])*")
TREE = re.compile(r"[\w\s:,.\[\]{}\"\\]*")
FREE = ("torch_version",)  # text that is compared and never evaluated


def read_program(path: Path) -> nn.Module:
    """The module of a program. Raises ValueError on anything but tensors and calls of torch's own operations on them."""
    content = path.read_bytes() if path.stat().st_size < MOST_BYTES else None
    if content is None:
        raise ValueError(f"larger than {MOST_BYTES:,} bytes")
    clean = io.BytesIO()
    with PT2ArchiveReader(io.BytesIO(content)) as archive, PT2ArchiveWriter(clean) as writer:
        names = archive.get_file_names()
        for name in (MODEL, INPUTS, *CONFIGS):
            if name not in names:
                raise ValueError(f"it has no {name}")
        writer.write_string(MODEL, json.dumps(_program(json.loads(archive.read_string(MODEL)))))
        for config in CONFIGS:
            writer.write_string(config, json.dumps(_payloads(json.loads(archive.read_string(config)), config)))
        inputs = torch.load(io.BytesIO(archive.read_bytes(INPUTS)), weights_only=True)  # raises where pickle would run
        buffer = io.BytesIO()
        torch.save(inputs, buffer)
        writer.write_bytes(INPUTS, buffer.getvalue())
        for name in filter(TENSORS.fullmatch, names):
            writer.write_bytes(name, archive.read_bytes(name))
    clean.seek(0)
    return torch.export.load(clean).module()


def _payloads(config: dict[str, Any], where: str) -> dict[str, Any]:
    """The list of tensors, without any that is pickled."""
    folder = where.rpartition("/")[0]
    for name, payload in config["config"].items():
        if payload.get("use_pickle") is not False or not payload.get("tensor_meta"):
            raise ValueError(f"{name} is pickled")
        if not TENSORS.fullmatch(f"{folder}/{payload['path_name']}") or not NAME.fullmatch(name):
            raise ValueError(f"the file has no tensor {name}")
        _check_strings(payload["tensor_meta"], name)
    return config


def _program(program: dict[str, Any]) -> dict[str, Any]:
    """The program, without what it says of the code that it was made of."""
    module = program["graph_module"]
    if program.get("guards_code") or module.get("treespec_namedtuple_fields"):
        raise ValueError("it has code for guards or named tuples")
    for node in module["graph"]["nodes"]:
        if not OPERATIONS.fullmatch(node["target"]):
            raise ValueError(f"{node['target'][:80]} is not admitted: expected torch's own operations on tensors")
        node["metadata"] = {}
    module["metadata"] = {}
    _check_strings(program, "")
    return program


def _check_strings(content: Any, key: str) -> None:
    """Raise ValueError on a text that could be more than a name: expressions are evaluated, and names become code."""
    if isinstance(content, dict):
        for name, value in content.items():
            _check_strings(name, "name")
            _check_strings(value, name)
    elif isinstance(content, list):
        for item in content:
            _check_strings(item, key)
    elif isinstance(content, str) and key not in FREE:
        pattern = {"expr_str": EXPRESSION, "in_spec": TREE, "out_spec": TREE}.get(key, NAME)
        private = re.search(r"(^|\.)__" if pattern is NAME else "__", content)
        if private or not pattern.fullmatch(content):
            raise ValueError(f"{key}={content[:80]!r} is not admitted")
