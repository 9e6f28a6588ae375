"""The Dirac-GAN, a minimal GAN that can fail to converge, built from the classes that train.

The data are the point 0, G draws the point theta and D(x) = psi x (Mescheder, Geiger and Nowozin 2018, definition 2.1; D has no
bias). Images are of one pixel, (B, 1, 1, 1), in float64. The equilibrium is theta = psi = 0.
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from regen.core.gan_step import GANStep
from regen.core.input_gradients import GradientMethod
from regen.core.objective import Loss, Objective
from regen.core.regularizer import Regularizer
from regen.errors import ConfigError
from regen.stability.quadrature import Quantiles
from regen.utils.randomness import seeded

NEAR = 1e-8  # weights when regularizers are attached, so that averages of weights start at the equilibrium
SHORT = 1e-6  # learning rate of a step that follows the field


class NoGame(Exception):
    """Raised with the reason if the game does not exist."""


class Point(nn.Module):
    """G: z (B, Z) -> (B, 1, 1, 1), theta for any z; the derivatives with respect to z exist and are 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return (self.layer(torch.ones_like(z[:, :1])) + 0 * z.sum(1, keepdim=True))[..., None, None]


class Line(nn.Module):
    """D: (B, 1, 1, 1) -> (B,), psi x."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1)).flatten()


class Dirac:
    """Game of a loss and regularizers. A point (n,) contains theta, psi, and parameters that regularizers add.

    batch       quadrature nodes of each expectation
    iteration   the analysed iteration: late, so that warm-ups and schedules have ended

    State besides the weights is constant at its start, which is its value at the equilibrium: averages of weights, logits
    and gradient norms at 0, ADA's p and controlled strengths at `start`. A lazy penalty is applied at each update with
    weight 1. Raises NoGame if a regularizer cannot be combined with the loss, the networks or another one.
    """

    def __init__(
        self,
        loss: Loss,
        regularizers: Mapping[str, Regularizer],
        gradient_method: GradientMethod | None = None,
        batch: int = 1024,
        iteration: int = 1_000_000,
    ) -> None:
        for name, regularizer in regularizers.items():
            regularizer.interval = 1
            if regularizer.relative is not None:
                raise NoGame(f"{name}: relative= needs the data term's gradient, which is 0 at the equilibrium")
        self.real, self.iteration = torch.zeros(batch, 1, 1, 1, dtype=torch.float64), iteration
        with seeded("dirac"):  # drawn weights are replaced
            self.generator, self.discriminator, self.objective = Point(), Line(), Objective(loss, regularizers)
            _attach(self.objective, self.generator, self.discriminator)
        self.gradient_method = gradient_method.fit(self.discriminator) if gradient_method else None
        nets: dict[str, nn.Module] = {"g": self.generator, "d": self.discriminator}
        self.parameters: dict[str, list[Tensor]] = {player: list(net.parameters()) for player, net in nets.items()}
        buffers = [*self.generator.buffers(), *self.discriminator.buffers(), *self.objective.buffers()]
        self.state = [(buffer, buffer.clone()) for buffer in buffers]
        self.equilibrium = torch.cat([_at_rest(self.generator), _at_rest(self.discriminator)])
        self.n_g = sum(parameter.numel() for parameter in self.parameters["g"])

    def field(self, point: Tensor) -> Tensor:
        """Return the velocity (n,) of a point: minus each player's gradient of its loss, plus projections of weights."""
        return torch.cat([self._velocity(player, point, SHORT) for player in "gd"])

    def updated(self, point: Tensor, lr: float, alternating: bool) -> Tensor:
        """Return the point (n,) after an iteration of gradient descent: D first and then G, or both at once."""
        psi = point[self.n_g :] + lr * self._velocity("d", point, lr)
        met = torch.cat([point[: self.n_g], psi]) if alternating else point
        return torch.cat([point[: self.n_g] + lr * self._velocity("g", met, lr), psi])

    def at(self, theta: float, psi: float) -> Tensor:
        """Return the point (n,) with this theta and psi."""
        point = self.equilibrium.clone()
        point[0], point[self.n_g] = theta, psi
        return point

    def coarse(self, batch: int) -> "Dirac":
        """Return the same game with fewer quadrature nodes."""
        game = copy.copy(self)
        game.real = self.real[:batch]
        return game

    def _velocity(self, player: str, point: Tensor, lr: float) -> Tensor:
        """Return the change of a player's coordinates in its update, divided by the learning rate."""
        self._set(point)
        own, step = self.parameters[player], self._step(player, lr)
        with _telling():
            total, _ = self.objective(step)
            pull = torch.autograd.grad(total, own, allow_unused=True, materialize_grads=True)
            with torch.no_grad():
                torch._foreach_add_(own, pull, alpha=-lr)
                before = _flat(own).clone()
                self.objective.after_update(step, {})
                return (_flat(own) - before) / lr - _flat(pull)

    def _step(self, player: str, lr: float) -> GANStep:
        return GANStep(
            player=player,
            index=self.iteration,
            generator=self.generator,
            discriminator=self.discriminator,
            real=self.real,
            latent_dim=1,
            rng=lambda purpose: Quantiles("dirac", player, purpose),
            augment=self.objective.augment,
            lr=lr,
            iteration=self.iteration,
            images_seen=self.iteration * len(self.real),
            gradient_method=self.gradient_method,
            loss=self.objective.loss,
        )

    @torch.no_grad()
    def _set(self, point: Tensor) -> None:
        own = [*self.parameters["g"], *self.parameters["d"]]
        for parameter, values in zip(own, point.split([one.numel() for one in own]), strict=True):
            parameter.copy_(values.view_as(parameter))
        for buffer, value in self.state:
            buffer.copy_(value)


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Raise any exception of this block as NoGame with its reason."""
    try:
        yield
    except ConfigError as error:
        raise NoGame(str(error)) from error
    except (RuntimeError, ValueError, TypeError, IndexError, Warning) as error:
        raise NoGame(
            f"it does not work for networks of one weight, {str(error).partition('. ')[0].splitlines()[0]}"
        ) from error


def _attach(objective: Objective, *nets: Point | Line) -> None:
    for net in nets:
        nn.init.constant_(net.double().layer.weight, NEAR)
    with _telling(), warnings.catch_warnings():
        warnings.simplefilter("error")
        objective.attach(*nets)
    for module in (*nets, objective):
        module.double()  # also modules that were added


def _at_rest(net: nn.Module) -> Tensor:
    """Return the equilibrium (n,): zeros except for weight norm's directions, whose length is irrelevant."""
    named = net.named_parameters()
    return _flat([nn.init.constant_(p, float(name.endswith("weight.original1"))) for name, p in named]).clone()


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
