"""What happens beside training: each callback looks at the model's own iteration at the end of a chunk.

Their order matters: what the log, the figures and the pictures gained at an iteration stands before its checkpoint.
"""

from regen.callbacks.bar import Bar
from regen.callbacks.evaluation import Evaluation, Goal
from regen.callbacks.log import Log, Outcome, Pace
from regen.callbacks.saving import Checkpoints, Signals

__all__ = ["Bar", "Checkpoints", "Evaluation", "Goal", "Log", "Outcome", "Pace", "Signals"]
