"""Local stability of a Dirac-GAN: eigenvalues, the best strength, and the spectral radius of an iteration."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from regen.core.regularizer import Regularizer, is_number
from regen.stability.dirac_gan import Dirac, NoGame

H = 1e-5  # step of the finite differences
AGREE = 1e-3  # relative; larger disagreement of differences indicates a kink
ZERO = 1e-6  # smaller rates count as 0
SLIGHT = 1e-4  # smaller entries of the Jacobian of a penalty of strength 1 count as 0
STRENGTHS = torch.logspace(-3, 3, 241, dtype=torch.float64)  # candidates for the best strength
GOLDEN = (math.sqrt(5) - 1) / 2


class Singular(Exception):
    """Raised with the reason if the field has no derivative at the equilibrium."""


@dataclass(frozen=True)
class Best:
    """Strengths of a regularizer at which the slowest mode of the game decays fastest, and that rate.

    Empty if no strength in 0.001 … 1000 damps; `bounded` is False if the largest is the best.
    """

    strengths: dict[str, float] = field(default_factory=dict)
    rate: float = 0.0
    bounded: bool = True

    def __str__(self) -> str:
        if not self.strengths:
            return "no strength damps"
        if not self.bounded:
            return "the largest, without a bound"
        return f"{', '.join(f'{name}={value:.3g}' for name, value in self.strengths.items())}: rate {self.rate:.3g}"


@dataclass(frozen=True)
class LocalStability:
    """Local behaviour of a game at its equilibrium.

    eigenvalues              of the field's Jacobian, without directions in which it is 0
    simultaneous, alternating   the spectral radius of an iteration's update map: the distance changes by this factor
    best                     for each regularizer with strengths
    why_not                  the reason for missing eigenvalues
    """

    eigenvalues: tuple[complex, ...] = ()
    simultaneous: float = math.nan
    alternating: float = math.nan
    best: dict[str, Best] = field(default_factory=dict)
    why_not: str = ""

    @property
    def abscissa(self) -> float:
        """Largest real part; the game converges locally if it is below 0."""
        return max((value.real for value in self.eigenvalues), default=math.nan)

    @property
    def converges(self) -> bool:
        """True if all modes decay."""
        return self.abscissa < -ZERO

    @property
    def answer(self) -> str:
        """ "yes" or "no": whether the game converges locally."""
        if self.why_not:
            return self.why_not
        return "yes" if self.converges else "no, it diverges" if self.abscissa > ZERO else "no"


def spelt(eigenvalues: Iterable[complex]) -> str:
    """Format eigenvalues to three digits, with conjugates and equal ones merged: "-0.5 (2)", "-0.05 ± 0.497i"."""
    found: dict[str, int] = {}
    for value in sorted(eigenvalues, key=lambda one: (-one.real, abs(one.imag))):
        real, imaginary = (part if abs(part) > SLIGHT else 0.0 for part in (value.real, value.imag))
        if imaginary >= 0:
            pair = f"± {imaginary:.3g}i" if real else f"±{imaginary:.3g}i"
            text = " ".join([f"{real:.3g}"] * bool(real or not imaginary) + [pair] * bool(imaginary))
            found[text] = found.get(text, 0) + 1
    return ", ".join(text if times == 1 else f"{text} ({times})" for text, times in found.items())


def examine(game: Dirac, lr: float) -> LocalStability:
    """Analyse a game whose iterations have learning rate lr."""
    try:
        matrix = jacobian(game)
        kept, n_g = essential(matrix, game.n_g)
        if not (kept[:n_g, n_g:].any() or kept[n_g:, :n_g].any()):
            raise NoGame("it hides images of one pixel from D, so that the players do not interact")
        best = {name: best_strength(game, name) for name, one in game.objective.regularizers.items() if movable(one)}
    except Singular as reason:
        return LocalStability(why_not=f"singular ({reason})")
    except NoGame as reason:
        return LocalStability(why_not=f"not applicable: {reason}")
    return LocalStability(tuple(torch.linalg.eigvals(kept).tolist()), *radii(kept, n_g, lr), best)


def jacobian(game: Dirac) -> Tensor:
    """Return the Jacobian (n, n) of the field at the equilibrium, by central differences.

    Raises Singular if it is not finite or has a kink or a jump, and NoGame if the equilibrium is elsewhere.
    """
    rest = game.equilibrium
    here, moves = game.field(rest), H * torch.eye(len(rest), dtype=rest.dtype)
    above, below, far_above, far_below = (
        torch.stack([game.field(rest + way * move) for move in moves], dim=1) for way in (1, -1, 10, -10)
    )
    if not here.isfinite().all():
        raise Singular("undefined")
    central, far = (above - below) / (2 * H), (far_above - far_below) / (20 * H)
    forward, backward = (above - here[:, None]) / H, (here[:, None] - below) / H
    scale = AGREE * central.abs().max()
    if not ((far - central).abs().max() <= scale and (forward - backward).abs().max() <= scale):
        raise Singular("kink")
    if here.abs().max() > 1e-6:
        raise NoGame("it moves the equilibrium away from theta = psi = 0")
    return central


def essential(matrix: Tensor, n_g: int) -> tuple[Tensor, int]:
    """Remove each player's directions with zero rows and columns from the Jacobian; returns it (m, m) and the number of G's."""
    basis, kept = _directions([matrix], n_g)
    return basis.T @ matrix @ basis, kept


def _directions(matrices: Sequence[Tensor], n_g: int) -> tuple[Tensor, int]:
    """Return the directions (n, m) of both players in which a matrix is not 0, and the number of G's."""
    both = torch.cat([one for matrix in matrices for one in (matrix, matrix.T)])
    bases = []
    for columns in (both[:, :n_g], both[:, n_g:]):
        _, sizes, directions = torch.linalg.svd(columns, full_matrices=False)
        bases.append(directions[sizes > ZERO].T)
    return torch.block_diag(*bases), bases[0].shape[1]


