"""Penalties as functions of tensors and callables, for training loops of your own.

    images.requires_grad_()                                   # before D scores them
    loss_d = loss(d(images), d(fake)) + 10 * regen.functional.r1(d(images), images)

A function returns the unweighted penalty, a tensor () that can be differentiated; multiply it with a strength. The
regularizers of conf/regularizer compute their penalties by these functions.

scores are D's logits (B,) or (B, 1) of images (B, ...). A `discriminator` is any callable from images to scores. Random
numbers are drawn from `generator`, torch's own if it is None, unless they are given. Batch norm in D couples the images of a
batch: the gradient of a score then depends on other images, and these penalties are wrong.
"""

from regen.functional.gradient_penalties import (
    approximate_r1,
    dragan,
    half_mean,
    interpolate,
    jensen_shannon,
    js_reg,
    jvp_r1,
    max_gp,
    one_centered,
    one_sided,
    perturb,
    r1,
    r1_r2,
    r2,
    squared_gradients,
    squared_gradients_at,
    wgan_gp,
    wgan_lp,
    zero_gp,
)
from regen.functional.score_penalties import (
    consistency,
    drift,
    l1,
    l2,
    label_smoothing,
    lecam,
    mixup,
    total_variation,
)

__all__ = [
    "approximate_r1",
    "consistency",
    "dragan",
    "drift",
    "half_mean",
    "interpolate",
    "jensen_shannon",
    "js_reg",
    "jvp_r1",
    "l1",
    "l2",
    "label_smoothing",
    "lecam",
    "max_gp",
    "mixup",
    "one_centered",
    "one_sided",
    "perturb",
    "r1",
    "r1_r2",
    "r2",
    "squared_gradients",
    "squared_gradients_at",
    "total_variation",
    "wgan_gp",
    "wgan_lp",
    "zero_gp",
]
