"""A GAN in plain PyTorch with a penalty of regen.functional: python examples/plain_loop.py

The loop is yours; regen contributes the penalty. Any of them can be put in its place, like
functional.wgan_gp(discriminator, real, fake) or functional.lecam(real_scores, fake_scores, real_mean, fake_mean).
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

from regen import functional

LATENT_DIM, BATCH_SIZE, STRENGTH = 32, 64, 1.0


def load_images() -> torch.Tensor:
    """Return 1,797 digits (N, 1, 8, 8) in [-1, 1]."""
    return torch.tensor(load_digits().images, dtype=torch.float32)[:, None] / 8 - 1


def make_networks() -> tuple[nn.Module, nn.Module]:
    """Return a generator of images (B, 1, 8, 8) and a discriminator with logits (B, 1)."""
    generator = nn.Sequential(
        nn.Linear(LATENT_DIM, 128), nn.LeakyReLU(0.2), nn.Linear(128, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))
    )
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
    return generator, discriminator


def train(iterations: int = 2000, seed: int = 0) -> tuple[nn.Module, list[float]]:
    """Train on digits; return the generator and the penalty at each iteration."""
    random = torch.Generator().manual_seed(seed)
    images, (generator, discriminator) = load_images(), make_networks()
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=4e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=4e-4, betas=(0.5, 0.999))
    penalties = []
    for _ in range(iterations):
        real = images[torch.randint(len(images), (BATCH_SIZE,), generator=random)].requires_grad_()
        fake = generator(torch.randn(BATCH_SIZE, LATENT_DIM, generator=random))

        scores = discriminator(real)
        penalty = functional.r1(scores, real)
        loss_d = F.softplus(-scores).mean() + F.softplus(discriminator(fake.detach())).mean() + STRENGTH * penalty
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()

        loss_g = F.softplus(-discriminator(fake)).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        penalties.append(penalty.item())
    return generator, penalties


if __name__ == "__main__":
    _, history = train()
    print(f"the penalty fell from {max(history):.3g} to {history[-1]:.3g} in {len(history):,} iterations")
