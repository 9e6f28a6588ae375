"""Default search spaces: the strengths of the chosen regularizers over the ranges of their classes."""

from collections.abc import Collection

from omegaconf import DictConfig

from regen.config.instantiate import resolve
from regen.config.keys import STRENGTHS, owners
from regen.sweeps.search.search_spaces import Real


def default_spaces(cfg: DictConfig, typed: Collection[str], several: bool = False) -> dict[str, Real]:
    """Return {"lambda_d": 0.1 to 100 on a logarithmic scale} for strengths that are not typed, from classes' `search`.

    several   jobs have different regularizers, so that each strength has its long name, regularizer.r1.lambda_d
    """
    found = {}
    for name, node in cfg.regularizer.items():
        for key, (low, high) in resolve(node._target_, f"regularizer.{name}").search.items():
            long = f"regularizer.{name}.{key}"
            short = key if key in STRENGTHS and owners(cfg, key) == [name] else long
            if not {long, short} & set(typed) and not isinstance(node.get(key), DictConfig):  # a schedule is typed
                found[long if several else short] = Real(low, high, log=True)
    return found
