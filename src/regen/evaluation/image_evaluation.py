"""Evaluation of generated images without a model: prints the metric table and writes result.json and a page."""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import torch
from omegaconf import DictConfig
from rich.console import Console

from regen.config.instantiate import build
from regen.config.resolvers import folder_name, slug
from regen.data.compared_inputs import open_images, resized
from regen.data.image_input import ImageInput
from regen.data.images import Images
from regen.data.split import Files, Split
from regen.data.survey import check_background
from regen.data.window import FULL_8, check_window
from regen.errors import ConfigError
from regen.evaluation.compared_images import MONITOR, GivenImages, load, plain
from regen.metrics.base import EvaluationBatch
from regen.metrics.chosen_metrics import make_metrics
from regen.metrics.diagnosis import Diagnosis, diagnose
from regen.metrics.evaluator import Evaluator
from regen.metrics.features import Source
from regen.metrics.generalization import generalization
from regen.metrics.image_set import ImageSet
from regen.metrics.memorization import Memorization
from regen.metrics.metric_table import metric_table
from regen.metrics.registry import STORED, stored_figures
from regen.models.base import Model
from regen.runs.folder import Folder
from regen.runs.provenance import provenance
from regen.utils.json_files import write_json
from regen.utils.memory import peak_mb
from regen.utils.project import ROOT
from regen.utils.safe_files import write_safely

TIMES = 5  # samples for features, in multiples of those of an evaluation during training
SPLIT = "val"


def judge(cfg: DictConfig, write_page: Callable[[Folder, EvaluationBatch, dict, Images], object]) -> float:
    """Measure the samples, print the metric table and the diagnosis, and write them with a page; the generalization.

    write_page   makes the page, unless report=false

    Raises ConfigError on unreadable images, different shapes and too few images.
    """
    began = time.perf_counter()
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    folder, console = _folder(cfg), Console()
    inputs = [open_images(key, str(cfg[key])) for key in ("samples", "train", "held_out")]
    looks = check_window(plain(cfg.window), "window"), check_background(plain(cfg.background), "background")
    samples, data = load(inputs, plain(cfg.image_size), cfg.channels, cfg.name, *looks)
    _print_inputs(console, inputs, data)
    evaluator, look = _prepare(cfg, samples, data, console)
    figures = measure(evaluator, look, samples)
    diagnosis = diagnose([figures], SPLIT, missing=evaluator.missing, held_out=len(data.validation))
    result = _result(figures, diagnosis, inputs, data, evaluator) | {"seconds": round(time.perf_counter() - began, 1)}
    _write(folder, result)
    if cfg.report:
        write_page(folder, look, result, data)
    console.print(metric_table(f"{len(samples):,} samples of {inputs[0].path.name}", figures))
    console.print(diagnosis.sentence, style="bold", markup=False, highlight=False)
    _print_outputs(console, folder, len(samples), time.perf_counter() - began, cfg.report)
    return figures.get(MONITOR, float("nan"))


def _prepare(
    cfg: DictConfig, samples: Split | Files, data: Images, console: Console
) -> tuple[Evaluator, EvaluationBatch]:
    device = _device(cfg.device)
    source = build(cfg.metrics.features, "metrics.features", Source).for_data(data)
    n = min(len(samples), cfg.feature_samples or TIMES * source.evaluation_samples)
    if n < len(samples):
        console.print(f"features are computed of the first {n:,} samples (feature_samples)", highlight=False)
    model = cast(Model, GivenImages(samples, device))  # its metrics read nothing but samples
    metrics = make_metrics(cfg, data, model)
    evaluator = Evaluator(data, metrics, source, Path(cfg.cache), device, samples=n, split=SPLIT)
    return evaluator, evaluator.look(model)


def _result(
    figures: dict[str, float],
    diagnosis: Diagnosis,
    inputs: Sequence[ImageInput],
    data: Images,
    evaluator: Evaluator,
) -> dict[str, object]:
    settings = {
        "image_size": list(data.shape[1:]),
        "channels": data.shape[0],
        **data.recorded,
        "classes": list(data.class_names) or None,
        "features": type(evaluator.source).__name__,
        "feature_samples": evaluator.samples,
    }
    return {
        "status": "judged",
        "name": data.name,
        "monitor": MONITOR,
        "figures": figures,
        STORED: stored_figures(figures),
        "diagnosis": asdict(diagnosis),
        "inputs": {images.key: _facts(images) for images in inputs},
        "settings": settings,
        **provenance(),
    }


def _print_outputs(console: Console, folder: Folder, n: int, seconds: float, has_page: bool) -> None:
    console.print(f"{n:,} samples in {seconds:.1f} s, peak memory {peak_mb('cpu'):,.0f} MB", highlight=False)
    for name, path in {"page": folder.page, "figures": _table(folder), "result": folder.result}.items():
        if name != "page" or has_page:
            console.print(f"{name:8} {path}", soft_wrap=True, markup=False, highlight=False)


def measure(evaluator: Evaluator, look: EvaluationBatch, samples: Split | Files) -> dict[str, float]:
    """Return the evaluator's figures; those of memorization, which need no features, are of all samples."""
    memorization = {name: one for name, one in evaluator.metrics.items() if isinstance(one, Memorization)}
    if not memorization or len(samples) == len(look.fake):
        return evaluator.measure(look)
    evaluator.metrics = {name: one for name, one in evaluator.metrics.items() if name not in memorization}
    figures = evaluator.measure(look)
    everything = replace(look, fake=ImageSet(samples, look.fake.net, look.fake.device))
    for metric in memorization.values():
        figures |= metric.measure(everything)
    return generalization(figures, SPLIT) | figures


def _folder(cfg: DictConfig) -> Folder:
    """Return the output folder. Raises ConfigError if it holds a run."""
    if cfg.out is None:
        name = folder_name(slug("_".join(Path(str(cfg.samples)).parts[-2:])))
        return Folder(ROOT / "outputs" / "judge" / name)
    folder = Folder(Path(str(cfg.out)))
    if folder.config.exists() or folder.metrics.exists():
        raise ConfigError(f"out={cfg.out} is the folder of a run, whose result.json would be lost: type another folder")
    return folder


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device=cuda: torch finds no GPU. Type device=cpu or device=auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _facts(images: ImageInput) -> dict:
    return {"path": str(images.path), "images": len(images), "size": list(images.size), "channels": images.channels}


def _print_inputs(console: Console, inputs: Sequence[ImageInput], data: Images) -> None:
    channels, height, width = data.shape
    kind = {1: "grey images", 3: "colour images"}.get(channels, f"images of {channels} channels")
    low, high = data.recorded["window"]
    values = "" if (low, high) == FULL_8 else f", values from {low:g} to {high:g}"
    console.print(f"compared as {kind} of {height} x {width} pixels{values}", highlight=False)
    for images in inputs:
        console.print(f"{images.key:8} {len(images):>9,} images  {images.path}", highlight=False, soft_wrap=True)
    for sentence in resized(inputs, (height, width)):
        console.print(sentence, highlight=False)
    if data.class_names:
        console.print(f"labels: {len(data.class_names)} classes", highlight=False)


def _table(folder: Folder) -> Path:
    return folder.path / "figures.csv"


def _write(folder: Folder, result: dict) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    write_json(folder.result, result)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("figure", "value"), *result["figures"].items()])
    write_safely(_table(folder), text.getvalue().encode())
