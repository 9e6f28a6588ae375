"""Folders of images of all kinds."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from regen.data import Chunks, Files, Images, Split, Stream
from regen.data.image_folder import folder
from regen.data.pixels import read
from regen.errors import ConfigError

USE = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
KEYS = {"image_size": 8, "channels": None, "in_memory_bytes": 2**31, "validation": 0.2, "test": 0.2}


def make(root: Path | str, **keys) -> Images:
    return folder(root=str(root), **(KEYS | USE | keys))


def fill(place: Path, count: int = 10, colour: str = "grey", size: tuple[int, int] = (9, 13)) -> Path:
    """Files of different content and equal pixels."""
    place.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = PngInfo()
        text.add_text("Title", f"{place.parent.name} {place.name} {colour} {number}")
        Image.new("RGB", size, colour).save(place / f"{number}.png", pnginfo=text)
    return place


def sizes(images: Images) -> tuple[int, int, int]:
    return len(images.train), len(images.validation), len(images.test)


def test_a_flat_folder_has_no_labels(tmp_path):
    images = make(fill(tmp_path / "pictures"))
    assert sum(sizes(images)) == 10 and min(sizes(images)) >= 2 and images.name == "folder-pictures"
    assert images.train.labels is None and images.classes is None and images.class_names == ()
    assert isinstance(images.train, Split) and images.shape == (1, 8, 8)


def test_subfolders_are_classes_at_any_depth(tmp_path):
    fill(tmp_path / "a" / "deep" / "er", colour="red")
    fill(tmp_path / "b", colour="blue")
    images = make(tmp_path)
    assert images.classes == 2 and images.class_names == ("a", "b") and images.shape == (3, 8, 8)
    for part in (images.train, images.validation, images.test):
        red = part.images[:, 0, 0, 0] == 255
        assert torch.equal(part.labels, torch.where(red, 0, 1))


def test_single_class_and_images_outside_of_classes_are_no_classes(tmp_path):
    fill(tmp_path / "a")
    assert make(tmp_path).classes is None
    fill(tmp_path / "b")
    assert make(tmp_path).classes == 2
    fill(tmp_path, 1)
    assert make(tmp_path).classes is None


@pytest.mark.parametrize("validation", ["val", "validation"])
def test_official_parts_are_kept(tmp_path, validation):
    for part, count in [("train", 4), ("test", 3), (validation, 2)]:
        fill(tmp_path / part / "cat", count)
        fill(tmp_path / part / "dog", count)
    images = make(tmp_path)
    assert sizes(images) == (8, 4, 6) and images.classes == 2
    assert sorted(images.test.labels.tolist()) == [0, 0, 0, 1, 1, 1]


def test_missing_official_parts_are_held_out_from_the_training_part(tmp_path):
    fill(tmp_path / "train", 40)
    assert sum(sizes(make(tmp_path))) == 40
    fill(tmp_path / "test", 3)
    train, validation, test = sizes(make(tmp_path))
    assert train + validation == 40 and validation > 2 and test == 3
    fill(tmp_path / "other", 5)
    assert sizes(make(tmp_path)) == (train, validation, test)


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "plane")
    assert make(tmp_path).classes == 2


def test_folds_pool_the_official_training_and_validation_parts(tmp_path):
    for part, colour in [("train", "red"), ("val", "green"), ("test", "blue")]:
        fill(tmp_path / part, 6, colour)
    held_out = [make(tmp_path, folds=3, fold=fold) for fold in range(3)]
    assert all(len(images.train) + len(images.validation) == 12 and len(images.test) == 6 for images in held_out)
    pixels = torch.cat([images.validation.images[:, :, 0, 0] for images in held_out]).tolist()
    assert sorted(pixels) == [[0, 128, 0]] * 6 + [[255, 0, 0]] * 6


def test_hidden_files_and_other_files_are_ignored_and_counted_once(tmp_path, caplog):
    fill(tmp_path)
    for name in (".hidden.png", "._0.png", ".git/x.png", "notes.txt", "labels.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image")
    with caplog.at_level(logging.INFO, logger="regen"):
        assert sum(sizes(make(tmp_path))) == 10
    assert sum("ignored" in message for message in caplog.messages) == 1
    assert caplog.messages[0].endswith("ignored 2 files that are not images")


def test_a_link_that_leads_back_up_ends(tmp_path):
    fill(tmp_path / "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert sum(sizes(make(tmp_path))) == 10


def save(path: Path, image: Image.Image, **options) -> np.ndarray:
    image.save(path, **options)
    return read(path, 4, 3)


def test_all_kinds_of_pixels_become_eight_bit_colours(tmp_path):
    red = np.array([255, 0, 0], dtype=np.uint8)[:, None, None] + np.zeros((3, 4, 4), np.uint8)
    grey = np.full((3, 4, 4), 128, np.uint8)
    palette = Image.new("RGB", (5, 6), "red").quantize(4)
    clear_red = Image.new("RGBA", (5, 6), (255, 0, 0, 0))
    assert (save(tmp_path / "rgb.bmp", Image.new("RGB", (5, 6), "red")) == red).all()
    assert (save(tmp_path / "grey.png", Image.new("L", (5, 6), 128)) == grey).all()
    assert (save(tmp_path / "palette.png", palette) == red).all()
    assert (save(tmp_path / "palette.gif", palette) == red).all()
    assert (save(tmp_path / "opaque.png", Image.new("RGBA", (5, 6), "red")) == red).all()
    assert (save(tmp_path / "clear.png", clear_red) == 255).all()
    assert (save(tmp_path / "clear.gif", Image.new("P", (5, 6), 0), transparency=0) == 255).all()
    assert (save(tmp_path / "clear_grey.png", Image.new("LA", (5, 6), (0, 0))) == 255).all()
    assert (save(tmp_path / "bit.png", Image.new("1", (5, 6), 1)) == 255).all()
    assert np.abs(save(tmp_path / "cmyk.jpg", Image.new("CMYK", (5, 6), (0, 255, 255, 0))).astype(int) - red).max() < 4


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (5, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "two.gif", 4, 3)[:, 0, 0].tolist() == [255, 0, 0]


def test_long_image_is_cropped_to_the_centre_and_the_shorter_side_resized(tmp_path):
    strip = Image.new("RGB", (60, 20), "red")
    strip.paste("blue", (10, 0, 50, 20))  # wider than the centre, as the filter reaches over its edges
    blue = save(tmp_path / "strip.png", strip)
    assert blue.shape == (3, 4, 4) and (blue == np.array([0, 0, 255])[:, None, None]).all()


def test_large_images_are_averaged_not_sampled(tmp_path):
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))
    for name in ("stripes.png", "stripes.jpg"):
        assert np.abs(save(tmp_path / name, stripes).astype(int) - 128).max() < 16


def test_the_cameras_orientation_is_applied(tmp_path):
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))  # its upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upside_down = save(tmp_path / "turned.png", image, exif=exif)
    assert upside_down[0, 0].max() < 50 and upside_down[0, -1].min() > 200


def test_channels_may_be_asked_for(tmp_path):
    fill(tmp_path, colour="red")
    assert make(tmp_path).shape == (3, 8, 8)
    assert make(tmp_path, channels=1).shape == (1, 8, 8)
    assert make(tmp_path, channels=4).shape == (4, 8, 8)
    with pytest.raises(ConfigError, match=r"data\.channels=5: expected 1 \(grey\), 3 \(colour\), 2 or 4"):
        make(tmp_path, channels=5)


def test_single_colour_image_makes_a_colour_set(tmp_path):
    fill(tmp_path)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "one.png")
    assert make(tmp_path).shape == (3, 8, 8)


def test_images_too_large_for_memory_are_decoded_on_access_to_the_same_pixels(tmp_path):
    fill(tmp_path / "a", colour="red")
    fill(tmp_path / "b", colour="blue")
    memory, files = make(tmp_path, subset=5), make(tmp_path, subset=5, in_memory_bytes=20 * 3 * 64 - 1)
    assert isinstance(memory.train, Split) and isinstance(files.train, Files)
    assert len(memory.train) == len(files.train) == 5 and files.shape == memory.shape
    for part in ("full_train", "train", "validation", "test"):
        indices = torch.arange(len(getattr(memory, part))).view(1, -1)
        for ours, theirs in zip(getattr(memory, part)[indices], getattr(files, part)[indices], strict=True):
            assert torch.equal(ours, theirs)


def test_files_in_workers_equal_memory_without(tmp_path):
    fill(tmp_path / "a", colour="red")
    fill(tmp_path / "b", colour="blue")
    memory, files = make(tmp_path), make(tmp_path, in_memory_bytes=0)
    stream = Stream(len(memory.train), batch=3, draws=2, seed=0)
    ours = list(Chunks(files.train, stream, 0, 6, [4], workers=2))
    theirs = list(Chunks(memory.train, stream, 0, 6, [4]))
    assert len(ours) == len(theirs) == 6
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


def test_many_files_are_decoded_in_order(tmp_path):
    for number in range(150):  # several threads' worth
        Image.new("L", (4, 4), number).save(tmp_path / f"{number:03}.png")
    files = Files(sorted(tmp_path.iterdir()), None, size=4, channels=1)
    assert files.decode().images[:, 0, 0, 0].tolist() == list(range(150))


@pytest.mark.parametrize("in_memory_bytes", [0, 2**31])
def test_a_truncated_image_is_named(tmp_path, in_memory_bytes):
    fill(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:2000])
    with pytest.raises(ConfigError, match=r"cut\.jpg cannot be read as an image \(.*truncated.*repair or remove"):
        make(tmp_path, in_memory_bytes=in_memory_bytes)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_file_with_only_the_name_of_an_image_is_named(tmp_path, content):
    fill(tmp_path)
    (tmp_path / "Page.JPEG").write_bytes(content)
    with pytest.raises(ConfigError, match=r"Page\.JPEG cannot be read"):
        make(tmp_path)


def test_a_decompression_bomb_is_refused(tmp_path):
    Image.new("1", (8001, 8001)).save(tmp_path / "bomb.png")
    with pytest.raises(ConfigError, match=r"bomb\.png is larger than 64 megapixels"):
        read(tmp_path / "bomb.png", 8, 1)


def test_a_missing_folder_says_where_was_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=rf"data\.root=nowhere: no such folder.*{tmp_path}/nowhere.*, .*Type data\.root="
    ):
        make("nowhere")


def test_a_relative_root_is_looked_for_in_the_current_folder(tmp_path, monkeypatch):
    fill(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    assert sum(sizes(make("pictures"))) == 10


def test_an_empty_folder_says_where_was_looked(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ConfigError, match=rf"{tmp_path} and its subfolders hold no image \(1 other files\)"):
        make(tmp_path)


def test_too_few_images_say_where_was_looked(tmp_path):
    fill(tmp_path, 3)
    with pytest.raises(ConfigError, match=rf"{tmp_path} holds 3 training images.* at least 2 are needed: add images"):
        make(tmp_path)
