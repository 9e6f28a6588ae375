"""The training stream: what each iteration shows."""

import multiprocessing

import pytest
import torch

from regen.data import Chunks, Files, Split, Stream
from regen.errors import ConfigError

torch.set_num_threads(1)


def shown(stream: Stream, iterations: int) -> torch.Tensor:
    return torch.cat([stream.indices(i, 1) for i in range(iterations)])


@pytest.fixture
def split() -> Split:
    images = torch.arange(30, dtype=torch.uint8)[:, None, None, None].expand(30, 3, 4, 4).contiguous()
    return Split(images, torch.arange(30) % 7)


def assert_same(ours, theirs) -> None:
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.iteration == other.iteration
        assert torch.equal(one.images, other.images)
        assert (one.labels is None and other.labels is None) or torch.equal(one.labels, other.labels)


def test_every_pass_shows_every_image_exactly_once():
    order = shown(Stream(size=30, batch=4, draws=2, seed=1), 15).flatten()  # 120 positions: four passes
    for one_pass in order.view(4, 30):
        assert one_pass.sort().values.tolist() == list(range(30))
    assert not torch.equal(order[:30], order[30:60])


def test_another_seed_shows_another_order():
    one, other = (Stream(size=30, batch=4, draws=1, seed=seed).indices(0, 5) for seed in (1, 2))
    assert not torch.equal(one, other)


def test_chunks_of_any_length_and_from_anywhere_are_the_same_stream():
    whole = shown(Stream(size=30, batch=4, draws=2, seed=1), 60)
    for start, k in [(0, 60), (7, 1), (11, 32), (59, 1), (3, 4)]:
        resumed = Stream(size=30, batch=4, draws=2, seed=1)
        assert torch.equal(resumed.indices(start, k), whole[start : start + k])


def test_a_stream_may_go_back():
    stream = Stream(size=30, batch=4, draws=2, seed=1)
    before = stream.indices(2, 3)
    stream.indices(500, 1)
    assert torch.equal(stream.indices(2, 3), before)


def test_two_processes_see_the_images_of_a_single_process_with_the_doubled_batch_in_order():
    one = Stream(size=30, batch=8, draws=3, seed=1).indices(0, 20)
    first, second = (Stream(size=30, batch=4, draws=3, seed=1, rank=rank, world=2).indices(0, 20) for rank in (0, 1))
    assert torch.equal(torch.cat([first, second], dim=-1), one)


def test_batch_may_exceed_the_rest_of_a_pass_or_the_whole_set():
    indices = Stream(size=3, batch=4, draws=1, seed=1).indices(0, 3).flatten()
    assert indices.view(4, 3).sort().values.tolist() == [[0, 1, 2]] * 4


def test_a_chunk_holds_the_images_and_labels_that_the_stream_names(split):
    chunks = Chunks(split, Stream(30, batch=4, draws=2, seed=1), first=0, last=6, stops=[])
    chunks.k = 3
    first, second = chunks
    assert (first.iteration, second.iteration) == (0, 3)
    assert first.images.shape == (3, 2, 4, 3, 4, 4) and first.images.dtype == torch.uint8
    indices = Stream(30, batch=4, draws=2, seed=1).indices(0, 3)
    assert torch.equal(first.images[..., 0, 0, 0].long(), indices)
    assert torch.equal(first.labels, indices % 7)


def test_no_chunk_crosses_a_stop_or_the_end(split):
    chunks = Chunks(split, Stream(30, batch=4, draws=1, seed=1), first=3, last=24, stops=[5, 8])
    chunks.k = 4
    assert [(c.iteration, len(c.images)) for c in chunks] == [
        (3, 2),
        (5, 3),
        (8, 2),
        (10, 4),
        (14, 1),
        (15, 1),
        (16, 4),
        (20, 4),
    ]


def test_the_length_of_chunks_may_change_on_the_way(split):
    chunks = Chunks(split, Stream(30, batch=4, draws=1, seed=1), first=0, last=9, stops=[100])
    lengths = []
    for chunk in chunks:
        lengths.append(len(chunk.images))
        chunks.k = 2 * chunks.k
    assert lengths == [1, 2, 4, 2]


@pytest.mark.parametrize("labelled", [True, False])
def test_workers_yield_the_very_same_chunks_and_leave_the_global_generator_alone(split, labelled):
    split = split if labelled else Split(split.images)
    state = torch.get_rng_state()

    def chunks(workers: int) -> Chunks:
        made = Chunks(split, Stream(30, batch=4, draws=2, seed=1), first=2, last=20, stops=[7], workers=workers)
        made.k = 3
        return made

    assert_same(chunks(2), chunks(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_more_workers_than_cores_warn_of_nothing(split):
    stream = Stream(30, batch=4, draws=1, seed=1)
    assert_same(Chunks(split, stream, 0, 3, [], workers=5), Chunks(split, stream, 0, 3, []))


def test_stopping_early_leaves_no_worker_behind(split):
    before = multiprocessing.active_children()  # of another test's launcher
    for _ in Chunks(split, Stream(30, batch=4, draws=1, seed=1), 0, 1000, [], workers=2):
        break
    assert set(multiprocessing.active_children()) <= set(before)


def test_workers_name_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = Files([tmp_path / "broken.png"], None, size=8, channels=1)
    before = multiprocessing.active_children()
    with pytest.raises(ConfigError, match=r"broken\.png cannot be read") as raised:
        list(Chunks(files, Stream(1, batch=1, draws=1, seed=1), 0, 1, [], workers=1))
    assert set(multiprocessing.active_children()) <= set(before), raised  # which still knows where it happened


def test_half_of_the_images_are_mirrored_by_pass_and_position_alone():
    stream = Stream(size=30, batch=4, draws=2, seed=1, mirror=True)
    whole = stream.mirrored(0, 60)
    assert 0.4 < whole.float().mean() < 0.6 and not torch.equal(whole.flatten()[:30], whole.flatten()[30:60])
    for start, k in [(0, 60), (7, 1), (11, 32), (3, 4)]:
        assert torch.equal(
            Stream(size=30, batch=4, draws=2, seed=1, mirror=True).mirrored(start, k), whole[start : start + k]
        )
    assert torch.equal(stream.indices(5, 9), Stream(size=30, batch=4, draws=2, seed=1).indices(5, 9))


def test_two_processes_mirror_like_a_single_process_with_the_doubled_batch():
    one = Stream(size=30, batch=8, draws=3, seed=1, mirror=True).mirrored(0, 20)
    both = [Stream(30, batch=4, draws=3, seed=1, rank=rank, world=2, mirror=True).mirrored(0, 20) for rank in (0, 1)]
    assert torch.equal(torch.cat(both, dim=2), one)


@pytest.mark.parametrize("workers", [0, 2])
def test_mirrored_images_are_turned_left_to_right_and_the_others_are_as_stored(workers):
    split = Split(torch.arange(30 * 12, dtype=torch.int64).remainder(251).to(torch.uint8).view(30, 1, 3, 4), None)
    plain, mirrored = (
        list(Chunks(split, Stream(30, 4, 2, seed=1, mirror=mirror), 0, 12, [5], workers=workers))
        for mirror in (False, True)
    )
    flips = Stream(30, 4, 2, seed=1, mirror=True).mirrored(0, 12)
    for one, other in zip(plain, mirrored, strict=True):
        own = flips[one.iteration : one.iteration + len(one.images)]
        assert torch.equal(other.images[own], one.images[own].flip(-1)) and torch.equal(
            other.images[~own], one.images[~own]
        )
