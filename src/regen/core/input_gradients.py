"""Methods for D's input gradients: the squared norm of each logit's gradient with respect to its image.

All methods are exact where they are allowed, in value and in the gradient with respect to D's parameters.
"""

import functools
import importlib
import sys
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from regen.core.forward import eager, squares
from regen.errors import ConfigError

Score = Callable[[Tensor], Tensor]  # images (B, ...) -> logits (B,)
KINKED: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Threshold,
)
KINKED += (nn.Hardshrink, nn.Softshrink, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)


class GradientMethod:
    """Method that maps a score function and points (B, ...) to the squared norms (B,) of the gradients."""

    shares_pass = False  # whether the loss can use the logits of the same pass

    def fit(self, discriminator: nn.Module) -> "GradientMethod":
        """Return the method for this D, usually itself. Raises ConfigError if it is wrong for D."""
        return self

    def __call__(self, score: Score, points: Tensor) -> Tensor:
        raise NotImplementedError


class Autograd(GradientMethod):
    """torch.autograd.grad with create_graph: a backward pass that can be differentiated once more.

    The fastest, because it shares D's pass with the loss. A compiled D cannot be differentiated twice this way.
    """

    shares_pass = True

    def __call__(self, score: Score, points: Tensor) -> Tensor:
        points = points.detach().requires_grad_()
        return squares(input_gradient(score(points), points))


class Functional(GradientMethod):
    """torch.func.grad: the same numbers by a separate pass; works inside a compiled function.

    Outside of one, a compiled D runs this pass uncompiled and all others compiled.
    """

    def __call__(self, score: Score, points: Tensor) -> Tensor:
        with eager():
            return squares(torch.func.grad(lambda images: score(images).sum())(points.detach()))


class ForwardMode(GradientMethod):
    """The derivative along the gradient's own direction v, <grad D(x), v>^2, by a forward-mode pass: no second-order backward.

    With v held fixed its value and its gradient with respect to D's parameters are those of ||grad D(x)||^2.
    """

    def __call__(self, score: Score, points: Tensor) -> Tensor:
        points = points.detach()
        return along(score, points, _direction(score, points)).square()


class FiniteDifferences(GradientMethod):
    """ForwardMode with (D(x + hv) - D(x - hv)) / 2h for the derivative: two plain passes, for any kind of D.

    Exact to O(h^2) where D is smooth. Wrong where it has kinks: for leaky ReLU networks the penalty's gradient was off by a
    factor of up to nine, because it depends on how often a kink lies between the two points. `fit` refuses such a D, but
    does not detect a kink inside a forward method.
    """

    def __init__(self, h: float = 1e-2) -> None:
        if not h > 0:
            raise ConfigError(f"gradient_method=finite_differences: h must be a number > 0, got {h}")
        self.h = h

    def fit(self, discriminator: nn.Module) -> GradientMethod:
        for name, layer in discriminator.named_modules():
            if isinstance(layer, KINKED):
                raise ConfigError(
                    "gradient_method=finite_differences needs a smooth discriminator, and layer "
                    f"{name} is a {type(layer).__name__}: "
                    "the gradient of the penalty would be wrong by a factor of up to nine. Type gradient_method=auto"
                )
        return self

    def __call__(self, score: Score, points: Tensor) -> Tensor:
        points = points.detach()
        move = self.h * _direction(score, points)
        return ((score(points + move) - score(points - move)) / (2 * self.h)).square()


class Automatic(GradientMethod):
    """Functional if D or a part of it is compiled, otherwise Autograd."""

    def fit(self, discriminator: nn.Module) -> GradientMethod:
        return Functional() if any(map(_is_compiled, discriminator.modules())) else Autograd()


def _is_compiled(module: nn.Module) -> bool:
    """Return whether torch.compile(module) or module.compile() was used."""
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    return (compiler and isinstance(module, compiler.OptimizedModule)) or module._compiled_call_impl is not None


def input_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """Return the gradient (B, ...) of each image's score (B,) with respect to that image, itself differentiable."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient


def along(score: Score, points: Tensor, directions: Tensor) -> Tensor:
    """Return the derivative (B,) of each point's score along its direction (B, ...), by an uncompiled forward-mode pass."""
    _load_forward_mode()
    with eager():
        return torch.func.jvp(score, (points,), (directions,))[1]


@functools.cache
def _load_forward_mode() -> None:
    """Load torch's forward-mode module without its own deprecation warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def _direction(score: Score, points: Tensor) -> Tensor:
    """Return unit vectors (B, ...) along the gradient of the score, without a graph; shorter where its square underflows."""
    with torch.enable_grad():
        watched = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(watched).sum(), watched)
    lengths = squares(gradient).sqrt().view(-1, *[1] * (points.ndim - 1))
    return gradient / lengths.clamp_min(torch.finfo(gradient.dtype).tiny ** 0.5)
