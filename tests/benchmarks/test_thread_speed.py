"""Speed by threads: each number of threads trains the same networks on the same batches."""

import pytest
import thread_speed
import torch


@pytest.fixture(autouse=True)
def _one_thread_afterwards():
    yield
    torch.set_num_threads(1)


def test_numbers_of_threads_are_compared_on_the_same_training(capsys) -> None:
    thread_speed.main(["--threads", "1", "1", "--sizes", "16", "--iterations", "1", "--rounds", "2"])
    assert "16 pixels, 1 threads:" in capsys.readouterr().out


def test_one_thread_ends_with_the_same_weights_every_time() -> None:
    (_, first), (_, second) = (thread_speed.train(16, 1, 1) for _ in range(2))
    assert all(map(torch.equal, first, second))