def radii(matrix: Tensor, n_g: int, lr: float) -> tuple[float, float]:
    """Return the spectral radii of simultaneous steps, I + hJ, and of D's step followed by G's."""
    identity, of_g = torch.eye(len(matrix), dtype=matrix.dtype), torch.zeros_like(matrix)
    of_g[:n_g] = matrix[:n_g]
    maps = identity + lr * matrix, (identity + lr * of_g) @ (identity + lr * (matrix - of_g))
    return tuple(torch.linalg.eigvals(one).abs().max().item() for one in maps)


def movable(regularizer: Regularizer) -> bool:
    """Return whether a regularizer has a strength that is a number above 0."""
    strengths = [one for one in regularizer.strengths.values() if one != 0]
    return bool(strengths) and not any(map(callable, strengths))


def best_strength(game: Dirac, name: str) -> Best:
    """Find the best strengths of a regularizer, in their present proportion; all others are unchanged.

    The field and its Jacobian are linear in them. Raises Singular and NoGame as `jacobian`.
    """
    regularizer = game.objective.regularizers[name]
    now = {player: strength for player, strength in regularizer.strengths.items() if is_number(strength)}
    most = max(now.values())
    matrices = []
    for factor in (0.0, 1 / most):
        regularizer.strengths = {player: factor * strength for player, strength in now.items()}
        matrices.append(jacobian(game))
    regularizer.strengths = dict(now)
    plain, change = matrices[0], matrices[1] - matrices[0]
    change[change.abs() < SLIGHT] = 0
    basis, _ = _directions([plain, change], game.n_g)

    def worst(strengths: Tensor) -> Tensor:
        return torch.linalg.eigvals(basis.T @ (plain + strengths[:, None, None] * change) @ basis).real.amax(1)

    found = worst(STRENGTHS)
    place = int(found.argmin())
    if found[place] > -ZERO:
        return Best()
    bounded = 0 < place < len(STRENGTHS) - 1
    strength = _golden(worst, STRENGTHS[place - 1].log(), STRENGTHS[place + 1].log()) if bounded else STRENGTHS[place]
    rate = -worst(strength[None]).item()
    return Best({f"lambda_{p}": (one / most * strength).item() for p, one in now.items() if one}, rate, bounded)


def _golden(worst: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Return the minimizer () of `worst` between two logarithms, by golden-section search."""
    while high - low > 1e-6:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        one, other = worst(torch.stack([left, right]).exp())
        low, high = (low, right) if one < other else (left, high)
    return ((low + high) / 2).exp()
