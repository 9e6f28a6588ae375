"""Model card (Mitchell et al. 2019; Hugging Face's format): README.md, generated from the run and its files."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import yaml
from omegaconf import DictConfig
from torch import nn

from regen.config.instantiate import resolve
from regen.core.constraints import words
from regen.export.card_figures import figures, sentence
from regen.export.dataset_facts import source_of
from regen.export.sampler import Sampler
from regen.export.usage import use
from regen.metrics.number_format import percent
from regen.models.build_model import nets_of
from regen.runs.codes import image_data
from regen.runs.load import Opened
from regen.runs.stored_config import plain_overrides
from regen.utils import program
from regen.utils.containers import to_dict
from regen.utils.json_files import read_json

NOT_KNOWN = "not recorded"


@dataclass(frozen=True)
class Written:
    """A verified file: its name, description, size in bytes, and largest difference from the original."""

    file: str
    what: str
    size: int
    difference: float


def card(opened: Opened, sampler: Sampler, weights: str, written: Sequence[Written], licence: str | None) -> str:
    """Return the text of the model card of an exported sampler, `weights` as in `Opened.with_weights`."""
    parts = [
        _header(opened, written, licence),
        _what(opened, sampler, weights),
        "![Samples of these weights](samples.png)",
        _files(written),
        use(opened, sampler, written),
        _data(opened.cfg),
        _training(opened, sampler.net),
        figures(opened, weights),
        _limits(opened, licence),
    ]
    return "\n\n".join(parts) + "\n"


def _header(opened: Opened, written: Sequence[Written], licence: str | None) -> str:
    made, conditional = [file.file.rpartition(".")[2] for file in written], bool(opened.model.n_classes)
    data = image_data(opened.cfg)
    tags = [
        opened.model.kind,
        "regen",
        _name(data),
        *["class-conditional"] * conditional,
        *opened.cfg.regularizer,
        *made,
    ]
    header = {"library_name": "pytorch", "tags": tags}
    if source_of(data._target_).unit is None and not conditional:
        header["pipeline_tag"] = "unconditional-image-generation"
    if licence:
        header["license"] = licence
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---"


def _what(opened: Opened, sampler: Sampler, weights: str) -> str:
    data, result = image_data(opened.cfg), read_json(opened.folder.result)
    facts, codes = source_of(data._target_), "" if data is opened.cfg.data else "the latent codes of "
    kinds = {"ema": "the moving average of the generator's weights", "raw": "the generator's own weights"}
    averaged = kinds.get(weights, f"a post-hoc average of the generator's weights ({weights})")
    inputs = f" and one of {sampler.n_classes} classes" if sampler.n_classes else ", and takes no class or prompt"
    lines = [
        f"# A {opened.model.kind}: {_name(data)}",
        f"The sampler of a {opened.model.kind} trained on {codes}{facts.what}. It generates images "
        f"{opened.shape} (channels, height, width) with values in [-1, 1] of {sampler.latent_dim} numbers from "
        f"N(0, 1){inputs}. The files hold {averaged} after {opened.state['iteration']:,} iterations and "
        f"{opened.state['images_seen']:,} real images seen.",
    ]
    if described := (result.get("diagnosis") or {}).get("sentence"):
        lines.append(f"Diagnosis at the end of training: **{described}**")
    if result.get("status", "still training") != "finished":
        reason = f" ({result['reason']})" if result.get("reason") else ""
        lines.append(f"The run is {result.get('status', 'still training')}{reason}.")
    return "\n\n".join(lines)


def _files(written: Sequence[Written]) -> str:
    rows = [f"| `{w.file}` | {w.what} | {w.size:,} | {w.difference:.1g} |" for w in written]
    return "\n".join(
        [
            "## Files",
            "",
            "Each was read back and compared with the original on batches of 1, 2 and 7 latents.",
            "",
            "| file | content | bytes | largest difference of a value |",
            "|---|---|---|---|",
            *rows,
            "",
            "`config.yaml` is the configuration of the run. The metadata of each file contain it, too, with the run's "
            "provenance.",
        ]
    )


def _data(cfg: DictConfig) -> str:
    data = image_data(cfg)
    facts = source_of(data._target_)
    values = _values(data, without=("root", "workers", "monitor", "in_memory_bytes", "batch_size"))
    what = f"{facts.what[0].upper()}{facts.what[1:]}."
    return f"## Data\n\n{what}\n\n- Source: {facts.source}\n- Licence of the data: {facts.licence}\n- As used: {values}"


def _training(opened: Opened, net: nn.Module) -> str:
    cfg, result = opened.cfg, read_json(opened.folder.result)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    versions = ", ".join(f"{name} {version}" for name, version in result.get("versions", {}).items() if version)
    commit = result.get("commit") or NOT_KNOWN
    dirty = ", with uncommitted changes" if result.get("uncommitted_changes") else ""
    rows = {
        **{
            name: f"`{cfg.network[name]._target_}` ({_values(cfg.network[name])})"
            for name in nets_of(type(opened.model))
        },
        "exported network": f"{parameters:,} parameters",
        "loss": f"`{cfg.loss._target_}`: {sentence(resolve(cfg.loss._target_, 'loss'))}",
        "optimizers": "; ".join(f"{p.upper()}: {_instance(cfg.model[f'optimizer_{p}'])}" for p in opened.model.players),
        "model": _model(cfg.model),
        "batch": f"{cfg.data.batch_size} a process, {cfg.trainer.precision} on {cfg.trainer.accelerator}",
        "seed": str(cfg.seed),
        "command": f"`{_command(opened)}`",
        "git commit": f"`{commit}`{dirty}",
        "versions": f"Python {result['python']}, {versions}" if versions else NOT_KNOWN,
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"## Training\n\n| | |\n|---|---|\n{table}\n\n{_regularizers(cfg)}"


def _model(node: DictConfig) -> str:
    values, prior = _values(node, without=("optimizer_g", "optimizer_d", "prior")), node.get("prior")
    return f"{values}; codes of samples from `{prior._target_}` ({_values(prior)})" if prior else values


def _regularizers(cfg: DictConfig) -> str:
    if not cfg.regularizer:
        return "No regularizer."
    lines = ["| regularizer | formula | source | values |", "|---|---|---|---|"]
    for name, node in cfg.regularizer.items():
        described = words(resolve(node._target_, f"regularizer.{name}"))
        formula = described.formula.replace("|", r"\|")
        lines.append(f"| `{name}` | {formula} | {described.source} | {_values(node)} |")
    return "\n".join(lines)


def _limits(opened: Opened, licence: str | None) -> str:
    cfg = opened.cfg
    best = opened.state["best"].get("iteration") == opened.state["iteration"]
    lines = [
        "It generates only images like its training data, with their gaps and biases.",
        f"One run with one seed ({cfg.seed}): another seed, processor or version gives other weights and metrics.",
        _copies(read_json(opened.folder.result).get("figures") or {}),
        *(
            [f"These weights had the best {cfg.monitor} of their run; if they were selected by it, it is optimistic."]
            * best
        ),
        *(["The licence of the weights is not stated."] if not licence else []),
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _copies(figures: dict) -> str:
    """State the share of copies of training images."""
    if "gap/copies" not in figures:
        return "A generated image may be a copy of a training image: copies were not counted."
    high = max(float(figures["gap/copies_high"]), 0.0)
    return (
        "A generated image may be a copy of a training image: at the end of the run at most "
        f"{percent(high)} of the samples were, beyond the share among held-out images (95% interval)."
    )


def _command(opened: Opened) -> str:
    """Return the typed command without output folder and resume=."""
    typed = plain_overrides(opened.folder.overrides)
    return shlex.join([*program.typed("train").split(), *(word for word in typed if not word.startswith("resume="))])


def _name(node: DictConfig) -> str:
    return node._target_.rpartition(".")[2]


def _instance(node: DictConfig) -> str:
    return f"{_name(node)} ({_values(node)})"


def _values(node: DictConfig, without: Sequence[str] = ()) -> str:
    """List `name=value, …` of all set values."""
    kept = {k: v for k, v in to_dict(node).items() if not k.startswith("_") and k not in without and v is not None}
    schedules = {k: _instance(node[k]) for k, v in kept.items() if isinstance(v, dict) and "_target_" in v}
    return ", ".join(f"{key}={value}" for key, value in (kept | schedules).items())
