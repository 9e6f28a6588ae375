"""Export formats: weights, a program of torch.export and one of ONNX.

Each creates the content of its file, and reads the file back as a function of latents (n, Z), and labels (n,) of a conditional
model, to images (n, C, H, W).
"""

import copy
import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.export.sampler import Sampler


class Format(Protocol):
    """An export format: file name, packages needed besides torch, and a description (`what`)."""

    file: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    what: ClassVar[str]

    def content(self, sampler: Sampler, facts: Mapping[str, str]) -> bytes: ...

    def read(self, path: Path, sampler: Sampler) -> Callable[..., Tensor]: ...


class Weights(Format):
    """Tensors under the generator's names, with the facts as metadata (Hugging Face's safetensors)."""

    file, packages, what = "model.safetensors", ("safetensors",), "the weights of the generator, by name"

    def content(self, sampler: Sampler, facts: Mapping[str, str]) -> bytes:
        from safetensors.torch import save

        tensors = {
            name: tensor.clone() for name, tensor in sampler.net.state_dict().items()
        }  # tied weights are written twice
        return save(tensors, metadata={"format": "pt", **facts})

    def read(self, path: Path, sampler: Sampler) -> nn.Module:
        from safetensors.torch import load_file

        twin = copy.deepcopy(sampler.net)
        for tensor in twin.state_dict().values():
            if tensor.is_floating_point():
                tensor.fill_(torch.nan)  # so that unread weights are noticed
        twin.load_state_dict(load_file(path))
        return twin


class Program(Format):
    """torch.export's archive: runs in PyTorch without the generator's code; the facts are extra files in it."""

    file, packages, what = "sampler.pt2", (), "the sampler as a program of `torch.export`, for any batch"

    def content(self, sampler: Sampler, facts: Mapping[str, str]) -> bytes:
        buffer = io.BytesIO()
        torch.export.save(sampler.program, buffer, extra_files=dict(facts))
        return buffer.getvalue()

    def read(self, path: Path, sampler: Sampler) -> nn.Module:
        return torch.export.load(path).module()


class Onnx(Format):
    """ONNX with the facts as metadata; opset None is torch's default."""

    file, packages = "sampler.onnx", ("onnx", "onnxscript", "onnxruntime")
    what = "the sampler as an ONNX program, for any batch"

    def __init__(self, opset: int | None = None) -> None:
        self.opset = opset

    def content(self, sampler: Sampler, facts: Mapping[str, str]) -> bytes:
        exported = torch.onnx.export(
            sampler.program,
            sampler.example,
            input_names=sampler.names,
            output_names=["images"],
            dynamic_shapes=sampler.dynamic,
            dynamo=True,
            verbose=False,
            opset_version=self.opset,
        )
        model = cast("torch.onnx.ONNXProgram", exported).model_proto  # None without dynamo only
        for key, value in facts.items():
            model.metadata_props.add(key=key, value=value)
        return model.SerializeToString()

    def read(self, path: Path, sampler: Sampler) -> Callable[..., Tensor]:
        from onnxruntime import InferenceSession

        session = InferenceSession(str(path), providers=["CPUExecutionProvider"])

        def run(*inputs: Tensor) -> Tensor:
            named = zip(sampler.names, inputs, strict=True)
            return torch.from_numpy(session.run(["images"], {name: tensor.numpy() for name, tensor in named})[0])

        return run


KINDS = (Weights, Program, Onnx)


def chosen(names: Sequence[str], opset: int | None = None) -> list[Format]:
    """Return the formats of these names. Raises ConfigError with the command to install if a package is missing."""
    known: dict[str, Format] = {"safetensors": Weights(), "pt2": Program(), "onnx": Onnx(opset)}
    for name in names:
        missing = [package for package in known[name].packages if importlib.util.find_spec(package) is None]
        if missing:
            others = ",".join(other for other in known if other != name)
            raise ConfigError(
                f"formats: {name} needs {' and '.join(missing)}: pip install 'regen[export]', or type formats=[{others}]"
            )
    return [known[name] for name in names]
