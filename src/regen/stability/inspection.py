"""What src/stability.py does: look at one game, or at each regularizer's, print what is found and draw it."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from regen.config.instantiate import build
from regen.config.suggestions import yamls
from regen.core.input_gradients import Slopes
from regen.core.objective import Loss
from regen.core.regularizer import Regularizer
from regen.stability.dirac_gan import Dirac, NoGame
from regen.stability.equilibrium import Verdict, examine, spelt
from regen.stability.phase_plots import Portrait, save_one, save_page

COLUMNS = ("", "eigenvalues", "converges locally", "best strength", "simultaneous", "alternating")


def look(cfg: DictConfig, folder: Path) -> float:
    """Look at the chosen regularizers together; the largest real part of the eigenvalues, nan if there are none."""
    portrait = portray(cfg, cfg.regularizer)
    print(f"Dirac-GAN, {_loss(cfg)}: {portrait.name}")
    verdict, rows = portrait.verdict, {}
    if verdict.eigenvalues:
        rows["eigenvalues"] = spelt(verdict.eigenvalues)
    rows["converges locally"] = verdict.answer
    rows |= {f"best {name}": str(best) for name, best in verdict.best.items()}
    if verdict.eigenvalues:
        rows[f"iterations of lr {cfg.lr:g}"] = (
            f"spectral radius {verdict.simultaneous:.5g} simultaneous, {verdict.alternating:.5g} alternating"
        )
    if portrait.game:
        save_one(portrait, folder / "portrait.png", cfg.lr, cfg.iterations, _loss(cfg))
        rows["portrait"] = str(folder / "portrait.png")
    print("\n".join(f"{name:24} {value}" for name, value in rows.items()))
    return verdict.abscissa


def look_at_all(cfg: DictConfig, folder: Path, names: Iterable[str] | None = None) -> float:
    """Look at each option of the group regularizer (or those named) beside the chosen ones; the least largest real part."""
    nodes = {path.stem: OmegaConf.load(path) for path in yamls("regularizer")}
    portraits = [portray(cfg, OmegaConf.merge(nodes[name], cfg.regularizer)) for name in names or nodes]
    print("\n".join(_table([COLUMNS, *map(_row, portraits)])))
    heading = f"Dirac-GAN, {_loss(cfg)}: θ to the right, ψ upwards, {cfg.iterations} iterations of lr {cfg.lr:g}"
    save_page(portraits, folder / "stability.png", cfg.lr, cfg.iterations, heading)
    print(f"\nportraits {folder / 'stability.png'}")
    return min((p.verdict.abscissa for p in portraits if p.verdict.eigenvalues), default=math.nan)


def portray(cfg: DictConfig, chosen: DictConfig) -> Portrait:
    """The game of these regularizers and the verdict on it."""
    try:
        game = make_game(cfg, chosen)
    except NoGame as reason:
        return Portrait(_name(chosen), Verdict(why_not=f"not applicable: {reason}"))
    verdict = examine(game, cfg.lr)
    return Portrait(_name(chosen), verdict, None if verdict.why_not.startswith("not") else game)


def make_game(cfg: DictConfig, chosen: DictConfig) -> Dirac:
    """The game of a configuration's loss and the chosen regularizers. Raises ConfigError, and NoGame as Dirac does."""
    regularizers = {name: build(node, f"regularizer.{name}", Regularizer) for name, node in chosen.items()}
    loss, slopes = build(cfg.loss, "loss", Loss), build(cfg.gradient_method, "gradient_method", Slopes)
    return Dirac(loss, regularizers, slopes, cfg.batch, cfg.iteration)


def _name(chosen: DictConfig) -> str:
    """Each regularizer with its strengths, or with its settings if they are one or two."""
    named = []
    for name, node in chosen.items():
        numbers = {key: value for key, value in node.items() if isinstance(value, int | float) and key != "every"}
        strengths = {key: value for key, value in numbers.items() if key.startswith("lambda_")}
        shown = strengths or (numbers if len(numbers) <= 2 else {})
        named.append(" ".join([name, *(f"{key}={value:g}" for key, value in shown.items() if value)]))
    return ", ".join(named) or "none"


def _loss(cfg: DictConfig) -> str:
    return f"loss {cfg.loss._target_.rpartition('.')[2]}"


def _row(portrait: Portrait) -> tuple[str, ...]:
    verdict = portrait.verdict
    if not verdict.eigenvalues:
        return portrait.name, "", verdict.answer
    best = "; ".join(str(one) if len(verdict.best) == 1 else f"{name} {one}" for name, one in verdict.best.items())
    radii = f"{verdict.simultaneous:.4f}", f"{verdict.alternating:.4f}"
    return portrait.name, spelt(verdict.eigenvalues), verdict.answer, best, *radii


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns; a row that is shorter than the first has its last words reach over the columns after them."""
    widths = [max(len(row[i]) for row in rows if len(row) == len(rows[0])) for i in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]  # noqa: B905
