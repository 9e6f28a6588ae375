"""Arrays of images: files, shapes, labels, windows, and parts by content."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from regen.config.instantiate import build
from regen.data.array import fingerprint
from regen.data.images import Images
from regen.data.split import as_float
from regen.errors import ConfigError
from regen.metrics.copies import CopySearch
from regen.metrics.image_set import ImageSet
from regen.metrics.memorization import Memorization

CONF = Path(__file__).parents[2] / "conf" / "data" / "array.yaml"
NOISE = np.random.default_rng(0)
BYTES = NOISE.integers(0, 256, (40, 3, 8, 6), np.uint8)


def make(path: Path, **keys) -> Images:
    return build(OmegaConf.merge(OmegaConf.load(CONF), {"root": str(path), "batch_size": 4}, keys), "data", Images)


def save(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, next(iter(arrays.values())))
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


def everything(images: Images) -> torch.Tensor:
    return torch.cat([part.images for part in (images.train, images.validation, images.test)])


def rows(images: torch.Tensor | np.ndarray) -> set[bytes]:
    return {np.ascontiguousarray(image).tobytes() for image in np.asarray(images)}


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pth"])
def test_bytes_are_read_unchanged_from_any_file(tmp_path, suffix):
    images = make(save(tmp_path / f"some{suffix}", images=BYTES))
    assert images.shape == (3, 8, 6) and images.train.images.dtype == torch.uint8 and images.name == "array-some"
    assert rows(everything(images)) == rows(BYTES) and images.classes is None and images.class_names == ()
    assert images.recorded == {"window": [0, 255], "image_size": [8, 6], "channels": 3}


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 9])
def test_any_number_of_channels(tmp_path, channels):
    images = make(save(tmp_path / "a.npy", images=NOISE.integers(0, 256, (20, channels, 8, 8), np.uint8)))
    assert images.shape == (channels, 8, 8)


def test_grey_images_need_no_channel(tmp_path):
    assert make(save(tmp_path / "a.npy", images=BYTES[:, 0])).shape == (1, 8, 6)


def test_a_tensor_and_a_pair_of_tensors_may_be_without_names(tmp_path):
    torch.save(torch.from_numpy(BYTES), tmp_path / "one.pt")
    torch.save((torch.from_numpy(BYTES), torch.arange(40) % 2), tmp_path / "two.pt")
    assert make(tmp_path / "one.pt").classes is None and make(tmp_path / "two.pt").classes == 2


def test_channels_last_arrays_are_refused_with_the_override_to_type(tmp_path):
    path = save(tmp_path / "a.npz", arr_0=BYTES.transpose(0, 2, 3, 1))
    with pytest.raises(
        ConfigError, match=r"\(40, 8, 6, 3\) look like \(N, H, W, C\).*Type data\.channels_last=true, or"
    ):
        make(path)
    assert rows(everything(make(path, channels_last=True))) == rows(BYTES)
    assert make(path, channels_last=False).shape == (8, 6, 3)


@pytest.mark.parametrize(
    ("dtype", "scale", "window"),
    [
        ("uint16", 4095, [0, 4095]),
        ("int32", 65535, [0, 65535]),
        ("int64", 255, [0, 255]),
        ("float32", 1, [0.0, 1.0]),
        ("float64", 255.5, None),
        ("float16", 1, [0.0, 1.0]),
    ],
)
def test_other_numbers_are_mapped_by_the_window_without_loss(tmp_path, dtype, scale, window):
    values = (np.linspace(0, 1, 40 * 64) * scale).astype(dtype).reshape(40, 1, 8, 8)
    images = make(save(tmp_path / "a.npy", images=values))
    found = images.recorded["window"]
    assert window is None or (found == window and type(found[0]) is type(window[0]))
    assert images.train.images.dtype == torch.float32
    inside = np.unique(values.clip(*found))
    back = (np.unique(everything(images).numpy().astype(float)) + 1) * ((found[1] - found[0]) / 2) + found[0]
    assert len(back) == len(inside) and np.allclose(back, inside, atol=1e-6 * scale)


def test_negative_floats_keep_the_sign(tmp_path):
    values = NOISE.uniform(-1, 1, (40, 2, 8, 8)).astype(np.float32)
    images = make(save(tmp_path / "a.npy", images=values))
    assert images.recorded["window"] == [-1.0, 1.0]
    assert np.allclose(np.sort(everything(images).numpy().ravel()), np.sort(values.ravel()), atol=1e-6)


def test_masks_are_black_and_white(tmp_path):
    images = make(save(tmp_path / "a.npy", images=NOISE.uniform(size=(40, 1, 8, 8)) < 0.5))
    assert images.recorded["window"] == [0, 1] and set(everything(images).unique().tolist()) == {-1.0, 1.0}


def test_typed_windows_and_sizes_are_used(tmp_path):
    images = make(save(tmp_path / "a.npy", images=BYTES), window=[0, 100], image_size=[4, 3])
    assert images.shape == (3, 4, 3) and images.train.images.dtype == torch.float32
    assert as_float(everything(images)).max() <= 1


@pytest.mark.parametrize("name", ["labels", "y", "targets", "classes"])
@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_labels_of_the_file_follow_the_images(tmp_path, name, suffix):
    labels = np.arange(40) % 3 * 10
    path = save(tmp_path / f"a{suffix}", images=BYTES, **{name: labels})
    images = make(path, labels=name if name == "classes" else None)
    assert images.classes == 3
    number = {image.tobytes(): label // 10 for image, label in zip(BYTES, labels, strict=True)}
    for part in (images.train, images.validation, images.test):
        assert part.labels.tolist() == [number[image.numpy().tobytes()] for image in part.images]


def test_labels_may_be_another_file_of_any_integers_or_texts(tmp_path):
    path = save(tmp_path / "a.npy", images=BYTES)
    for labels in (np.arange(40) % 4 - 2, np.array(["cat", "dog"] * 20)):
        np.save(tmp_path / "labels.npy", labels)
        images, names = make(path, labels=str(tmp_path / "labels.npy")), sorted(set(labels.tolist()))
        assert images.classes == len(names) and images.class_names == tuple(map(str, names))


@pytest.mark.parametrize(
    ("arrays", "keys", "reason"),
    [
        (
            {"images": BYTES, "labels": np.arange(39)},
            {},
            r"int64 of shape \(39,\), .* \(40,\)",
        ),
        ({"images": BYTES, "y": np.linspace(0, 1, 40)}, {}, "labels are float64"),
        ({"images": BYTES}, {"labels": "kind"}, r"data\.labels=kind: .* holds images"),
        (
            {"images": BYTES},
            {"key": "picture"},
            r"data\.key=picture: .* holds images \(40, 3, 8, 6\)\. Type data\.key=NAME",
        ),
        ({"a": BYTES, "b": BYTES}, {}, r"holds a \(40, 3, 8, 6\), b .*Type data\.key=NAME"),
        ({"images": BYTES[0, 0]}, {}, r"uint8 of shape \(8, 6\), .* \(N, C, H, W\)"),
        ({"images": BYTES.astype(complex)}, {}, "complex128"),
        ({"images": BYTES[:0]}, {}, r"of shape \(0, 3, 8, 6\)"),
        ({"images": np.full((9, 1, 4, 4), np.nan)}, {}, r"9 of 9 images .* not finite"),
        ({"images": BYTES}, {"channels": 1}, r"data\.channels=1: the images of .* have 3"),
        ({"images": BYTES}, {"window": [2, 1]}, r"data\.window=\[2, 1\]: expected auto"),
        ({"images": BYTES}, {"mirror": "left"}, r"data\.mirror"),
    ],
)
def test_unusable_files_are_refused_with_reason_and_override(tmp_path, arrays, keys, reason):
    path = save(tmp_path / "a.npz", **arrays)
    with pytest.raises(ConfigError, match=reason):
        make(path, **keys)


def test_files_that_hold_code_are_not_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "canary",))

    torch.save({"images": Payload()}, tmp_path / "a.pt")
    np.save(tmp_path / "a.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    for name in ("a.pt", "a.npy"):
        with pytest.raises(ConfigError, match=r"cannot be read .*: save arrays") as refusal:
            make(tmp_path / name)
        assert not [advice for advice in ("weights_only", "allow_pickle") if advice in str(refusal.value)]
    assert not (tmp_path / "canary").exists()


def test_small_files_that_claim_large_tensors_are_refused(tmp_path):
    torch.save(torch.zeros(1, 1, 1, 1).expand(10_000, 3, 512, 512), tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="repeats few numbers many times"):
        make(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"no array", b"PK\3\4 torn"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
def test_damaged_files_are_named(tmp_path, content, suffix):
    (tmp_path / f"a{suffix}").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"data\.root=.*a\{suffix} cannot be read"):
        make(tmp_path / f"a{suffix}")


def test_a_missing_file_says_where_was_looked(tmp_path):
    with pytest.raises(
        ConfigError, match=r"data\.root=.*none\.npz: no file of arrays\. Looked at .*Type data\.root=FILE\.npz"
    ):
        make(tmp_path / "none.npz")
    with pytest.raises(ConfigError, match="no such kind of file"):
        make(tmp_path)


def test_parts_depend_on_each_images_content_alone(tmp_path):
    values = NOISE.integers(0, 256, (300, 1, 4, 4), np.uint8)
    whole = make(save(tmp_path / "a.npy", images=values))
    shuffled = make(save(tmp_path / "b.npz", images=values[::-1]))
    fewer = make(save(tmp_path / "c.npy", images=values[1:]))
    for part in ("train", "validation", "test"):
        one, other, third = (rows(getattr(images, part).images) for images in (whole, shuffled, fewer))
        assert one == other and third == one - rows(values[:1])
    assert whole.fingerprint == shuffled.fingerprint != fewer.fingerprint
    keys = {"key": None, "labels": None, "channels_last": None}
    assert fingerprint(root=str(tmp_path / "a.npy"), **keys) == whole.fingerprint


def test_duplicates_share_a_part(tmp_path):
    values = np.repeat(NOISE.integers(0, 256, (60, 1, 4, 4), np.uint8), 2, axis=0)
    images = make(save(tmp_path / "a.npy", images=values))
    parts = [rows(part.images) for part in (images.train, images.validation, images.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_recorded_settings_reproduce_the_images(tmp_path):
    path = save(tmp_path / "a.npy", images=NOISE.integers(0, 4096, (40, 2, 8, 6)).astype(np.uint16))
    images = make(path)
    again = make(path, **images.recorded)
    assert torch.equal(everything(again), everything(images)) and again.recorded == images.recorded


@pytest.mark.parametrize(
    ("channels", "mirror", "counted"), [(1, False, False), (1, True, True), (3, False, True), (5, True, True)]
)
def test_mirrored_copies_count_where_training_mirrors_and_in_colour(tmp_path, channels, mirror, counted):
    values = NOISE.integers(0, 256, (40, channels, 8, 8), np.uint8)
    images = make(save(tmp_path / "a.npy", images=values), mirror=mirror)
    metric = Memorization()
    metric.check(images, torch.nn.Identity())
    search = CopySearch(ImageSet(images.train, torch.nn.Identity()), metric.mirror)
    mirrored = as_float(images.train.images[:5]).flip(-1)
    assert (
        metric.mirror is counted
        and bool(search.matches(ImageSet(mirrored, torch.nn.Identity())).is_copy.all()) is counted
    )
