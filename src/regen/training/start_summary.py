"""Summary at the start of a run: data, model, regularizers, device and folder."""

import platform
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from torch import nn

from regen.data.images import Images
from regen.models.base import Model


def summarize(cfg: DictConfig, data: Images, model: Model, folder: Path) -> str:
    """Return five lines on a run's model, data, device and folder."""
    lines = {
        "data": _data(cfg, data),
        "model": _model(cfg, model),
        "regularizers": ", ".join(_regularizer(name, node) for name, node in cfg.regularizer.items()) or "none",
        "device": _device(cfg),
        "folder": f"{folder} (config.yaml is the full configuration)",
    }
    return "\n".join(f"{name:13}{text}" for name, text in lines.items())


def _data(cfg: DictConfig, data: Images) -> str:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    shape = " x ".join(map(str, data.shape))
    return f"{data.name}: {sizes}, each {shape}, batches of {cfg.data.batch_size}"


def _model(cfg: DictConfig, model: Model) -> str:
    networks = {name: getattr(model, name, None) for name in ("generator", "encoder", "discriminator")}
    counted = [
        f"{name} {_count(network)}"
        for name, network in networks.items()
        if isinstance(network, nn.Module) and any(True for _ in network.parameters())
    ]
    loss = str(cfg.loss.get("_target_", "")).rpartition(".")[2]
    return f"{type(model).__name__}: {', '.join(counted)} parameters, loss {loss}"


def _count(network: nn.Module) -> str:
    number = sum(parameter.numel() for parameter in network.parameters())
    return f"{number / 1e6:.1f}M" if number >= 1e6 else f"{number / 1e3:.0f}k"


def _regularizer(name: str, node: DictConfig) -> str:
    strengths = {key: node.get(key) for key in ("lambda_g", "lambda_d") if node.get(key) is not None}
    shown = [f"{key}={'schedule' if OmegaConf.is_config(value) else value}" for key, value in strengths.items()]
    return f"{name} ({', '.join(shown)})" if shown else name


def _device(cfg: DictConfig) -> str:
    trainer = cfg.trainer
    if trainer.accelerator in ("gpu", "cuda") and torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        threads = torch.get_num_threads()
        device = f"{trainer.accelerator} ({platform.machine()}), {threads} thread{'s' if threads != 1 else ''}"
    processes = f", {trainer.devices} devices a node" if trainer.devices not in (1, "1", "auto") else ""
    return f"{device}, precision {trainer.precision}{processes}{_reason(trainer)}"


def _reason(trainer: DictConfig) -> str:
    """Say why trainer=auto has chosen the device and the threads, "" if the trainer was typed."""
    if HydraConfig.get().runtime.choices.get("trainer") != "auto":
        return ""
    if trainer.accelerator == "gpu":
        return " (trainer=auto: torch finds a GPU)"
    same = "; 1 thread for equal results on any number of cores, more may be faster" if trainer.threads == 1 else ""
    return f" (trainer=auto: torch finds no GPU{same})"
