"""MNIST and its kin, from files made here in torchvision's layout."""

import hashlib
import pickle
import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from regen.data.torchvision_sets import cifar10, fashion_mnist, mnist
from regen.errors import ConfigError

USE = {"batch_size": 4, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
NOBODY = "http://127.0.0.1:9/"  # refuses every connection at once


def write_idx(path: Path, values: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


@pytest.fixture
def idx_files(tmp_path):
    """20 training and 10 test images whose pixels all have the value of their number; labels: number modulo 10."""
    for name in ("MNIST", "FashionMNIST"):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        for part, numbers in [("train", np.arange(20)), ("t10k", np.arange(100, 110))]:
            write_idx(
                raw / f"{part}-images-idx3-ubyte", np.broadcast_to(numbers[:, None, None], (len(numbers), 28, 28))
            )
            write_idx(raw / f"{part}-labels-idx1-ubyte", numbers % 10)
    return tmp_path


@pytest.fixture
def cifar_files(tmp_path, monkeypatch):
    place = tmp_path / "cifar-10-batches-py"
    place.mkdir()
    red = np.zeros((4, 3, 32, 32), np.uint8)
    red[:, 0] = 255
    batches = {f"data_batch_{n}": {"data": red.reshape(4, -1), "labels": [n] * 4} for n in range(1, 6)}
    batches |= {"test_batch": batches["data_batch_1"], "batches.meta": {"label_names": ["a"]}}
    sums = {}
    for name, batch in batches.items():
        (place / name).write_bytes(pickle.dumps(batch))
        sums[name] = hashlib.md5((place / name).read_bytes()).hexdigest()
    monkeypatch.setattr(
        datasets.CIFAR10, "train_list", [[f"data_batch_{n}", sums[f"data_batch_{n}"]] for n in range(1, 6)]
    )
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(
        datasets.CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    )
    return tmp_path


@pytest.mark.parametrize("build", [mnist, fashion_mnist])
def test_the_official_test_set_is_the_test_part(idx_files, build):
    images = build(root=str(idx_files), image_size=28, validation=0.1, **USE)
    assert (len(images.train), len(images.validation), len(images.test)) == (18, 2, 10)
    assert images.name == build.__name__ and images.shape == (1, 28, 28) and images.classes == 10
    assert images.test.images[:, 0, 0, 0].tolist() == list(range(100, 110))
    for part in (images.train, images.validation, images.test):
        assert torch.equal(part.images[:, 0, 14, 14].long() % 10, part.labels)
    assert len(images.class_names) == (10 if build is fashion_mnist else 0)


def test_images_are_resized_when_asked(idx_files):
    images = mnist(root=str(idx_files), image_size=16, validation=0.1, **USE)
    assert images.shape == (1, 16, 16) and images.test.images.dtype == torch.uint8
    assert images.test.images[3].unique().tolist() == [103]


def test_cifar10_keeps_colours(cifar_files):
    images = cifar10(root=str(cifar_files), image_size=32, validation=0.1, **USE)
    assert images.shape == (3, 32, 32) and len(images.train) == 18
    assert images.train.images[0, :, 5, 5].tolist() == [255, 0, 0]
    assert images.class_names[0] == "airplane" and len(images.class_names) == 10
    assert sorted(set(images.train.labels.tolist()) | set(images.validation.labels.tolist())) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("build", [mnist, fashion_mnist, cifar10])
def test_missing_network_is_an_error_with_the_address_and_offline_sets(tmp_path, monkeypatch, build):
    for dataset in (datasets.MNIST, datasets.FashionMNIST):
        monkeypatch.setattr(dataset, "mirrors", [NOBODY])
    monkeypatch.setattr(datasets.CIFAR10, "url", NOBODY)
    monkeypatch.setenv("no_proxy", "*")
    words = rf"data={build.__name__} was not found in {tmp_path}/data.*data=digits, which needs no download"
    with pytest.raises(ConfigError, match=words):
        build(root=str(tmp_path / "data"), image_size=28, validation=0.1, **USE)


def test_a_network_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("regen.data.torchvision_sets.ANSWER_SECONDS", 0.2)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
        start = time.monotonic()
        with pytest.raises(ConfigError, match=r"data=mnist was not found .*data=digits, which needs no download"):
            mnist(root=str(tmp_path), image_size=28, validation=0.1, **USE)
        assert time.monotonic() - start < 2


def test_a_damaged_file_is_an_error_that_says_where(idx_files):
    (idx_files / "MNIST/raw/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    with pytest.raises(ConfigError, match=rf"data=mnist in {idx_files} is damaged"):
        mnist(root=str(idx_files), image_size=28, validation=0.1, **USE)
