"""regen: a lab for regularized generative models, as commands (`regen --help`) and as a library.

    import regen

    run = regen.train(["data=digits", "regularizer=l2", "lambda_g=0.1"])
    images = regen.load(run.folder).sample(64)          # (64, C, H, W) in [-1, 1]
    figures = run.evaluate()
    choice = regen.choose(["regularizer=r1"])
    judgement = regen.judge(samples="samples.npz", train="photos/train", held_out="photos/test")
    penalty = regen.functional.r1(scores, images)       # in a training loop of your own

Everything is imported when it is first used: `import regen` takes no time.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "Choice",
    "ConfigError",
    "Judgement",
    "Run",
    "choose",
    "compose",
    "functional",
    "judge",
    "load",
    "train",
]

if TYPE_CHECKING:
    from regen import functional
    from regen.api.choice import Choice, choose
    from regen.api.composition import compose
    from regen.api.judgement import Judgement, judge
    from regen.api.run import Run, load, train
    from regen.errors import ConfigError

_HOMES = {
    "Choice": "regen.api.choice",
    "ConfigError": "regen.errors",
    "Judgement": "regen.api.judgement",
    "Run": "regen.api.run",
    "choose": "regen.api.choice",
    "compose": "regen.api.composition",
    "judge": "regen.api.judgement",
    "load": "regen.api.run",
    "train": "regen.api.run",
}


def __getattr__(name: str) -> object:
    import importlib

    if name == "functional":
        return importlib.import_module("regen.functional")
    if name not in _HOMES:
        raise AttributeError(f"module 'regen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
