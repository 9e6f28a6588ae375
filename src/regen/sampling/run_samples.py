"""Sampling from runs: samples, grids, interpolations, directions and traversals."""

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from regen.config.checks import most_threads
from regen.data.mixtures import Mixture
from regen.data.window import window_of
from regen.errors import ConfigError
from regen.metrics.image_set import ImageSet
from regen.models.latent_directions import sefa, traversals, used
from regen.models.latents import Latents
from regen.models.protocols import Encodes, has_latents
from regen.plotting.plots import grid, save_png
from regen.plotting.sample_picture import IMAGES, POINTS, sample_picture
from regen.runs.codes import image_data
from regen.runs.guidance import set_guidance
from regen.runs.load import Opened, open_run
from regen.sampling.class_choice import ClassChoice
from regen.sampling.copy_filter import CopyFilter, as_samples, describe_shortage
from regen.sampling.option_checks import check_options, decoding_network
from regen.sampling.sample_values import SampleValues

PATIENCE = 1280  # consecutive copies after which sampling stops

log = logging.getLogger(__name__)


def sample_all(cfg: DictConfig, runs: Iterable[Path]) -> list[Path]:
    """Draw from each run, print the files and return the folders.

    A run that fails is logged, and the others continue. Raises ConfigError if all fail.
    """
    runs, folders = list(runs), []
    for run in runs:
        try:
            opened = open_run(run, cfg.checkpoint, cfg.device, cfg.data.root)
            out = None if cfg.out is None else Path(str(cfg.out))
            folders.append(Drawing(opened, cfg, out / run.name if out and len(runs) > 1 else out).write())
        except ConfigError as error:
            if len(runs) == 1:
                raise
            log.error("%s", error)
    if not folders:
        raise ConfigError(f"none of the {len(runs)} runs could be drawn from")
    return folders


