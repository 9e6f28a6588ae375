"""Checks of n_critic, order, reuse_fake and top_k."""

from collections.abc import Sequence

from regen.core.objective import Objective
from regen.core.schedules import Schedule
from regen.errors import ConfigError
from regen.losses.adversarial import Article, Relativistic, RelativisticAverage

NO_BEST = {
    Relativistic: ("relativistic", "pairs each of them with a real image"),
    RelativisticAverage: ("relativistic_average", "compares real images with the mean of all of them"),
    Article: ("article", "does not use D's logits"),
}


def check(n_critic: int, order: Sequence[str], reuse_fake: bool) -> None:
    """Raise ConfigError on an order other than d and g, and on fakes that cannot be reused."""
    if sorted(order) != ["d", "g"]:
        raise ConfigError(
            f"model.order must be [d,g] or [g,d], got [{','.join(order)}]; model.n_critic repeats D's update"
        )
    if n_critic < 1:
        raise ConfigError(f"model.n_critic must be an integer >= 1, got {n_critic}")
    if reuse_fake and (n_critic > 1 or order[0] == "g"):
        raise ConfigError(
            "model.reuse_fake=true lets G learn from the fakes of the D step before it: "
            f"it needs model.n_critic=1 and model.order=[d,g], got {n_critic} and [{','.join(order)}]"
        )


def check_top_k(top_k: float | Schedule, objective: Objective) -> None:
    """Raise ConfigError on a fraction outside (0, 1], and on a loss of G that cannot use a part of the fakes."""
    shares = (top_k.start, top_k.end) if isinstance(top_k, Schedule) else (top_k,)
    if any(not isinstance(share, int | float) or not 0 < share <= 1 for share in shares):
        raise ConfigError(
            f"model.top_k must be a number in (0, 1] or a schedule of them, got {', '.join(map(str, shares))}"
        )
    for loss, (name, why) in NO_BEST.items():
        if shares != (1.0,) and isinstance(objective.loss, loss):
            raise ConfigError(
                f"with model.top_k G learns only from fakes with the highest logits, and loss={name} {why}: "
                "type another loss, or model.top_k=1"
            )
