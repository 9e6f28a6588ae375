"""Code of a model card that loads each file; the tests run it."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from torch import nn

from regen.config.instantiate import resolve
from regen.data.window import FULL_8, window_of
from regen.export.dataset_facts import source_of
from regen.models.coder import CodeDecoder, Decoding
from regen.models.ode import ODESampler
from regen.runs.codes import image_data, open_autoencoder
from regen.runs.load import Opened
from regen.utils.containers import to_dict

if TYPE_CHECKING:
    from regen.export.model_card import Written

DECODER = "ImageDecoder"  # name of the autoencoder's network, since both may be a Generator
ONNX = """\
Without PyTorch (`pip install onnxruntime`):

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("sampler.onnx")
z = np.random.default_rng(0).standard_normal((16, {latent_dim}), dtype=np.float32)
images = session.run(["images"], {{"z": z}})[0]  # {batch}
```"""
PROGRAM = """\
In PyTorch, without the code of the generator (a `.pt2` is a program: load only those that you trust):

```python
import torch

sampler = torch.export.load("sampler.pt2").module()
images = sampler(torch.randn(16, {latent_dim})).numpy()  # {batch}
```"""
WEIGHTS = """\
The weights, with the generator's class from regen (its layers in plain PyTorch are below, with the same names):

```python
import torch
from safetensors.torch import load_file

{imports}

generator = {made}.eval().requires_grad_(False)
generator.load_state_dict(load_file("model.safetensors"))
images = generator(torch.randn(16, {latent_dim})).numpy()  # {batch}
```

```text
{layers}
```"""
PIXELS = """\
Save one of them as an image:

```python
from PIL import Image

pixels = ((images[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype("uint8")
Image.fromarray(pixels.squeeze()).save("sample.png")
```"""
POINTS = """\
Points of the plane:

```python
points = {unit} * images[:, :, 0, 0]  # (16, 2)
```"""
VALUES = """\
In the values of the data, where {low:g} is -1 and {high:g} is 1:

```python
values = (images.transpose(0, 2, 3, 1) + 1) * {half:g} + {low:g}  # (16, H, W, C)
```"""
BLOCKS = {"sampler.onnx": ONNX, "sampler.pt2": PROGRAM, "model.safetensors": WEIGHTS}


def use(opened: Opened, net: nn.Module, written: Sequence["Written"]) -> str:
    """Return code that loads the written files, samples from them and shows samples."""
    data = image_data(opened.cfg)
    unit = source_of(data._target_).unit
    named, made = _made(opened)
    words = {
        "latent_dim": opened.model.latent_size,
        "batch": f"{(16, *opened.shape)} in [-1, 1]",
        "imports": "\n".join(f"from {module} import {name}" for module, name in sorted(named.items())),
        "made": made,
        "layers": repr(net),
        "unit": unit,
    }
    low, high = window = window_of({"data": data})
    words |= {"low": low, "high": high, "half": (high - low) / 2}
    is_picture = window == FULL_8 and opened.shape[0] in (1, 3)
    files = [file for file in BLOCKS if file in {one.file for one in written}]
    blocks = [*(BLOCKS[file] for file in files), POINTS if unit else PIXELS if is_picture else VALUES]
    return "\n\n".join(["## Use", *(block.format(**words) for block in blocks)])


def _made(opened: Opened) -> tuple[dict[str, str], str]:
    """Return the classes of the exported model by module, and Python code that builds it."""
    prior, net, coder = opened.model.prior, opened.model.decoder_network(), opened.model.coder
    shape = opened.shape if coder is None else coder.shape
    network = net[0] if isinstance(net, Decoding) else net
    where = "network.velocity" if isinstance(network, ODESampler) else "network.generator"
    module, name, made = _call(opened.cfg, where, shape, opened.model.latent_dim)
    named = {module: name}
    if isinstance(network, ODESampler):
        named, made = named | {ODESampler.__module__: ODESampler.__name__}, network.constructor(made)
    if coder is not None:
        autoencoder = open_autoencoder(opened.cfg.data.run).cfg
        module, name, decoder = _call(autoencoder, "network.generator", opened.shape, coder.shape[0], DECODER)
        named[module] = f"{named[module]}, {name}" if module in named else name
        named[Decoding.__module__] = f"{CodeDecoder.__name__}, {Decoding.__name__}"
        made = f"Decoding({made}, CodeDecoder({decoder}, {coder.shape[0]}))"
    if net is None or prior.before(net) is net:
        return named, made
    module, name, drawn = _call(opened.cfg, "model.prior", shape, opened.model.latent_dim)
    return named | {module: f"Behind, {name}"}, f"Behind({drawn}, {made})"


def _call(
    cfg: DictConfig, where: str, shape: tuple[int, ...], latent_dim: int, alias: str = ""
) -> tuple[str, str, str]:
    """Return the module of the class of the node at a key, what to import of it, and the call that creates its object."""
    node = OmegaConf.select(cfg, where)
    module, _, name = node._target_.rpartition(".")
    taken = inspect.signature(resolve(node._target_, where)).parameters
    given = {key: value for key, value in to_dict(node).items() if not key.startswith("_")}
    known = {"shape": shape, "latent_dim": latent_dim}
    values = {key: value for key, value in (known | given).items() if key in taken}
    arguments = ", ".join(f"{key}={value!r}" for key, value in values.items())
    return module, f"{name} as {alias}" if alias else name, f"{alias or name}({arguments})"
