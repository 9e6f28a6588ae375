"""Callbacks of training, which check the model's iteration after each call.

Their order matters: the log, metrics and images of an iteration are written before its checkpoint.
"""

from regen.training.callbacks.checkpointing import Checkpoints, Signals
from regen.training.callbacks.evaluation import Evaluation, Goal
from regen.training.callbacks.metric_log import Log, Outcome, Pace
from regen.training.callbacks.progress_bar import Bar

__all__ = ["Bar", "Checkpoints", "Evaluation", "Goal", "Log", "Outcome", "Pace", "Signals"]
