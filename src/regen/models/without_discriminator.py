"""Models without a discriminator: the network in D's place, and the check of their losses and regularizers."""

import logging

from torch import nn

from regen.core.constraints import is_of_flows
from regen.core.objective import Loss, Objective
from regen.errors import ConfigError

log = logging.getLogger(__name__)


class NoDiscriminator(nn.Module):
    """Network without layers in place of D."""


def check_objective(objective: Objective, model: str, noun: str, kind: type[Loss], losses: str) -> None:
    """Check the objective of a model whose only player is G, and log penalties that are inactive without D.

    model, noun    the model's option and its name in a sentence: "vae", "a VAE"
    kind, losses   the class of its losses, and the options to type

    Raises ConfigError on a loss of another kind, and on a regularizer that acts only on a discriminator.
    """
    if not isinstance(objective.loss, kind):
        name = type(objective.loss).__name__.lower()
        raise ConfigError(f"loss={name} is for another model: with model={model} type loss={losses}")
    for name, regularizer in objective.regularizers.items():
        alone = regularizer.overrides("for_d") and not regularizer.overrides("for_g")
        if alone or (regularizer.overrides("augment") and not is_of_flows(regularizer)):
            raise ConfigError(
                f"regularizer {name} acts only on a discriminator, and {noun} has none: type model=gan, or leave it out"
            )
        if regularizer.strengths["g"] == 0 != regularizer.strengths["d"]:
            log.info(
                "%s: lambda_g is 0, and %s has no discriminator: the penalty is inactive. Type lambda_g=…", name, noun
            )
