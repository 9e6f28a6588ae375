"""The figures of training that tables and plots show: losses, logits, penalties, gradient ratios and cost."""

from regen.metrics.figure import Figure
from regen.metrics.registry import declare

LOSSES = (
    Figure("loss", "loss", "Data term plus weighted penalties.", panel="losses", topic="losses"),
    Figure("data", "data term", "The loss without penalties.", panel="losses", topic="losses"),
)
LOGITS = (
    Figure("real_score", "logit of real images", "D's mean logit of a batch.", panel="logits of D", topic="logits"),
    Figure(
        "fake_score", "logit of generated images", "D's mean logit of a batch.", panel="logits of D", topic="logits"
    ),
)
GRADIENT_RATIO = Figure(
    "grad_ratio",
    "gradient ratio of penalty and data term",
    "The norm of a penalty's gradient divided by that of the data term.",
)
OPTIMIZERS = (
    Figure(
        "lr",
        "learning rate",
        "Of the player's optimizer; logged where a schedule or a warm-up changes it.",
        panel="learning rates",
    ),
    Figure(
        "grad_norm",
        "gradient norm before clipping",
        "The Euclidean norm of the gradient of all the player's parameters; logged where clip_norm limits it.",
        panel="gradient norms before clipping",
    ),
)
SCALE = Figure("scale", "scale of the likelihood", "The standard deviation or scale that the loss has learned.")
COST = (
    Figure("images_per_second", "training speed", "Real images seen per second.", "images/s", "higher", topic="cost"),
    Figure("seconds", "duration", "Wall-clock time of the run.", "s", "lower", topic="cost"),
    Figure("peak_memory_mb", "peak memory", "The most memory that the run held.", "MB", "lower", topic="cost"),
)
SUMMARIES = (
    Figure(
        "generalization",
        "generalization",
        "The skill times the share of samples that are not memorized: 1 for unseen real images, 0 for copies.",
        better="higher",
        uncertainty="standard error",
        priority=1,
        panel="skill and generalization",
    ),
    Figure(
        "gap",
        "relative gap",
        "The gap of the first distance divided by the distance to held-out images; 0: not closer to training images.",
        better="lower",
        uncertainty="standard error",
        priority=5,
        topic="memory",
    ),
)

declare((*LOSSES, *LOGITS, GRADIENT_RATIO, *OPTIMIZERS, SCALE, *COST, *SUMMARIES), __name__)
