"""Code of a model card that loads each file; the tests run it."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from regen.config.instantiate import resolve
from regen.data.window import FULL_8, window_of
from regen.export.dataset_facts import source_of
from regen.export.sampler import Sampler
from regen.models.class_prior import ClassPrior, ClassSampler
from regen.models.coder import CodeDecoder, Decoding
from regen.models.ode import ODESampler
from regen.models.priors import Normal
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
z = np.random.default_rng(0).standard_normal((16, {latent_dim}), dtype=np.float32){numpy_labels}
images = session.run(["images"], {{"z": z{onnx_labels}}})[0]  # {batch}
```"""
PROGRAM = """\
In PyTorch, without the code of the generator (a `.pt2` is a program: load only those that you trust):

```python
import torch

sampler = torch.export.load("sampler.pt2").module()
images = sampler(torch.randn(16, {latent_dim}){labels}).numpy()  # {batch}
```"""
WEIGHTS = """\
The weights, with the generator's class from regen (its layers in plain PyTorch are below, with the same names):

```python
import torch
from safetensors.torch import load_file

{imports}

generator = {made}.eval().requires_grad_(False)
generator.load_state_dict(load_file("model.safetensors"))
images = generator(torch.randn(16, {latent_dim}){labels}).numpy()  # {batch}
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


def use(opened: Opened, sampler: Sampler, written: Sequence["Written"]) -> str:
    """Return code that loads the written files, samples from them and shows samples."""
    data = image_data(opened.cfg)
    unit = source_of(data._target_).unit
    named, made = _made(opened)
    words = {
        "latent_dim": sampler.latent_dim,
        "batch": f"{(16, *opened.shape)} in [-1, 1]",
        "imports": "\n".join(f"from {module} import {name}" for module, name in sorted(named.items())),
        "made": made,
        "layers": repr(sampler.net),
        "unit": unit,
        **_labels(sampler.n_classes),
    }
    low, high = window = window_of({"data": data})
    words |= {"low": low, "high": high, "half": (high - low) / 2}
    is_picture = window == FULL_8 and opened.shape[0] in (1, 3)
    files = [file for file in BLOCKS if file in {one.file for one in written}]
    blocks = [*(BLOCKS[file] for file in files), POINTS if unit else PIXELS if is_picture else VALUES]
    return "\n\n".join(["## Use", _inputs(opened, sampler), *(block.format(**words) for block in blocks)])


def _labels(n_classes: int) -> dict[str, str]:
    """Return the parts of the code that are for labels; all empty without classes."""
    if not n_classes:
        return dict.fromkeys(("labels", "numpy_labels", "onnx_labels"), "")
    return {
        "labels": f", torch.arange(16) % {n_classes}",
        "numpy_labels": f"\nlabels = np.arange(16, dtype=np.int64) % {n_classes}",
        "onnx_labels": ', "labels": labels',
    }


def _inputs(opened: Opened, sampler: Sampler) -> str:
    """Return a sentence on the inputs and outputs, with the classes of a conditional model."""
    latents, images = f"`z` (n, {sampler.latent_dim}), float32 from N(0, 1)", f"`images` (n, {_listed(opened.shape)})"
    if not sampler.n_classes:
        return f"The files map latents {latents}, to {images}."
    last = sampler.n_classes - 1
    classes = ", ".join(f"{label} {name}" for label, name in enumerate(opened.class_names))
    guidance = getattr(opened.model, "guidance", None)
    fixed = "" if guidance is None else f" The guidance is {guidance:g} and fixed."
    return (
        f"The files map latents {latents}, and `labels` (n,), int64 from 0 to {last}, to {images}. A label outside 0 to {last} "
        f"is an error on CPUs; on other devices it may give an image without a class.{fixed}\n\nClasses: {classes}."
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _made(opened: Opened) -> tuple[dict[str, str], str]:
    """Return the classes of the exported model by module, and Python code that builds it."""
    prior, net, coder = opened.model.prior, opened.model.decoder_network(), opened.model.coder
    known = {"latent_dim": opened.model.latent_dim, "shape": opened.shape if coder is None else coder.shape}
    network = net[0] if isinstance(net, Decoding) else net
    where = "network.velocity" if isinstance(network, ODESampler) else "network.generator"
    classes = {"n_classes": opened.model.n_classes} if opened.model.n_classes else {}
    module, name, made = _call(opened.cfg, where, known | classes)
    named = {module: name}
    if isinstance(network, ODESampler):
        named, made = named | {ODESampler.__module__: ODESampler.__name__}, network.constructor(made)
    if coder is not None:
        autoencoder = open_autoencoder(opened.cfg.data.run).cfg
        decoded = {"latent_dim": coder.shape[0], "shape": opened.shape}
        module, name, decoder = _call(autoencoder, "network.generator", decoded, DECODER)
        named[module] = f"{named[module]}, {name}" if module in named else name
        named[Decoding.__module__] = f"{CodeDecoder.__name__}, {Decoding.__name__}"
        made = f"Decoding({made}, CodeDecoder({decoder}, {coder.shape[0]}))"
    if net is None or prior.before(net) is net:
        return named, made
    return _behind_prior(opened, named, made)


def _behind_prior(opened: Opened, named: dict[str, str], made: str) -> tuple[dict[str, str], str]:
    """Return the same with the prior; the configurations of GANs and flows name none."""
    prior, latent_dim = opened.model.prior, opened.model.latent_dim
    module, name, drawn = Normal.__module__, Normal.__name__, f"Normal({latent_dim})"
    if opened.cfg.model.get("prior") is not None:
        module, name, drawn = _call(opened.cfg, "model.prior", {"latent_dim": latent_dim})
    if isinstance(prior, ClassPrior):
        named |= {module: name, ClassSampler.__module__: ClassSampler.__name__}
        return named, f"ClassSampler({drawn}, {made}, {prior.n_classes})"
    return named | {module: f"Behind, {name}"}, f"Behind({drawn}, {made})"


def _call(cfg: DictConfig, where: str, known: dict[str, object], alias: str = "") -> tuple[str, str, str]:
    """Return the module of the class of the node at a key, what to import of it, and the call that creates its object.

    known   values that the configuration does not have, by argument
    """
    node = OmegaConf.select(cfg, where)
    module, _, name = node._target_.rpartition(".")
    taken = inspect.signature(resolve(node._target_, where)).parameters
    given = {key: value for key, value in to_dict(node).items() if not key.startswith("_")}
    values = {key: value for key, value in (known | given).items() if key in taken}
    arguments = ", ".join(f"{key}={value!r}" for key, value in values.items())
    return module, f"{name} as {alias}" if alias else name, f"{alias or name}({arguments})"
