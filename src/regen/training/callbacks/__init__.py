"""What happens beside training: each callback looks at the model's own iteration at the end of a chunk.

Their order matters: what the log, the figures and the pictures gained at an iteration stands before its checkpoint.
"""

from regen.training.callbacks.checkpointing import Checkpoints, Signals
from regen.training.callbacks.evaluation import Evaluation, Goal
from regen.training.callbacks.metric_log import Log, Outcome, Pace
from regen.training.callbacks.progress_bar import Bar

__all__ = ["Bar", "Checkpoints", "Evaluation", "Goal", "Log", "Outcome", "Pace", "Signals"]
