"""Facts about a regularizer: formula, source, cost and incompatible settings."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from regen.core.objective import Loss
    from regen.core.regularizer import Regularizer


WITHOUT_ENCODER = "a model without an encoder"
WITHOUT_FLOW = "a model that is not a flow"


@dataclass(frozen=True)
class Cost:
    """Extra work in one update of a player in which the penalty is applied.

    d, g           extra forward passes of D and of G, in batches; each has its backward pass
    second_order   extra backward passes that are differentiated once more
    """

    d: float = 0
    g: float = 0
    second_order: int = 0

    def __str__(self) -> str:
        passes = [f"{number:g} {net}" for number, net in ((self.d, "D"), (self.g, "G")) if number]
        return " + ".join([*passes, *([f"{self.second_order} second-order"] if self.second_order else [])])


@dataclass(frozen=True)
class Setting:
    """Setting to combine a regularizer with; a GAN has no encoder, and a VAE's discriminator has no layers."""

    generator: nn.Module
    discriminator: nn.Module
    loss: "Loss"
    regularizers: Mapping[str, "Regularizer"]
    encoder: nn.Module | None = None


@dataclass(frozen=True)
class Incompatible:
    """Combination that is refused before training.

    what      the incompatible part, in words
    why       the reason
    instead   what to type
    found     returns where it is in a setting, in words, or None
    """

    what: str
    why: str
    instead: str
    found: Callable[[Setting], str | None]


def layers(net: str, kinds: tuple[type, ...], what: str, why: str, instead: str) -> Incompatible:
    """Refuse layers of these kinds in the generator or discriminator."""

    def found(setting: Setting) -> str | None:
        named = getattr(setting, net).named_modules()
        return next((f"layer {name} of {net}" for name, layer in named if isinstance(layer, kinds)), None)

    return Incompatible(what, why, instead, found)


def losses_but(kinds: tuple[type, ...], why: str, instead: str) -> Incompatible:
    """Refuse losses that are not of these kinds."""

    def found(setting: Setting) -> str | None:
        return None if isinstance(setting.loss, kinds) else f"loss {type(setting.loss).__name__}"

    names = ", ".join(kind.__name__ for kind in kinds)
    return Incompatible(f"losses other than {names} and its subclasses", why, instead, found)


def regularizer_named(name: str, why: str) -> Incompatible:
    """Refuse a regularizer of the class with this name."""

    def found(setting: Setting) -> str | None:
        others = setting.regularizers.items()
        return next((f"regularizer {key}" for key, one in others if name in _names(type(one))), None)

    return Incompatible(name, why, "Leave one of the two out", found)


def conditional(why: str) -> Incompatible:
    """Refuse conditional discriminators."""

    def found(setting: Setting) -> str | None:
        return "conditional=true" if getattr(setting.discriminator, "n_classes", 0) else None

    return Incompatible("conditional models", why, "Type model.conditional=false, or leave it out", found)


WITHOUT_CLASSES = "a model that is not conditional"


def not_conditional(why: str) -> Incompatible:
    """Refuse discriminators that are not conditional."""

    def found(setting: Setting) -> str | None:
        return None if getattr(setting.discriminator, "n_classes", 0) else "conditional=false"

    return Incompatible(WITHOUT_CLASSES, why, "Type model.conditional=true", found)


def without_encoder(why: str) -> Incompatible:
    """Refuse models without an encoder."""

    def found(setting: Setting) -> str | None:
        return "none" if setting.encoder is None else None

    return Incompatible(WITHOUT_ENCODER, why, "Type model=vae or model=vae_gan", found)


def without_flow(why: str) -> Incompatible:
    """Refuse models that are not flows."""

    def found(setting: Setting) -> str | None:
        return None if hasattr(setting.loss, "path") else f"loss {type(setting.loss).__name__}"

    return Incompatible(WITHOUT_FLOW, why, "Type model=flow", found)


def is_of_flows(regularizer: "Regularizer | type[Regularizer]") -> bool:
    """Return whether a regularizer is only for flows."""
    return any(clash.what == WITHOUT_FLOW for clash in regularizer.incompatible)


def needs_classes(regularizer: "Regularizer | type[Regularizer]") -> bool:
    """Return whether a regularizer is only for conditional models."""
    return any(clash.what == WITHOUT_CLASSES for clash in regularizer.incompatible)


def without_discriminator(why: str) -> Incompatible:
    """Refuse models without a discriminator."""

    def found(setting: Setting) -> str | None:
        return None if any(True for _ in setting.discriminator.parameters()) else "none"

    return Incompatible("a model without a discriminator", why, "Type model=gan, or leave it out", found)


WITHOUT_BOTH = "a model without both an encoder and a discriminator"


def without_encoder_and_discriminator(why: str) -> Incompatible:
    """Refuse models that lack an encoder or a discriminator."""

    def found(setting: Setting) -> str | None:
        missing = {
            "no encoder": setting.encoder is None,
            "no discriminator": not any(True for _ in setting.discriminator.parameters()),
        }
        return next((name for name, lacks in missing.items() if lacks), None)

    return Incompatible(WITHOUT_BOTH, why, "Type model=vae_gan", found)


def needs_both(regularizer: "Regularizer | type[Regularizer]") -> bool:
    """Return whether a regularizer needs both an encoder and a discriminator."""
    return any(clash.what == WITHOUT_BOTH for clash in regularizer.incompatible)


D_ALONE = without_discriminator("it acts on the discriminator only")


def _names(kind: type) -> set[str]:
    return {parent.__name__ for parent in kind.__mro__}


@dataclass(frozen=True)
class Words:
    """Parts of a regularizer's docstring: formula, source, convention, and further paragraphs."""

    formula: str
    source: str
    convention: str
    text: str


def words(kind: type["Regularizer"]) -> Words:
    """Parse the docstring of a class: a first line, a paragraph with `Source:` and `Convention:`, and more paragraphs."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", kind.__doc__ or "")]
    first, rest = blocks[0], blocks[1:]
    named = {"Source": "", "Convention": ""}
    for block in list(rest):
        parts = re.split(r"(?:^|(?<=[.;]) )(Source|Convention): ", block)
        if len(parts) > 1 and not parts[0]:
            named |= dict(zip(parts[1::2], parts[2::2], strict=True))
            rest.remove(block)
    return Words(first.rstrip("."), named["Source"].rstrip("."), named["Convention"].rstrip("."), "\n\n".join(rest))
