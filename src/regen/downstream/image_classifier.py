"""The classifier of downstream tasks: a small convolutional network, trained by Lightning on keyed batches."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional as F

from regen.data.batches import Stream
from regen.data.split import Split, as_float
from regen.downstream.labelled_images import labels_of
from regen.errors import ConfigError
from regen.metrics.features.classifier import FeatureNet
from regen.utils.randomness import Draws, key, seeded

AT_A_TIME = 500  # images in a pass
Transform = Callable[[Tensor, Draws], Tensor]  # images (B, C, H, W) -> images of the same shape


class ConvolutionalClassifier(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> logits (B, classes): the feature network of the metrics, untrained."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.net = FeatureNet(shape, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.net.classify(self.net(images))


@dataclass(frozen=True)
class Recipe:
    """Training of a classifier, equal for each method of a comparison.

    steps   number of updates
    batch   images in an update
    lr      the first learning rate of Adam, which falls to 0 along a cosine (Loshchilov and Hutter 2017)

    Raises ConfigError on a number that is too small.
    """

    steps: int = 400
    batch: int = 64
    lr: float = 3e-3

    def __post_init__(self) -> None:
        for name, least in {"steps": 1, "batch": 2}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name}={getattr(self, name)}: expected {least} or more")
        if not 0 < self.lr < math.inf:
            raise ConfigError(f"lr={self.lr}: expected a finite number > 0")


class LabelledBatches:
    """The batches of a training: keyed by a seed, and the same for each method that is given the same images.

    real        labelled images
    generated   images of which half of each batch consists; None: all of a batch is real
    transform   applied to the real images of a batch
    """

    def __init__(
        self, recipe: Recipe, seed: int, real: Split, generated: Split | None = None, transform: Transform | None = None
    ) -> None:
        self.steps, self.seed, self.transform = recipe.steps, seed, transform
        half = recipe.batch // 2 if generated is not None else 0
        self.parts = [(real, self._stream(real, recipe.batch - half, "real"))]
        if generated is not None:
            self.parts.append((generated, self._stream(generated, half, "generated")))

    def _stream(self, split: Split, batch: int, name: str) -> Stream:
        return Stream(len(split), batch, 1, key(self.seed, "downstream", name))

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(self.steps):
            images, labels = zip(*(split[stream.indices(step, 1)[0, 0]] for split, stream in self.parts), strict=True)
            batches = [as_float(part) for part in images]
            if self.transform is not None:
                batches[0] = self.transform(batches[0], Draws(self.seed, "downstream", "transform", step))
            yield torch.cat(batches), torch.cat(labels)


class ImageClassifier(LightningModule):
    """A network from images to logits that learns labels by cross-entropy.

    before_step   called with the step's number before each update: a generative model that shares the trunk learns there
    """

    def __init__(self, net: nn.Module, recipe: Recipe, before_step: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self.net, self.recipe, self.before_step = net, recipe, before_step

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        if self.before_step:
            self.before_step(number)
        images, labels = batch
        return F.cross_entropy(self.net(images), labels)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        adam = torch.optim.Adam(self.net.parameters(), self.recipe.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.recipe.steps)
        return {"optimizer": adam, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(module: ImageClassifier, batches: LabelledBatches, device: torch.device) -> nn.Module:
    """Train on a device, and return the network in eval mode."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its notes would appear for each classifier
    trainer = Trainer(
        accelerator=device.type,
        devices=1 if device.type == "cpu" else [device.index or 0],
        plugins=[LightningEnvironment()],  # one process, whatever a launcher left in the environment
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]  # the command has its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about loaders, workers and logging, which does not apply
        trainer.fit(module, batches)
    return module.net.to(device).eval()


def train_classifier(
    batches: LabelledBatches, recipe: Recipe, classes: int, device: torch.device, seed: int
) -> nn.Module:
    """Train a classifier from initial weights that the seed alone determines."""
    with seeded(seed, "downstream", "weights"):
        net = ConvolutionalClassifier(batches.parts[0][0].shape, classes)
    return fit(ImageClassifier(net.to(memory_format=torch.channels_last), recipe), batches, device)


@torch.no_grad()
def is_correct(net: nn.Module, split: Split, device: torch.device) -> Tensor:
    """Return (N,) bool: whether the network finds the label of each image."""
    rows = torch.arange(len(split)).split(AT_A_TIME)
    found = [net(as_float(split[row][0]).to(device)).argmax(1).cpu() for row in rows]
    return torch.cat(found) == labels_of(split)
