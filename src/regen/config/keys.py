"""The keys of a run's configuration by what they do."""

from omegaconf import DictConfig

STRENGTHS = ("lambda_g", "lambda_d")  # short names: the chosen regularizer that has one is its owner


def owners(cfg: DictConfig, strength: str) -> list[str]:
    """Return the names of the chosen regularizers that have the strength lambda_g or lambda_d."""
    return [name for name, node in cfg.regularizer.items() if isinstance(node, DictConfig) and strength in node]
