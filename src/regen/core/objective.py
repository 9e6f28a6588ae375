"""Objective of each player: the data term and the regularizers."""

from collections.abc import Mapping
from typing import ClassVar, Generic, cast

import torch
from torch import Tensor, nn

from regen.core.constraints import Setting
from regen.core.gradient_ratio import INACTIVE, RELATIVE_EVERY, gradient_norm
from regen.core.regularizer import Regularizer
from regen.core.step import Rng, StepT, Update
from regen.errors import ConfigError


class Loss(nn.Module, Generic[StepT]):
    """Data term: each player's loss without regularizers.

    reads_variance   whether it draws latent codes from q(z|x)
    """

    reads_variance: ClassVar[bool] = False

    def for_g(self, step: StepT) -> Tensor:
        """Return G's loss ()."""
        raise NotImplementedError

    def for_d(self, step: StepT) -> Tensor:
        """Return D's loss ()."""
        raise NotImplementedError

    def quantities(self) -> dict[str, Tensor]:
        """Return state to log as columns, {"g/scale": ()}; called once per row."""
        return {}


class Objective(nn.Module):
    """Data term and named regularizers of a run.

    grad_ratio_every   interval of a penalty's updates at which its gradient ratio is measured: the norm of its weighted
                  gradient over the data term's. Costs a backward pass for the data term and one for each penalty. A relative
                  strength, which depends on it, has a separate interval.
    """

    def __init__(self, loss: Loss, regularizers: Mapping[str, Regularizer], grad_ratio_every: int = 200) -> None:
        super().__init__()
        for name in regularizers:
            if hasattr(nn.ModuleDict, name):
                raise ConfigError(f"regularizer.{name}: the name {name} is reserved by torch, type another name")
        self.loss, self.grad_ratio_every = loss, grad_ratio_every
        self.regularizers = cast(Mapping[str, Regularizer], nn.ModuleDict(regularizers))
        in_order_of_passes = sorted(regularizers.items(), key=lambda item: not item[1].reads_input_gradients)
        self._penalties = {p: [(n, r) for n, r in in_order_of_passes if r.overrides(f"for_{p}")] for p in "gd"}
        in_order = sorted(regularizers.items(), key=lambda item: item[1].augment_order)
        self._augmenting = [(n, r) for n, r in in_order if r.overrides("augment")]
        self._preparing = [r for r in regularizers.values() if r.overrides("before_update")]
        self._projecting = [r for r in regularizers.values() if r.overrides("after_update")]
        self.draws_codes = loss.reads_variance or any(r.draws_codes for r in regularizers.values())
        self.second_order = any(cost.second_order for r in regularizers.values() for cost in r.cost.values())
        self._controlled = [(n, r) for n, r in regularizers.items() if r.controllers]

    def attach(self, generator: nn.Module, discriminator: nn.Module, encoder: nn.Module | None = None) -> None:
        """Let each regularizer change the networks, in the order of the config unless `attach_order` differs.

        Raises ConfigError on a combination that a regularizer refuses.
        """
        setting = Setting(generator, discriminator, self.loss, self.regularizers, encoder)
        for name, regularizer in self.regularizers.items():
            for clash in regularizer.incompatible:
                if found := clash.found(setting):
                    raise ConfigError(
                        f"regularizer {name} cannot be combined with {clash.what}, and this run has {found}: {clash.why}. "
                        f"{clash.instead}."
                    )
        for regularizer in sorted(self.regularizers.values(), key=lambda one: one.attach_order):
            regularizer.attach(generator, discriminator)

    def before_update(self, step: Update) -> None:
        """Let regularizers prepare the networks for this update, before its first forward pass."""
        for regularizer in self._preparing:
            regularizer.before_update(step)

    def augment(self, images: Tensor, rng: Rng, step: Update) -> Tensor:
        """Return D's augmented input (B, C, H, W)."""
        for name, regularizer in self._augmenting:
            images = regularizer.augment(images, rng(name), step)
        return images

    def form(self, images: Tensor) -> Tensor:
        """Return images in the form of D's input without augmentations."""
        for _, regularizer in self._augmenting:
            images = regularizer.form(images)
        return images

    def forward(self, step: Update) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total loss () and the detached unweighted values {"d/r1": (), ..., "d/data": (), "d/loss": ()}.

        Regularizers are computed before the data term, so that the loss reuses the pass of a penalty on D's input
        gradients. A strength of 0 is bit-identical to the regularizer's absence.
        """
        player, values, asked = step.player, {}, []
        for name, regularizer in self._penalties[player]:
            if regularizer.due(step):
                asked.append((name, regularizer, getattr(regularizer, f"for_{player}")(step)))
                values[f"{player}/{name}"] = asked[-1][2].detach()
        total = getattr(self.loss, f"for_{player}")(step)
        values[f"{player}/data"] = values[f"{player}/loss"] = total.detach()
        if asked:
            values |= self._shares(step, total, asked)
        for name, regularizer, value in asked:
            total = total + regularizer.weight(step) * value
            if regularizer.moves(player):
                strength = torch.as_tensor(regularizer.strength(step), dtype=torch.float32, device=value.device)
                values[f"{player}/{name}/strength"] = strength.clone()
        if asked:
            values[f"{player}/loss"] = total.detach()
        return total, values

    def _shares(self, step: Update, data: Tensor, asked: list[tuple[str, Regularizer, Tensor]]) -> dict[str, Tensor]:
        """Measure the gradient ratios that are due in this update, {"d/r1/grad_ratio": ()}."""
        measured = [item for item in asked if step.parameters and self._is_measured(item[1], step)]
        if not measured:
            return {}
        values, of_data = {}, gradient_norm(data, step.parameters)
        for name, regularizer, value in measured:
            of_penalty, pull = gradient_norm(value, step.parameters), regularizer.pulls[step.player]
            pull.take(of_data, of_penalty)
            values[f"{step.player}/{name}/grad_ratio"] = pull.share(regularizer.strength(step), of_data, of_penalty)
        return values

    def _is_measured(self, regularizer: Regularizer, step: Update) -> bool:
        updates = self.grad_ratio_every if regularizer.relative is None else RELATIVE_EVERY
        return step.index // regularizer.interval % max(1, updates // regularizer.interval) == 0

    def after_update(self, step: Update, values: Mapping[str, Tensor]) -> None:
        """Let each regularizer project the weights or adapt its state, and move controllers; `values` are forward's."""
        for regularizer in self._projecting:
            regularizer.after_update(step)
        for name, regularizer in self._controlled:
            value = values.get(f"{step.player}/{name}")
            if step.player in regularizer.controllers and value is not None:
                turn, lazy = step.index // regularizer.interval, regularizer.interval
                regularizer.controllers[step.player].observe(step, value, turn, lazy)

    def quantities(self, generator: nn.Module, discriminator: nn.Module) -> dict[str, float]:
        """Return state of the data term and the regularizers to log, {"d/ada/p": 0.1}. Waits for the device."""
        found = {name: float(value) for name, value in self.loss.quantities().items()}
        for name, regularizer in self.regularizers.items():
            for quantity, value in regularizer.quantities(generator, discriminator).items():
                player, _, what = quantity.partition("/")
                found[f"{player}/{name}/{what}"] = float(value)
        return found

    def inactive(self) -> dict[str, float]:
        """Return {"d/r1": largest ratio} of penalties with ratios below INACTIVE at all of two or more measurements.

        (At the first update some have no gradient yet.)
        """
        pulls = {f"{p}/{n}": pull for n, r in self.regularizers.items() for p, pull in r.pulls.items()}
        return {
            name: float(pull.largest) for name, pull in pulls.items() if pull.measured > 1 and pull.largest < INACTIVE
        }
