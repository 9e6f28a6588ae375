"""unlabelled: an optimizer's step with less Python around it."""

from collections.abc import Callable
from functools import partial

from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


def unlabelled(optimizer: Optimizer) -> Callable[[], object]:
    """optimizer.step without the label that torch puts around it for its profiler, which small nets feel.

    While there are hooks, of this optimizer or of all, it is optimizer.step, which calls them; so it is for an optimizer
    that has been given a step of its own, or that torch has not labelled.
    """
    step = type(optimizer).step
    if "step" in vars(optimizer) or not getattr(step, "hooked", False):  # `hooked` is torch's own mark of its wrapper
        return optimizer.step
    hooks = (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    hooks += (_global_optimizer_pre_hooks, _global_optimizer_post_hooks)
    bare = partial(step.__wrapped__, optimizer)
    return lambda: optimizer.step() if any(hooks) else bare()