class Drawing:
    """Samples of one run and their folder, by default RUN/drawn/<name>.

    Truncation multiplies z, like StyleGAN's, which moves latents towards their mean (Karras et al. 2019), 0 for z; that of
    Brock et al. 2019 redraws values beyond a threshold.
    """

    def __init__(self, opened: Opened, cfg: DictConfig, folder: Path | None = None) -> None:
        self.opened = opened = set_guidance(opened.with_weights(cfg.weights), cfg.guidance)
        self.cfg, model = cfg, opened.model
        data = opened.data if opened.shape[1:] == (1, 1) else None  # for images only the shape is needed
        self.plane = data if isinstance(data, Mixture) else None
        self.values = SampleValues(opened.shape, window_of({"data": image_data(opened.cfg)}), self.plane)
        self.what = list(cfg.write or ["grid", "images" if self.values.fit_png else "npz"])
        check_options(opened, cfg, self.what, self.values)
        self.classes = ClassChoice(cfg.label, model, cfg.columns, opened.class_names)
        self.rows = max(cfg.rows, self.classes.rows)
        self.n = cfg.n or (POINTS if self.plane else self.classes.rows * cfg.columns or IMAGES)
        parts = (model.seed, "samples") if cfg.seed is None else (cfg.seed, "drawn")
        self.latents = Latents(model.latent_size, *parts)
        self.copies = CopyFilter(opened.data, model.device, self.values.window) if cfg.refuse_copies else None
        self.folder = folder or opened.folder.path / "drawn" / self._name()
        if not has_latents(model) and cfg.seed is not None:
            model.seed = cfg.seed
        if isinstance(threads := opened.cfg.trainer.get("threads"), int):  # of a file that may be someone else's
            torch.set_num_threads(max(1, min(threads, most_threads())))

    def write(self) -> Path:
        """Write all files, print their paths and return the folder."""
        pictures = {"grid": self.grid, "interpolation": self.interpolation, "sweep": self.sweep}
        pictures |= {"directions": self.directions, "traversal": self.traversal}
        if self.copies:
            del pictures["grid"]  # made of the written images
        for name in [name for name in self.what if name in pictures]:
            save_png(pictures[name](), self.folder / f"{name}.png")
        self._stream()
        places = {"images": "images", "npz": "samples.npz"}
        for name in self.what:
            print(f"{name:14} {self.folder / places.get(name, f'{name}.png')}")
        return self.folder

    def grid(self) -> Tensor:
        """Draw the first images, or all points, as a grid (3, H', W') uint8."""
        n = self.n if self.plane else min(self.n, self.rows * self.cfg.columns)
        images = self.samples(0, n).cpu()
        return sample_picture(self.plane, images) if self.plane else grid(images, self.cfg.columns)

    def samples(self, first: int, n: int) -> Tensor:
        """Draw images number first to first + n - 1, (n, C, H, W) in [-1, 1]."""
        if not has_latents(self.opened.model):
            return self.opened.sample(first, n)
        return self.opened.model.decode(self.codes(first, n))

    def interpolation(self) -> Tensor:
        """Draw a grid of arcs between codes: each row begins where the one above it ends."""
        latents = self.latents(0, self.rows + 1)
        return self._picture(self.classes.interpolated(latents, self.cfg.truncation, self.cfg.steps), self.cfg.steps)

    def sweep(self) -> Tensor:
        """Draw a grid of one row of latents at each of several truncations."""
        latents = self.latents(0, self.cfg.columns)
        return self._picture(
            torch.cat([self.classes.codes(0, latents, truncation) for truncation in self.cfg.truncations]),
            self.cfg.columns,
        )

    def directions(self) -> Tensor:
        """Draw a grid of the first code moved along SeFa's directions, one per row."""
        return self._along(sefa(decoding_network(self.opened.model), self.opened.model.latent_dim).vectors)

    def traversal(self) -> Tensor:
        """Draw a grid of the first code moved along its axes, one per row, those first that held-out images use most."""
        held_out = ImageSet(self.opened.data.validation, torch.nn.Identity(), self.opened.model.device)
        model = cast(Encodes, self.opened.model)  # as check_options requires
        return self._along(used(model, held_out.labelled_batches()).vectors)

    def _along(self, vectors: Tensor) -> Tensor:
        z = self.codes(0, 1)[0]
        return self._picture(
            traversals(z, vectors[: self.cfg.rows].cpu(), self.cfg.steps, self.cfg.reach), self.cfg.steps
        )

    def codes(self, first: int, n: int) -> Tensor:
        """Return the codes (n, Z) of the truncated latents number first to first + n - 1."""
        return self.classes.codes(first, self.latents(first, n), self.cfg.truncation)

    def _picture(self, codes: Tensor, columns: int) -> Tensor:
        images = self.opened.model.decode(codes).cpu()
        return sample_picture(self.plane, images) if self.plane else grid(images, columns)

    def _stream(self) -> None:
        """Write all n images in batches; with refuse_copies, the grid, too."""
        gridded = self.cfg.rows * self.cfg.columns if self.copies and "grid" in self.what else 0
        first, shown = 0, []
        with contextlib.ExitStack() as stack:
            files = self.values.files(self.folder, self.n, self.what)
            for file in files:
                stack.enter_context(file)
            total = self.n if files else min(self.n, gridded)
            bar = stack.enter_context(tqdm(total=total, unit=" images", disable=None if files else True, leave=False))
            for rows in self._batches(total):
                for file in files:
                    file.add(first, rows)
                if first < gridded:
                    shown.append(rows[: gridded - first])
                first += len(rows)
                bar.update(len(rows))
        if shown:
            images = as_samples(np.concatenate(shown), self.values.window)
            save_png(grid(images, self.cfg.columns), self.folder / "grid.png")
        if self.copies and total:
            print(f"{self.copies.refused:,} of {self.copies.seen:,} images were copies of training images and left out")

    def _batches(self, n: int) -> Iterator[np.ndarray]:
        """Yield n images as batches (B, H, W, C), or points (B, 2); with `refuse_copies` without copies.

        The last batch is padded, so that an image does not depend on n: networks round differently in batches of another
        size. Raises ConfigError after PATIENCE consecutive copies.
        """
        written, in_vain = 0, 0
        for first in itertools.count(0, self.cfg.batch):
            if written == n:
                return
            rows = self.values.rows(self.samples(first, self.cfg.batch).cpu())
            rows = self.copies(rows, n - written) if self.copies else rows[: n - written]
            in_vain = 0 if len(rows) else in_vain + self.cfg.batch
            if in_vain >= PATIENCE:
                raise ConfigError(describe_shortage(written, n, in_vain))
            if len(rows):
                written += len(rows)
                yield rows

    def _name(self) -> str:
        cfg, parts = self.cfg, [f"iteration_{self.opened.model.iteration}", self.cfg.weights, str(self.n)]
        parts += [] if cfg.seed is None else [f"seed_{cfg.seed}"]
        parts += [] if cfg.label is None else [f"label_{self.classes.label}"]
        parts += [] if cfg.guidance is None else [f"guidance_{cfg.guidance:g}"]
        parts += [] if cfg.truncation == 1 else [f"truncation_{cfg.truncation:g}"]
        parts += ["without_copies"] if cfg.refuse_copies else []
        return "_".join(parts)
