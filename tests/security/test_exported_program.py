"""Programs of torch.export that carry code: each would leave a canary if it ran."""

import contextlib
import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from regen.data.images import Images
from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.features import Module

MODEL, WEIGHTS, CONSTANTS, INPUTS = (
    "models/model.json",
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
    "data/sample_inputs/model.pt",
)


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return Path.touch, (self.canary,)


@pytest.fixture(scope="module")
def parts() -> dict[str, bytes]:
    """The files of a good program."""
    net, buffer = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()).eval(), io.BytesIO()
    dynamic = ({0: torch.export.Dim("n", min=1)},)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 1, 8, 8),), dynamic_shapes=dynamic), buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def write(path: Path, parts: dict[str, bytes], root: str = "net/") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(root + name, content)
    return path


def edited(parts: dict[str, bytes], name: str, edit) -> dict[str, bytes]:
    content = json.loads(parts[name])
    edit(content)
    return parts | {name: json.dumps(content).encode()}


def tampered(parts: dict[str, bytes], canary: Path) -> dict[str, dict[str, bytes]]:
    """Archives by the way in which they carry code."""
    payload, call = pickled(Payload(canary)), f"__import__('pathlib').Path('{canary}').touch()"

    def constant(file: str):
        return lambda config: config["config"].update(
            x={"path_name": file, "is_param": False, "use_pickle": True, "tensor_meta": None}
        )

    def of_weight(config) -> None:
        config["config"]["0.weight"] |= {"use_pickle": True}

    def graph(key, value):
        return lambda program: program["graph_module"]["graph"]["nodes"][0].update({key: value})

    def expression(program) -> None:
        program["graph_module"]["graph"]["tensor_values"]["input"]["sizes"][0] = {"as_expr": {"expr_str": call}}

    def name(program) -> None:
        text = f"x; {call}"
        program["graph_module"]["graph"]["inputs"][-1] = {"as_tensor": {"name": text}}

    def tree(program) -> None:
        leaf = {"type": None, "context": None, "children_spec": []}
        enum = json.dumps({"__enum__": True, "fqn": "os:system", "name": call})
        spec = json.dumps([1, {"type": "builtins.dict", "context": enum, "children_spec": [leaf]}])
        program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = spec

    return {
        "weight": edited(parts, WEIGHTS, of_weight) | {"data/weights/weight_0": payload},
        "legacy weights": parts | {"data/weights/model.pt": payload},
        "legacy constants": parts | {"data/constants/model.pt": payload},
        "inputs": parts | {INPUTS: payload},
        "constant": edited(parts, CONSTANTS, constant("tensor_0")) | {"data/constants/tensor_0": payload},
        "custom object": edited(parts, CONSTANTS, constant("custom_obj_0")) | {"data/constants/custom_obj_0": payload},
        "opaque object": edited(parts, CONSTANTS, constant("opaque_obj_0"))
        | {"data/constants/opaque_obj_0": pickle.dumps(Payload(canary))},
        "expression": edited(parts, MODEL, expression),
        "name": edited(parts, MODEL, name),
        "tree": edited(parts, MODEL, tree),
        "hub": edited(parts, MODEL, graph("target", "torch.hub.load")),
        "system": edited(parts, MODEL, graph("target", "torch.os.system")),
        "from_file": edited(parts, MODEL, graph("target", "torch.ops.aten.from_file.default")),
        "guards": edited(parts, MODEL, lambda program: program.update(guards_code=[call])),
    }


KINDS = (
    "weight",
    "legacy weights",
    "legacy constants",
    "inputs",
    "constant",
    "custom object",
    "opaque object",
    "expression",
    "name",
    "tree",
    "hub",
    "system",
    "from_file",
    "guards",
)
IGNORED = ("legacy weights", "legacy constants")  # parts that are left out of what is loaded


@pytest.mark.parametrize("kind", KINDS)
def test_program_with_code_is_refused_or_read_without_running_the_code(tmp_path, parts, kind):
    canary = tmp_path / "canary"
    path = write(tmp_path / "net.pt2", tampered(parts, canary)[kind])
    source = Module(path=str(path))
    if kind in IGNORED:
        assert source.load(small_images(), tmp_path, "cpu")(torch.zeros(3, 1, 8, 8)).shape == (3, 72)
    else:
        with pytest.raises(ConfigError, match=r"is not a torch\.export program .* read without executing code"):
            source.load(small_images(), tmp_path, "cpu")
    assert not canary.exists()


def test_a_file_of_the_older_format_is_refused(tmp_path):
    canary = tmp_path / "canary"
    old = ("serialized_exported_program.json", "serialized_state_dict.pt", "serialized_constants.pt")
    files = {"version": b"8.20", "serialized_example_inputs.pt": pickled(Payload(canary)), **dict.fromkeys(old, b"{}")}
    files["serialized_state_dict.pt"] = files["serialized_constants.pt"] = pickled(Payload(canary))
    for root in ("", "net/"):
        with pytest.raises(ConfigError, match="read without executing code"):
            Module(path=str(write(tmp_path / "net.pt2", files, root))).load(small_images(), tmp_path, "cpu")
    assert not canary.exists()


def test_torch_executes_the_programs_refused_here(tmp_path, parts):
    for kind in ("weight", "inputs"):  # if this fails, torch has become safer, and the copy may be simpler
        canary = tmp_path / f"{kind}.canary"
        path = write(tmp_path / f"{kind}.pt2", tampered(parts, canary)[kind])
        with contextlib.suppress(Exception):  # whatever comes after the payload
            torch.export.load(path)
        assert canary.exists(), kind


def small_images() -> Images:
    part = Split(torch.arange(6 * 64).remainder(251).to(torch.uint8).view(6, 1, 8, 8))
    use = {"batch_size": 2, "workers": 0, "monitor": "val/fd"}
    return Images(name="small", full_train=part, train=part, validation=part, test=part, **use)
