"""One update of a flow; G is the network that predicts velocities or noise."""

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn, Protocol, Unpack

from torch import Tensor, nn

from regen.core.flow_path import FlowPath
from regen.core.step import Progress, Rng, Update
from regen.utils.randomness import Draws


class Matching(Protocol):
    """Part of a loss that an update needs: the path, and draws of times and of pairs of images and noise."""

    path: FlowPath

    def times(self, rng: Draws, n: int) -> Tensor:
        """Draw times (n,) in [0, 1]."""
        ...

    def pair(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the noise (B, C, H, W) in the order in which it is paired with the images."""
        ...


Augment = Callable[[Tensor, Rng, "FlowStep"], Tensor]


class FlowStep(Update):
    """One update of a flow's network.

    matching        the path, times and pairs
    augment         changes the network's input, but not its target
    label_dropout   probability with which the network of a conditional model is not given an image's class
    """

    lacks = "a flow has no discriminator and no encoder"
    matching: Matching

    def __init__(
        self,
        index: int,
        generator: nn.Module,
        real: Tensor,
        matching: Matching,
        rng: Rng,
        augment: Augment = lambda images, rng, step: images,
        label_dropout: float = 0.0,
        **more: Unpack[Progress],
    ) -> None:
        super().__init__("g", index, generator, real, rng, **more)
        self.matching, self._augment, self.label_dropout = matching, augment, label_dropout

    @cached_property
    def t(self) -> Tensor:
        """Times (B,): 0 is noise, 1 an image."""
        return self.matching.times(self.rng("t"), len(self.real)).to(self.real.dtype)

    @cached_property
    def noise(self) -> Tensor:
        """Noise (B, C, H, W) from N(0, I), paired with the real images."""
        noise = self.rng("z").normal(*self.real.shape).to(self.real.dtype)
        return self.matching.pair(self.real, noise)

    @cached_property
    def noisy(self) -> Tensor:
        """Input x_t of the network (B, C, H, W)."""
        return self._augment(self.matching.path.noisy(self.real, self.noise, self.t), self.rng, self)

    @cached_property
    def noise_factor(self) -> Tensor:
        """Factor of the noise in x_t, (B, 1, 1, 1)."""
        return self.matching.path.at(self.t).noise

    @cached_property
    def target(self) -> Tensor:
        """Return the target of the network's prediction (B, C, H, W)."""
        return self.matching.path.target(self.real, self.noise, self.t)

    @cached_property
    def prediction(self) -> Tensor:
        """The network's output at x_t (B, C, H, W), with the real images' precision."""
        return self.generator(self.noisy, self.t, *self.given).to(self.real.dtype)

    @cached_property
    def given(self) -> tuple[Tensor, ...]:
        """Classes (B, K) that the network is given, zeros for those left out; () in a model without classes."""
        if self.classes is None:
            return ()
        is_kept = self.rng("label_dropout").uniform(len(self.real)) >= self.label_dropout
        return (self.classes * is_kept[:, None].to(self.classes.dtype),)

    @cached_property
    def fake(self) -> Tensor:
        """One-step estimates of the images from x_t, (B, C, H, W): penalties on G's images act on these."""
        return self.matching.path.image(self.prediction, self.noisy, self.t)

    def regenerate(self, z: Tensor) -> NoReturn:
        """Raise RuntimeError, as `z` and `latent_dim` do: samples of a flow take many passes."""
        raise RuntimeError(
            "a flow has no images G(z) from latents in a single pass. Leave it out, or type model=gan or model=vae"
        )

    @property
    def z(self) -> NoReturn:
        self.regenerate(self.real)

    @property
    def latent_dim(self) -> NoReturn:
        self.regenerate(self.real)
