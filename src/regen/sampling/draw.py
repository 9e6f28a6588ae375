"""What src/sample.py does: draw from runs, and write what is asked for."""

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from regen.data.images import Images
from regen.data.mixtures import Mixture
from regen.data.pixels import MODES
from regen.directions import sefa, traversals, used
from regen.errors import ConfigError
from regen.latents import Latents, paths, sweep
from regen.metrics.seen import Seen
from regen.opened import Opened, open_run
from regen.pictures import grid, save_png
from regen.sampling.files import Npz, PngFolder

log = logging.getLogger(__name__)


def sample_all(cfg: DictConfig, runs: Iterable[Path]) -> list[Path]:
    """Draw from each of the runs and print what was written; the folders. One that cannot be drawn from is named, the others
    go on. Raises ConfigError if none can.
    """
    runs, folders = list(runs), []
    for run in runs:
        try:
            opened = open_run(run, cfg.checkpoint, cfg.device)
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
    """One run, what is asked for of it, and where that is written: by default RUN/drawn/<what was drawn>.

    Truncation multiplies z, as StyleGAN's moves latents towards their mean (Karras et al. 2019), which for z is 0; that of
    Brock et al. 2019 draws again what lies beyond a threshold.
    """

    def __init__(self, opened: Opened, cfg: DictConfig, folder: Path | None = None) -> None:
        self.opened, self.cfg, model = opened, cfg, opened.model
        data = opened.data if opened.shape[1:] == (1, 1) else None  # of images nothing but the shape is needed
        self.plane = data if isinstance(data, Mixture) else None
        self.what = list(cfg.write or (["grid", "npz"] if self.plane else ["grid", "images"]))
        self._check_what()
        self.n = cfg.n or (self.plane.shown if self.plane else Images.shown)
        parts = (model.seed, "samples") if cfg.seed is None else (cfg.seed, "drawn")
        self.latents, self.decode = Latents(model.prior.z_size, *parts), opened.decoder(cfg.weights)
        self.folder = folder or opened.folder.path / "drawn" / self._name()
        if opened.cfg.trainer.get("threads"):
            torch.set_num_threads(opened.cfg.trainer.threads)

    def write(self) -> Path:
        """Write all of it and print where it is; the folder."""
        pictures = {"grid": self.grid, "interpolation": self.interpolation, "sweep": self.sweep}
        pictures |= {"directions": self.directions, "traversal": self.traversal}
        for name in [name for name in self.what if name in pictures]:
            save_png(pictures[name](), self.folder / f"{name}.png")
        self._stream()
        places = {"images": "images", "npz": "samples.npz"}
        for name in self.what:
            print(f"{name:14} {self.folder / places.get(name, f'{name}.png')}")
        return self.folder

    def grid(self) -> Tensor:
        """A picture (3, H', W') uint8 of the first images, or of all points."""
        n = self.n if self.plane else min(self.n, self.cfg.rows * self.cfg.columns)
        return self._picture(self.codes(0, n), self.cfg.columns)

    def interpolation(self) -> Tensor:
        """The same of arcs between codes: each row begins where the one above it ends."""
        return self._picture(paths(self.codes(0, self.cfg.rows + 1), self.cfg.steps), self.cfg.steps)

    def sweep(self) -> Tensor:
        """The same of one row of latents at each of several truncations."""
        z = sweep(self.latents(0, self.cfg.columns), self.cfg.truncations)
        return self._picture(self.opened.codes(z), self.cfg.columns)

    def directions(self) -> Tensor:
        """The same of the first code moved along SeFa's directions, one a row."""
        return self._along(sefa(self.opened.generator(self.cfg.weights), self.opened.model.z_size).vectors)

    def traversal(self) -> Tensor:
        """The same along the axes of the code, those first that held-out images use most."""
        held_out = Seen(self.opened.data.validation, torch.nn.Identity(), self.opened.model.device)
        return self._along(used(self.opened.model, held_out.batches()).vectors)

    def _along(self, vectors: Tensor) -> Tensor:
        z = self.codes(0, 1)[0]
        return self._picture(
            traversals(z, vectors[: self.cfg.rows].cpu(), self.cfg.steps, self.cfg.reach), self.cfg.steps
        )

    def codes(self, first: int, n: int) -> Tensor:
        """(n, Z) those of the latents number first to first + n - 1, truncated."""
        return self.opened.codes(self.cfg.truncation * self.latents(first, n))

    def _picture(self, codes: Tensor, columns: int) -> Tensor:
        images = self.decode(codes).cpu()
        return self.plane.draw(images) if self.plane else grid(images, columns)

    def _stream(self) -> None:
        """All n, a batch at a time, into the files that hold them all.

        The last batch is filled up, so that an image is the same however many are asked for, where the net rounds
        differently in batches of another size.
        """
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(file) for file in self._files()]
            bar = stack.enter_context(tqdm(total=self.n, unit=" images", disable=None if files else True, leave=False))
            for first in range(0, self.n if files else 0, self.cfg.batch):
                kept = min(self.cfg.batch, self.n - first)
                rows = self._rows(self.decode(self.codes(first, self.cfg.batch)))[:kept].cpu()
                for file in files:
                    file.add(first, rows)
                bar.update(kept)

    def _files(self) -> list[PngFolder | Npz]:
        c, h, w = self.opened.shape
        files: list[PngFolder | Npz] = [PngFolder(self.folder / "images", self.n)] if "images" in self.what else []
        if "npz" in self.what:
            shape, dtype = ((self.n, 2), "float32") if self.plane else ((self.n, h, w, c), "uint8")
            files.append(Npz(self.folder / "samples.npz", shape, dtype))
        return files

    def _rows(self, samples: Tensor) -> Tensor:
        """Samples (B, C, H, W) -> (B, H, W, C) uint8 rounded as in pictures, or points (B, 2) in the plane's own units."""
        if self.plane:
            return self.plane.to_plane(samples)
        finite = samples.nan_to_num(0, 0, 0).clamp(-1, 1)
        return finite.add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def _check_what(self) -> None:
        name = self.opened.folder.path.name
        if self.plane and (wrong := [one for one in self.what if one not in ("grid", "npz")]):
            raise ConfigError(
                f"write={wrong[0]}: {name} draws points in the plane, which are no images: type write=[grid,npz], "
                "a scatter plot and the points in the plane's own units"
            )
        if "traversal" in self.what and not hasattr(self.opened.model, "encode"):
            raise ConfigError(
                f"write=traversal: {name} has no encoder, and the axes of its latents mean nothing by themselves: type "
                "write=[directions]"
            )
        if "images" in self.what and self.opened.shape[0] not in MODES:
            raise ConfigError(f"write=images: those of {name} have {self.opened.shape[0]} channels: type write=[npz]")

    def _name(self) -> str:
        cfg, parts = self.cfg, [f"iteration_{self.opened.model.iteration}", self.cfg.weights, str(self.n)]
        parts += [] if cfg.seed is None else [f"seed_{cfg.seed}"]
        parts += [] if cfg.truncation == 1 else [f"truncation_{cfg.truncation:g}"]
        return "_".join(parts)
