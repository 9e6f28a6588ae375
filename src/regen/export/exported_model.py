"""Export of a run's sampler; each file is read back and compared with the original."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor, nn

from regen.errors import ConfigError
from regen.export.dataset_facts import source_of
from regen.export.formats import KINDS, Format, chosen
from regen.export.model_card import Written, card
from regen.export.sampler import TOLERANCE, Sampler
from regen.plotting import plots
from regen.plotting.sample_picture import IMAGES, row_labels, sample_count, sample_picture
from regen.runs.codes import image_data
from regen.runs.find import find_runs
from regen.runs.load import Opened, open_run
from regen.runs.provenance import provenance
from regen.utils import program
from regen.utils.json_files import read_json
from regen.utils.safe_files import write_safely


def export_all(cfg: DictConfig) -> float:
    """Export each run of cfg.run and print the files; returns the largest difference from an original.

    Raises ConfigError on a run that cannot be opened, a missing package, several runs for one folder, and a file whose
    images differ from the original's.
    """
    formats, paths = chosen(cfg.formats, cfg.opset), find_runs(cfg.run)
    if cfg.out is not None and len(paths) > 1:
        raise ConfigError(
            f"out={cfg.out}: run={cfg.run} means {len(paths)} runs. Leave out=, and each gets its own folder"
        )
    worst = 0.0
    for path in paths:
        opened = open_run(path, cfg.checkpoint)
        folder = Path(cfg.out or opened.folder.path / "export")
        written = export(opened, cfg.weights, formats, folder, cfg.license)
        _show(opened, written, folder)
        worst = max(worst, *(one.difference for one in written))
    return worst


def export(
    opened: Opened, weights: str, formats: Sequence[Format], folder: Path, licence: str | None = None
) -> list[Written]:
    """Write the formats, config.yaml, the samples and the card of an opened run into a folder.

    Raises ConfigError if the images of a file differ from the original's (the file is removed), and if the model overrides
    `sample`.
    """
    opened = opened.with_weights(weights)
    network = opened.model.decoder_network()
    if network is None:
        raise ConfigError(
            f"{type(opened.model).__name__} has its own sample() or decode(), which no file could hold: draw with "
            f"{program.typed('sample')} run={opened.folder.path}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    sampler = plain_sampler(opened, network)
    facts = _facts(opened, weights, sampler)
    with quiet():
        written = [_verified(one, sampler, facts, folder / one.file) for one in formats]
    write_safely(folder / "config.yaml", opened.folder.config.read_bytes())
    plots.save_png(_picture(opened, sampler), folder / "samples.png")
    write_safely(folder / "README.md", card(opened, sampler, weights, written, licence).encode())
    return written


def plain_sampler(opened: Opened, network: nn.Module) -> Sampler:
    """Return the sampler of a run whose decoder is the network: of latents, and of labels if the run is conditional."""
    model, original = opened.model, opened.sampler()
    before = model.prior.before(network)
    if not model.n_classes:
        return Sampler(original, before, model.latent_size, model.seed)

    def of_labels(z: Tensor, labels: Tensor) -> Tensor:
        return original(nn.functional.pad(z, (0, 1)), labels)  # the last dimension selects a class where no label does

    return Sampler(of_labels, before, model.latent_size - 1, model.seed, model.n_classes)


def _picture(opened: Opened, sampler: Sampler) -> Tensor:
    """Draw samples of the exported weights, (3, H', W') uint8; images of a conditional model with a class in each row."""
    if source_of(image_data(opened.cfg)._target_).unit is not None:
        return sample_picture(opened.data, sampler.original(*sampler.inputs(sample_count(opened.data))))
    labels = row_labels(sampler.n_classes) if sampler.n_classes else None  # without the data set, which may be missing
    inputs = sampler.inputs(IMAGES) if labels is None else sampler.with_labels(labels)
    return plots.grid(sampler.original(*inputs))


def _verified(one: Format, sampler: Sampler, facts: Mapping[str, str], path: Path) -> Written:
    write_safely(path, one.content(sampler, facts))
    try:
        difference = sampler.difference(one.read(path, sampler))
        if not difference <= TOLERANCE:  # also refuses nan
            raise ConfigError(
                f"{path.name} generates other images than the run: they differ by {difference:.3g}, and {TOLERANCE:g} is "
                "allowed. It is removed; type formats=[…] without it"
            )
    except BaseException:
        path.unlink()
        raise
    return Written(path.name, one.what, path.stat().st_size, difference)


def _facts(opened: Opened, weights: str, sampler: Sampler) -> dict[str, str]:
    """Return the metadata of each file: strings."""
    result, exported = read_json(opened.folder.result), provenance()
    trained = {key: result.get(key) for key in ("commit", "uncommitted_changes", "python", "versions")}
    return {
        "config": opened.folder.config.read_text(),
        "weights": weights,
        "iteration": str(opened.state["iteration"]),
        "images_seen": str(opened.state["images_seen"]),
        "latent_dim": str(sampler.latent_dim),
        "shape": json.dumps(opened.shape),
        "trained_with": json.dumps(trained),
        "exported_with": json.dumps({key: exported[key] for key in trained}),
        **({"classes": json.dumps(opened.class_names)} if sampler.n_classes else {}),
    }


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence torch's exporters, which log at length about their internals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def _show(opened: Opened, written: Sequence[Written], folder: Path) -> None:
    table = Table("file", "bytes", "largest difference", title=f"{opened.folder.path.name} (exported)")
    for one in written:
        table.add_row(one.file, f"{one.size:,}", f"{one.difference:.1g}")
    console = Console()
    console.print(table)
    names = {"card": folder / "README.md", "folder": folder}
    for name, path in names.items():
        console.print(f"{name:8} {escape(str(path.resolve()))}", soft_wrap=True, highlight=False)
    for old in sorted({kind.file for kind in KINDS} - {one.file for one in written}):
        if (folder / old).exists():
            console.print(f"{old} in this folder is from an earlier export", soft_wrap=True, highlight=False)
