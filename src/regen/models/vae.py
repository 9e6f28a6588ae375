"""VAEs: an encoder and a decoder trained together with regularized losses."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Unpack, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regen.core import distributed
from regen.core.objective import Objective
from regen.core.optimizer_settings import GeneratorSettings
from regen.core.vae_step import VAEStep
from regen.data.split import Files, Split, as_float
from regen.losses.likelihoods import Likelihood
from regen.models.autoencoder import Autoencoder
from regen.models.base import Model
from regen.models.class_prior import with_classes
from regen.models.priors import Normal
from regen.models.without_discriminator import NoDiscriminator, check_objective
from regen.utils.randomness import Draws, permutation

AT_A_TIME = 500  # images in a pass of the encoder


class VAE(Autoencoder, Model[VAEStep]):
    """VAE whose iteration is one update of encoder and decoder. The only player is G, the decoder with its encoder.

    generator, encoder    z (B, Z) -> images (B, C, H, W) in [-1, 1]; images -> (B, 2 Z), means and log variances of q(z|x)
    objective             a likelihood and the regularizers. z is drawn from q(z|x) if one of them uses its variance, as `kl`
                          does; otherwise it is the mean, and the model an autoencoder
    optimizer_g           function from the parameters of both and of the likelihood to an optimizer
    prior                 distribution of the codes of samples
    ema_decay, ema_interval  of the moving averages of both networks: decay per iteration, and interval of updates
    ema_decays            decays of further averages, see `Model.averaged_by`
    ema_rampup            largest half-life of the averages as a fraction of the iterations so far, see Averaged
    seed                  key of all draws
    conditional, n_classes   whether encoder and decoder are given the classes of images, and how many there are: p(x|z, y)
                          and q(z|x, y) (Sohn et al. 2015)
    optimizer_settings    what changes in the optimizer during training, see OptimizerSettings

    Raises ConfigError on a loss that is not a likelihood, and on a regularizer that only acts on D.
    """

    kind = "variational autoencoder"

    def __init__(
        self,
        generator: nn.Module,
        encoder: nn.Module,
        objective: Objective,
        optimizer_g: Callable[..., Optimizer],
        latent_dim: int = 16,
        ema_decay: float = 0.999,
        ema_interval: int = 1,
        ema_decays: Sequence[float] = (),
        seed: int = 0,
        prior: Callable[[int], Normal] = Normal,
        conditional: bool = False,
        n_classes: int = 0,
        ema_rampup: float | None = None,
        **optimizer_settings: Unpack[GeneratorSettings],
    ) -> None:
        check_objective(objective, "vae", "a VAE", Likelihood, "gaussian_learned, bernoulli or logistic")
        nobody = NoDiscriminator()
        objective.attach(generator, nobody, encoder)
        nets, optimizers = {"g": [generator, encoder, objective.loss]}, {"g": optimizer_g}
        n_classes = n_classes if conditional else 0
        super().__init__(objective, nets, optimizers, latent_dim, seed, optimizer_settings, n_classes)
        self.prior = with_classes(prior(latent_dim), n_classes)
        self.generator, self.encoder, self.discriminator = generator, encoder, nobody
        self.make_averages({"ema": generator, "ema_encoder": encoder}, ema_decay, ema_interval, ema_decays, ema_rampup)

    @property
    def likelihood(self) -> Likelihood:
        """The data term."""
        return cast(Likelihood, self.objective.loss)

    def networks(self) -> dict[str, nn.Module]:
        return {"Decoder (averaged)": self.ema.net, "Encoder (averaged)": self.ema_encoder.net}

    def settle(self, train: Split | Files) -> None:
        """Fit the prior to codes of fixed training images; all processes use the first one's fit."""
        if self.prior.images:
            some = permutation(len(train), "prior")[: self.prior.images]
            self.prior.fit(torch.cat(list(self._codes(train.take(some)))))
            fitted = {name: buffer.cpu() for name, buffer in self.prior.state_dict().items()}
            self.prior.load_state_dict(distributed.from_first(fitted))

    def _codes(self, images: Split | Files) -> Iterator[Tensor]:
        for number, indices in enumerate(torch.arange(len(images)).split(AT_A_TIME)):
            batch, labels = images[indices]
            rng = partial(Draws, "prior", number, device=self.device)
            real = self.represent(as_float(batch).to(self.device))
            yield self.posterior(self.likelihood.see(real, rng), labels)[0]

    def play(self, real: Sequence[Tensor], labels: Sequence[Tensor | None]) -> list[Tensor]:
        return [self.update(self.step(real[0], labels[0]))]

    def step(self, real: Tensor, labels: Tensor | None = None) -> VAEStep:
        """Create the step of this iteration."""
        rng = self.rng("g", 0, real.device)
        return VAEStep(
            index=self.count.iteration,
            generator=self.generator,
            encoder=self.encoder,
            real=self.likelihood.see(real, rng),
            latent_dim=self.latent_dim,
            rng=rng,
            draws=self.objective.draws_codes,
            population=self.population,
            **self.progress("g", labels),
        )
