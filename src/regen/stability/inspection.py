"""Stability analysis of one game, or of each regularizer's, with tables and phase portraits."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from regen.config.instantiate import build
from regen.config.keys import entries
from regen.config.yaml_files import read_options
from regen.core.input_gradients import GradientMethod
from regen.core.objective import Loss
from regen.core.regularizer import Regularizer, is_number
from regen.stability.dirac_gan import Dirac, NoGame
from regen.stability.equilibrium import LocalStability, examine, spelt
from regen.stability.phase_plots import Portrait, save_one, save_page

COLUMNS = ("", "eigenvalues", "converges locally", "best strength", "simultaneous", "alternating")


def look(cfg: DictConfig, folder: Path) -> float:
    """Analyse the chosen regularizers together; returns the largest real part of the eigenvalues, nan without any."""
    portrait = portray(cfg, cfg.regularizer)
    print(f"Dirac-GAN, {_loss(cfg)}: {portrait.name}")
    analysis, rows = portrait.analysis, {}
    if analysis.eigenvalues:
        rows["eigenvalues"] = spelt(analysis.eigenvalues)
    rows["converges locally"] = analysis.answer
    rows |= {f"best {name}": str(best) for name, best in analysis.best.items()}
    if analysis.eigenvalues:
        rows[f"iterations of lr {cfg.lr:g}"] = (
            f"spectral radius {analysis.simultaneous:.5g} simultaneous, {analysis.alternating:.5g} alternating"
        )
    if portrait.game:
        save_one(portrait, portrait.game, folder / "portrait.png", cfg.lr, cfg.iterations, _loss(cfg))
        rows["portrait"] = str(folder / "portrait.png")
    print("\n".join(f"{name:24} {value}" for name, value in rows.items()))
    return analysis.abscissa


def look_at_all(cfg: DictConfig, folder: Path, names: Iterable[str] | None = None) -> float:
    """Analyse each regularizer (or those named) next to the chosen ones; returns the least largest real part."""
    nodes = read_options("regularizer")
    portraits = [portray(cfg, _merged(nodes[name], cfg.regularizer)) for name in names or nodes]
    print("\n".join(_table([COLUMNS, *map(_row, portraits)])))
    heading = f"Dirac-GAN, {_loss(cfg)}: θ to the right, ψ upwards, {cfg.iterations} iterations of lr {cfg.lr:g}"
    save_page(portraits, folder / "stability.png", cfg.lr, cfg.iterations, heading)
    print(f"\nportraits {folder / 'stability.png'}")
    return min((p.analysis.abscissa for p in portraits if p.analysis.eigenvalues), default=math.nan)


def portray(cfg: DictConfig, chosen: DictConfig) -> Portrait:
    """Analyse the game of these regularizers."""
    try:
        game = make_game(cfg, chosen)
    except NoGame as reason:
        return Portrait(_name(chosen), LocalStability(why_not=f"not applicable: {reason}"))
    analysis = examine(game, cfg.lr)
    return Portrait(_name(chosen), analysis, None if analysis.why_not.startswith("not") else game)


def make_game(cfg: DictConfig, chosen: DictConfig) -> Dirac:
    """Build the game of a configuration's loss and the chosen regularizers. Raises ConfigError, and NoGame as Dirac."""
    regularizers = {name: build(node, f"regularizer.{name}", Regularizer) for name, node in entries(chosen).items()}
    loss = build(cfg.loss, "loss", Loss)
    gradient_method = build(cfg.gradient_method, "gradient_method", GradientMethod)
    return Dirac(loss, regularizers, gradient_method, cfg.batch, cfg.iteration)


def _merged(option: DictConfig, chosen: DictConfig) -> DictConfig:
    merged = option.copy()
    merged.merge_with(chosen)
    return merged


def _name(chosen: DictConfig) -> str:
    """Name each regularizer with its constant strengths, or with its settings if they are one or two."""
    named = []
    for name, node in entries(chosen).items():
        numbers = {key: value for key, value in entries(node).items() if is_number(value) and key != "interval"}
        strengths = {key: value for key, value in numbers.items() if key.startswith("lambda_")}
        shown = strengths or (numbers if len(numbers) <= 2 else {})
        named.append(" ".join([name, *(f"{key}={value:g}" for key, value in shown.items() if value)]))
    return ", ".join(named) or "none"


def _loss(cfg: DictConfig) -> str:
    return f"loss {cfg.loss._target_.rpartition('.')[2]}"


def _row(portrait: Portrait) -> tuple[str, ...]:
    analysis = portrait.analysis
    if not analysis.eigenvalues:
        return portrait.name, "", analysis.answer
    best = "; ".join(str(one) if len(analysis.best) == 1 else f"{name} {one}" for name, one in analysis.best.items())
    radii = f"{analysis.simultaneous:.4f}", f"{analysis.alternating:.4f}"
    return portrait.name, spelt(analysis.eigenvalues), analysis.answer, best, *radii


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows in columns; the last cell of a shorter row extends over the remaining columns."""
    widths = [max(len(row[i]) for row in rows if len(row) == len(rows[0])) for i in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows]  # noqa: B905
