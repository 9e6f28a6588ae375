"""MNIST, Fashion-MNIST and CIFAR-10, as torchvision stores and downloads them."""

import contextlib
import socket
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from filelock import FileLock
from torchvision import datasets

from regen.data.conversion import Size
from regen.data.fingerprint import combine, tensor_digests
from regen.data.images import Images, Use
from regen.data.parts import check_size, hold_out
from regen.data.pixels import resize
from regen.data.places import places
from regen.data.split import Split
from regen.errors import ConfigError

ANSWER_SECONDS = 4.0  # a server that has not answered by then counts as out of reach
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STALL_SECONDS = 20.0  # a download that brings nothing for so long is given up


def mnist(*, root: str, image_size: int | Size, validation: float, mirror: bool = False, **use: Unpack[Use]) -> Images:
    """70,000 handwritten digits, 28x28 grey (LeCun et al. 1998); its 10,000 official test images are the test part.

    Args:
        root: the folder that holds, or is to hold, MNIST/raw.
        image_size: pixels a side, or [height, width]: then the largest centre of these proportions is kept.
        validation: the fraction of the 60,000 official training images that is held out.
        mirror: each image is mirrored with probability 1/2 whenever training shows it.
    """
    source = _Source("mnist", datasets.MNIST, datasets.MNIST.mirrors, "MNIST/raw/*.gz")
    return _images(source, root, image_size, validation, {**use, "mirror": mirror})


def fashion_mnist(
    *, root: str, image_size: int | Size, validation: float, mirror: bool = False, **use: Unpack[Use]
) -> Images:
    """70,000 articles of clothing, 28x28 grey (Xiao et al. 2017), in FashionMNIST/raw; otherwise as `mnist`."""
    names, mirrors = datasets.FashionMNIST.classes, datasets.FashionMNIST.mirrors
    source = _Source("fashion_mnist", datasets.FashionMNIST, mirrors, "FashionMNIST/raw/*.gz", names)
    return _images(source, root, image_size, validation, {**use, "mirror": mirror})


def cifar10(
    *, root: str, image_size: int | Size, validation: float, mirror: bool = False, **use: Unpack[Use]
) -> Images:
    """60,000 photographs of ten classes, 32x32 colour (Krizhevsky 2009), in cifar-10-batches-py; else as `mnist`."""
    source = _Source("cifar10", datasets.CIFAR10, [datasets.CIFAR10.url], datasets.CIFAR10.filename, CIFAR10)
    return _images(source, root, image_size, validation, {**use, "mirror": mirror})


def _images(source: "_Source", root: str, image_size: int | Size, validation: float, use: Mapping[str, Any]) -> Images:
    size = check_size(image_size)
    home = source.find_or_download(places(root))
    (pool, digests), (test, test_digests) = (source.part(home, train, size) for train in (True, False))
    held_out, train_part = hold_out(len(pool), source.name, validation=validation)
    identity = combine([*digests, *test_digests])
    fields = {"test": test, "identity": identity, "class_names": source.class_names, **use}
    return Images.select(source.name, pool, train_part, held_out, **fields)


class _Source:
    """One of torchvision's data sets: where it is on this machine, and how it comes here."""

    def __init__(
        self, name: str, dataset: type, addresses: Sequence[str], archives: str, class_names: Sequence[str] = ()
    ) -> None:
        self.name, self.dataset, self.addresses, self.archives = name, dataset, addresses, archives
        self.class_names = tuple(class_names)

    def find_or_download(self, homes: Sequence[Path]) -> Path:
        """The first of the folders that holds the data set, or the one into which it has been downloaded."""
        for home in homes:
            if self._load(home, train=False) is not None:
                return home
        home = next((home for home in homes if home.is_dir()), homes[-1])
        try:
            self._download(home)
        except (OSError, RuntimeError) as error:
            looked = " and in ".join(str(place) for place in homes)
            raise ConfigError(
                f"data={self.name} was not found in {looked}, and could not be downloaded into {home} "
                f"({str(error).strip()}). Type data.root=FOLDER for a folder that has it, or data=digits, "
                "which needs no download"
            ) from error
        return home

    def part(self, home: Path, train: bool, size: Size) -> tuple[Split, list[bytes]]:
        """The images at their size, and the digest of each as it is stored."""
        dataset: Any = self._load(home, train)  # its classes declare neither data nor targets
        pixels = torch.as_tensor(np.asarray(dataset.data))  # (N, H, W) grey or (N, H, W, 3)
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
        labels = torch.as_tensor(dataset.targets, dtype=torch.int64)
        return Split(resize(pixels, size), labels), tensor_digests(pixels)

    def _load(self, home: Path, train: bool) -> datasets.VisionDataset | None:
        """torchvision's data set, or None where it is not there."""
        try:
            with warnings.catch_warnings():
                # CIFAR-10's files were pickled by an old NumPy; 2.4.0 to 2.4.4 warn of its spelling of dtypes.
                warnings.filterwarnings("ignore", message=r".*align should be passed")
                return self.dataset(home, train=train)
        except RuntimeError:  # "Dataset not found"
            return None
        except Exception as error:  # parsers of damaged files raise anything: EOFError, UnpicklingError, …
            reason = str(error) or type(error).__name__
            raise ConfigError(f"data={self.name} in {home} is damaged ({reason}): remove it there") from error

    def _download(self, home: Path) -> None:
        """Download; raises OSError or RuntimeError on failure, within seconds without a network."""
        home.mkdir(parents=True, exist_ok=True)
        if not any(home.glob(self.archives)):  # archives already there only need unpacking
            _ask(self.addresses)
        with FileLock(home / f".{self.name}.lock"), _stalls_end():  # several processes may start at once
            self.dataset(home, download=True)


def _ask(addresses: Sequence[str]) -> None:
    """Return when one of the addresses answers, whatever it says; raise OSError when none has after ANSWER_SECONDS.

    torchvision's own requests have no time limit, and neither has the look-up of a name: that is done in a thread which
    is left behind.
    """
    reasons = []
    answered = threading.Event()

    def ask() -> None:
        for address in addresses:
            try:
                urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=ANSWER_SECONDS).close()
            except urllib.error.HTTPError as answer:
                answer.close()
            except OSError as error:
                reasons.append(f"{address}: {error}")
                continue
            answered.set()
            return

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    if not answered.is_set():
        raise OSError("; ".join(reasons) or f"no answer from {addresses[0]} in {ANSWER_SECONDS:g} s")


@contextlib.contextmanager
def _stalls_end() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
