"""The training step: who is updated when, on what, and what the averaged generator is."""

import pytest
import torch
from helpers.tiny_models import images, make_gan, same, weights

from regen.core.divergence import find_reason
from regen.core.ema import Averaged
from regen.data.batches import Chunk
from regen.errors import ConfigError
from regen.regularizers.gradients import R1
from regen.regularizers.outputs import L2


def chunk(k: int, first: int = 0, n_critic: int = 1) -> Chunk:
    pixels = torch.stack([torch.stack([images(number=first + i + 100 * j) for j in range(n_critic)]) for i in range(k)])
    return Chunk(first, ((pixels + 1) * 127.5).to(torch.uint8), None)


def test_an_iteration_updates_d_on_each_batch_and_g_once() -> None:
    gan = make_gan(n_critic=3)
    gan.training_step(chunk(2, n_critic=3))
    assert gan.iteration == 2
    assert gan.images_seen == 2 * 3 * 16
    assert len(gan.record.by_name()["d/loss"]) == 6
    assert len(gan.record.by_name()["g/loss"]) == 2


def test_call_of_eight_iterations_equals_eight_calls_bit_for_bit() -> None:
    one, eight = (
        make_gan(regularizers={"l2": L2(lambda_g=0.1, lambda_d=0.1), "r1": R1(lambda_d=1.0)}) for _ in range(2)
    )
    for i in range(8):
        one.training_step(chunk(1, i))
    eight.training_step(chunk(8))
    assert same(weights(one), weights(eight))


def test_replaced_step_of_an_optimizer_is_called() -> None:
    gan, called = make_gan(), []
    gan.optimizer["d"].step = lambda: called.append("d")  # as torch's schedulers of the learning rate do
    gan.prepare(list(gan.optimizer.values()))
    gan.iterate(images()[None])
    assert called == ["d"]


def test_the_players_take_turns_in_the_order_that_is_asked() -> None:
    d_first, g_first = make_gan(order=["d", "g"]), make_gan(order=["g", "d"])
    for gan in (d_first, g_first):
        gan.iterate(images()[None])
    before = make_gan()
    step = before.step("g", 0, images())
    before.update(step)
    assert same(weights_of(before.generator), weights_of(g_first.generator))
    assert not same(weights_of(before.generator), weights_of(d_first.generator))


def weights_of(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(net.state_dict())


def test_update_of_a_player_leaves_the_other_without_gradients() -> None:
    gan = make_gan()
    gan.update(gan.step("d", 0, images()))
    assert all(p.grad is None for p in gan.generator.parameters())
    for parameter in gan.discriminator.parameters():
        parameter.grad = None
    gan.update(gan.step("g", 0, images()))
    assert all(p.grad is None for p in gan.discriminator.parameters())


def test_reused_fakes_save_a_pass_of_g_and_train_g_on_the_images_of_d() -> None:
    for reuse, passes in ((False, 2), (True, 1)):
        gan, seen = make_gan(reuse_fake=reuse), []
        gan.generator.register_forward_hook(lambda net, inputs, output, seen=seen: seen.append(output))
        gan.iterate(images()[None])
        assert len(seen) == passes


def test_the_average_follows_the_net_buffers_included() -> None:
    net = torch.nn.BatchNorm1d(3)
    average = Averaged(net, decay=0.5)
    average.follow(net)
    with torch.no_grad():
        for tensor in (net.weight, net.bias, net.running_mean, net.running_var):
            tensor.fill_(3.0)
    net.num_batches_tracked.fill_(7)
    average.update(1000)  # past the start, where the decay is (1 + t) / (10 + t)
    assert average.net.weight.tolist() == average.net.running_var.tolist() == [2.0] * 3  # from 1 half-way to 3
    assert average.net.bias.tolist() == average.net.running_mean.tolist() == [1.5] * 3  # from 0
    assert average.net.num_batches_tracked == 7


def test_average_past_the_start_steps_over_skipped_iterations() -> None:
    net, each = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    seldom, always = Averaged(net, decay=0.9, interval=4), Averaged(net, decay=0.9)
    for average in (seldom, always):
        average.follow(each)
        with torch.no_grad():
            average.net.weight.fill_(0.0)
            each.weight.fill_(1.0)
    for iteration in range(200, 203):
        seldom.update(iteration)
    assert seldom.net.weight.item() == 0
    seldom.update(203)
    for iteration in range(200, 204):
        always.update(iteration)
    assert seldom.net.weight.item() == pytest.approx(always.net.weight.item())
    seldom.update(50)  # in the first hundred iterations it keeps up
    assert seldom.net.weight.item() == pytest.approx(1 - 0.9**4 * min(0.9, 51 / 60))


def test_sample_i_does_not_depend_on_the_other_requested_samples() -> None:
    gan = make_gan()
    assert torch.equal(gan.sample(0, 700)[500:600], gan.sample(500, 100))
    assert gan.sample(0, 3).shape == (3, 1, 4, 4)


def test_non_finite_loss_is_noticed_and_the_term_named() -> None:
    gan = make_gan(regularizers={"l2": L2(lambda_g=0.1, lambda_d=0.1)})
    gan.training_step(chunk(2))
    assert not gan.alarm
    with torch.no_grad():
        next(gan.generator.parameters()).fill_(torch.nan)
    gan.training_step(chunk(1, 2))
    assert gan.alarm
    assert find_reason(gan) == (3, "d/data")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": ["g"]}, r"order must be \[d,g\] or \[g,d\], got \[g\]"),
        ({"n_critic": 0}, "n_critic must be an integer >= 1, got 0"),
        ({"reuse_fake": True, "n_critic": 2}, "needs model.n_critic=1"),
        ({"ema_decay": 1.5}, r"ema_decay must be in \[0, 1\), got 1.5"),
    ],
)
def test_untrainable_models_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_gan(**options)
