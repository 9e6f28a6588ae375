"""Settings for a model and network on a data set: chosen with the three, and weaker than recipes and what is typed."""

import pytest
from helpers.composition import compose_config


def rates(*overrides: str) -> tuple[float, float, list[float]]:
    model = compose_config(*overrides).model
    return model.optimizer_g.lr, model.optimizer_d.lr, list(model.optimizer_g.betas)


TUNED, PLAIN = (1.6e-3, 2e-4, [0.0, 0.99]), (4e-4, 4e-4, [0.5, 0.999])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], TUNED),
        (["data=mnist"], TUNED),
        (["model=vae_gan"], TUNED),
        (["data=folder", "data.root=photos"], PLAIN),
        (["data=cifar10"], PLAIN),
        (["tuned=none"], PLAIN),
        (["network=mlp"], PLAIN),
        (["experiment=grid"], PLAIN),
        (["recipe=two_time_scales"], (1e-4, 4e-4, [0.0, 0.99])),
        (["model.optimizer_g.lr=3e-4"], (3e-4, 2e-4, [0.0, 0.99])),
    ],
    ids=lambda case: " ".join(map(str, case)) or "default",
)
def test_dcgan_has_tuned_optimizers_as_a_gan_of_digits_or_mnist(overrides, expected) -> None:
    assert rates(*overrides) == expected


@pytest.mark.parametrize(
    ("overrides", "smallest_map"), [([], 2), (["model=vae"], 4), (["tuned=none"], 4)], ids=["gan", "vae", "none"]
)
def test_only_the_gan_has_the_smaller_map(overrides, smallest_map) -> None:
    assert compose_config(*overrides).network.generator.smallest_map == smallest_map
