"""A classifier on the trunk of the discriminator or the encoder, trained jointly with the generative loss."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from regen.data.batches import Stream
from regen.data.split import as_float
from regen.downstream.image_classifier import ImageClassifier, LabelledBatches, Recipe, fit, is_correct
from regen.downstream.labelled_images import Setup, check_unconditional, labelled_subset, labels_of, parse_labels, sizes
from regen.downstream.representations import last_features, reinitialized, trunk_of
from regen.downstream.task import Answers, Results, Task
from regen.models.base import Model
from regen.models.vae import VAE
from regen.utils.randomness import key, seeded


class SharedTrunk(nn.Module):
    """Images (B, C, H, W) -> logits (B, classes): a linear layer on the features of a network.

    form   what the network sees of images
    """

    def __init__(
        self, trunk: nn.Module, classes: int, image: Tensor, form: Callable[[Tensor], Tensor], seed: int
    ) -> None:
        super().__init__()
        self.trunk, self.form = trunk, form
        with torch.no_grad():
            width = last_features(trunk, form(image)).shape[1]
        with seeded(seed, "downstream", "head"):
            self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(last_features(self.trunk, self.form(images)))


class Shared(Task):
    """Classifiers on the trunk of the discriminator or the encoder, with few labels.

    shared       starts from the trained trunk; each update of the classifier follows one iteration of the generative model,
                 which learns from all training images without their labels
    fine-tuned   starts from the trained trunk, without the generative loss
    alone        the same layers from random weights: the baseline

    labels   numbers of labelled images
    """

    name = "shared"
    treatment, baselines = "shared", ("alone",)

    def __init__(
        self, labels: Sequence[int | str] = (50, 100), steps: int = 200, batch: int = 64, lr: float = 1e-3
    ) -> None:
        self.labels, self.recipe = parse_labels(labels), Recipe(steps, batch, lr)

    def check(self, setup: Setup) -> None:
        check_unconditional(setup.model, self.name)
        trunk_of(setup.model, self.name)

    def measure(self, setup: Setup, seed: int) -> Results:
        found: dict[tuple[str, int], Answers] = {}
        for n in sizes(self.labels, len(setup.train)):
            batches = LabelledBatches(self.recipe, seed, labelled_subset(setup.train, n, seed))
            joint = copy_of(setup.model)
            trunk = _trained_trunk(joint)
            own = copy.deepcopy(trunk)
            methods: dict[str, tuple[nn.Module, Callable[[int], None] | None]] = {
                "shared": (trunk, self._generative(joint, trunk, setup, seed)),
                "fine-tuned": (own, None),
                "alone": (reinitialized(trunk, seed), None),
            }
            if self.is_brief:
                del methods["fine-tuned"]
            for name, (net, before_step) in methods.items():
                found[name, n] = self._answers(net, before_step, batches, setup, seed)
        return found

    def _generative(self, model: Model, trunk: nn.Module, setup: Setup, seed: int) -> Callable[[int], None]:
        """Return one iteration of the generative model, as a function of the step's number."""
        stream = Stream(len(setup.train), self.recipe.batch, model.n_critic, key(seed, "downstream", "unlabelled"))
        model.prepare(model.configure_optimizers())

        def iterate(step: int) -> None:
            images, labels = setup.train[stream.indices(step, 1)[0]]
            seen = None if labels is None else list(labels.to(model.device))
            model.iterate([as_float(batch).to(model.device) for batch in images], seen)
            trunk.requires_grad_(True)  # the generator's update leaves it off

        return iterate

    def _answers(
        self,
        net: nn.Module,
        before_step: Callable[[int], None] | None,
        batches: LabelledBatches,
        setup: Setup,
        seed: int,
    ) -> Answers:
        image = as_float(setup.train[torch.arange(1)][0]).to(setup.device)
        shared = SharedTrunk(net.requires_grad_(True), setup.classes, image, setup.model.inputs, seed)
        trained = fit(ImageClassifier(shared, self.recipe, before_step), batches, setup.device)
        return Answers(is_correct(trained, setup.held_out, setup.device), labels_of(setup.held_out))


def copy_of(model: Model) -> Model:
    """Return a copy of the model that belongs to no trainer."""
    trainer = getattr(model, "_trainer", None)
    return copy.deepcopy(model, {id(trainer): None} if trainer is not None else {})


def _trained_trunk(model: Model) -> nn.Module:
    """Return the network that the generative loss trains, with its averaged weights where there are some."""
    if isinstance(model, VAE):
        model.encoder.load_state_dict(model.ema_encoder.net.state_dict())
        return model.encoder
    return model.discriminator
