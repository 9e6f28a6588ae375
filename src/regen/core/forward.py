"""Extra forward passes that leave batch-norm and spectral-norm state unchanged."""

import contextlib
import functools
import operator
import sys
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
Layer = nn.Linear | nn.modules.conv._ConvNd
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
HEAD = "head_"  # prefix of modules that regularizers add to D, which are not D's last layer


@contextlib.contextmanager
def still(net: nn.Module) -> Iterator[None]:
    """Keep running state unchanged in this block.

    Batch norm normalises by the batch and spectral norm by its present vectors, but neither updates its state.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, BATCH_NORM) and layer.track_running_stats]
    with _evaluating(net, (parametrizations._SpectralNorm,)):
        for layer in norms:
            layer.track_running_stats = False
        try:
            yield
        finally:
            for layer in norms:
                layer.track_running_stats = True


@contextlib.contextmanager
def apart(net: nn.Module) -> Iterator[None]:
    """Make batch norm use its running statistics in this block, so that samples do not affect each other; changes no state."""
    with _evaluating(net, (*BATCH_NORM, parametrizations._SpectralNorm)):
        yield


@contextlib.contextmanager
def _evaluating(net: nn.Module, kinds: tuple[type, ...]) -> Iterator[None]:
    chosen = [module for module in net.modules() if isinstance(module, kinds) and module.training]
    for module in chosen:
        module.training = False
    try:
        yield
    finally:
        for module in chosen:
            module.training = True


def last_layer(net: nn.Module) -> tuple[str, Layer]:
    """Return the name and module of the last linear or convolutional layer, in order of definition. Raises ValueError."""
    layers = [(n, m) for n, m in net.named_modules() if isinstance(m, LAYERS) and not n.startswith(HEAD)]
    if not layers:
        raise ValueError(f"{type(net).__name__} has no linear or convolutional layer")
    return layers[-1]


def first_layer(net: nn.Module) -> tuple[str, Layer]:
    """Return the name and module of the first linear or convolutional layer, in order of definition. Raises ValueError."""
    last_layer(net)
    return next((n, m) for n, m in net.named_modules() if isinstance(m, LAYERS) and not n.startswith(HEAD))


def eager() -> contextlib.AbstractContextManager[object]:
    """Run compiled networks uncompiled in this block, for passes that they do not support.

    An attempt would keep torch from compiling them later.
    """
    if torch.compiler.is_compiling() or "torch._dynamo" not in sys.modules:  # then no network is compiled
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


@contextlib.contextmanager
def features(net: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list to which each pass in this block appends the input (B, F) of the last layer."""
    seen: list[Tensor] = []
    hook = last_layer(net)[1].register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(1)))
    try:
        with eager():  # a compiled network ignores new hooks
            yield seen
    finally:
        hook.remove()


@contextlib.contextmanager
def before_tanh(net: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list to which each pass in this block appends the input of the last tanh, if the network has one."""
    seen: list[Tensor] = []
    ends = [module for module in net.modules() if isinstance(module, nn.Tanh)][-1:]
    hooks = [end.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for end in ends]
    try:
        with eager():  # a compiled network ignores new hooks
            yield seen
    finally:
        for hook in hooks:
            hook.remove()


def replace(net: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the module with this name."""
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, module)


def float32(images: Tensor) -> torch.autocast:
    """Turn off mixed precision on the images' device in this block, because second-order terms need float32."""
    return torch.autocast(images.device.type, enabled=False)


def plain_attention() -> contextlib.AbstractContextManager[object]:
    """Compute attention without fused kernels in this block: these cannot be differentiated twice.

    Entering takes a tenth of a millisecond, or nothing if it is active already: training enters once per call.
    """
    cuda = torch.backends.cuda
    fused = cuda.flash_sdp_enabled() or cuda.mem_efficient_sdp_enabled() or cuda.cudnn_sdp_enabled()
    return sdpa_kernel(SDPBackend.MATH) if fused else contextlib.nullcontext()


def total(values: Iterable[Tensor]) -> Tensor:
    """The sum of one or more tensors, added in order."""
    return functools.reduce(operator.add, values)


def squares(values: Tensor) -> Tensor:
    """Return the squared Euclidean norm (B,) of each sample's values (B, ...)."""
    return values.square().flatten(1).sum(1)


def length(values: Tensor) -> Tensor:
    """Return the Euclidean norm (B,) of each sample's values (B, ...); its gradient is finite at 0."""
    return root(squares(values))


def root(squared: Tensor) -> Tensor:
    """Return the square root of squared norms plus 1e-12, so that its gradient is finite at 0."""
    return torch.sqrt(squared + 1e-12)
