"""Values of image files: bits, windows, transparency, orientation, damage and memory."""

import io
import logging
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from regen.data import pixels
from regen.data.array_cache import caching_in
from regen.data.conversion import Conversion
from regen.data.image_folder import folder
from regen.data.images import Images
from regen.data.intact_pixels import intact
from regen.data.pixels import read
from regen.data.split import as_float
from regen.data.survey import choose_background, survey
from regen.data.window import choose_window, from_unit, to_unit, value_dtype
from regen.errors import ConfigError

KEYS = {"image_size": 8, "channels": None, "in_memory_bytes": 2**31, "validation": 0.2, "test": 0.2}
KEYS |= {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
NOISE = np.random.default_rng(0)


def make(root: Path, **keys) -> Images:
    return folder(root=str(root), **(KEYS | keys))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values: np.ndarray, *extra: bytes) -> bytes:
    """A PNG of (H, W) or (H, W, 2 to 4) uint8 or uint16, with further chunks before its pixels."""
    values = values[..., None] if values.ndim == 2 else values
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    big = values.astype(values.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    head = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, kind, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def fill(place: Path, images: list[np.ndarray] | list[bytes], suffix: str = ".png") -> Path:
    place.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        path = place / f"{number:03}{suffix}"
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            note = PngInfo()
            note.add_text("number", str(number))  # else equal images would be one
            Image.fromarray(image).save(path, **({"pnginfo": note} if suffix == ".png" else {}))
    return place


def pixels_of(images: Images) -> torch.Tensor:
    return torch.cat([as_float(part.images) for part in (images.train, images.validation, images.test)])


def every_level(bits: int, dtype=np.uint16) -> list[np.ndarray]:
    """Ten images of 8 x 8 whose values reach from 0 to the largest of so many bits."""
    return list(np.linspace(0, 2**bits - 1, 640).round().astype(dtype).reshape(10, 8, 8))


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_wide_integers_keep_all_levels_in_the_window_of_the_bit_depth(tmp_path, bits, suffix):
    images = make(fill(tmp_path / "wide", every_level(bits), suffix))
    assert images.recorded["window"] == [0, 2**bits - 1]
    found = np.sort(from_unit(pixels_of(images).numpy(), images.recorded["window"]).ravel())
    assert found.dtype == np.uint16
    assert np.array_equal(found, np.concatenate(every_level(bits)).ravel())


@pytest.mark.parametrize(
    ("dtype", "scale", "window"),
    [
        (np.int32, 255, [0, 255]),
        (np.float32, 255, [0.0, 255.0]),
        (np.float32, 1, [0.0, 1.0]),
        (np.int32, 4095, [0, 4095]),
    ],
)
def test_tiffs_of_32_bits_get_the_window_of_the_values(tmp_path, dtype, scale, window):
    levels = (np.linspace(0, 1, 640) * scale).astype(dtype).reshape(10, 8, 8)
    images = make(fill(tmp_path / "tiff", list(levels), ".tif"))
    assert images.recorded["window"] == window and type(images.recorded["window"][0]) is type(window[0])
    expected = np.unique(levels)
    assert np.allclose(np.unique(from_unit(pixels_of(images).numpy(), window)), expected, atol=1e-6 * scale)


def test_bright_outliers_do_not_darken_the_others_and_are_said_to_be_clipped(tmp_path, caplog):
    levels = [(1000 + NOISE.integers(0, 200, (32, 32))).astype(np.uint16) for _ in range(10)]
    levels[3][0, 0] = 65000
    with caplog.at_level(logging.INFO, "regen"):
        images = make(fill(tmp_path / "ct", levels), image_size=32)
    low, high = images.recorded["window"]
    assert 1000 <= low < 1010 and 1190 < high <= 1200
    assert "lie outside and are clipped" in caplog.text


def test_typed_window_is_used_and_clips(tmp_path):
    images = make(fill(tmp_path / "wide", every_level(12)), window=[1000, 2000])
    values = pixels_of(images)
    assert values.min() == -1 and values.max() == 1 and images.recorded["window"] == [1000, 2000]
    inside = [level for level in np.concatenate(every_level(12)).ravel() if 1000 < level < 2000]
    assert ((values > -1) & (values < 1)).sum() == len(inside)


def test_eight_bits_are_untouched_and_stay_bytes(tmp_path):
    images = make(fill(tmp_path / "grey", [NOISE.integers(0, 200, (8, 8), np.uint8) for _ in range(10)]))
    assert images.recorded["window"] == [0, 255] and images.train.images.dtype == torch.uint8


def test_typed_window_of_eight_bits_stretches_the_values(tmp_path):
    images = make(fill(tmp_path / "grey", [np.full((8, 8), 10 * n, np.uint8) for n in range(10)]), window=[0, 100])
    assert sorted({round(value, 4) for value in pixels_of(images).unique().tolist()}) == [
        round(n / 5 - 1, 4) for n in range(10)
    ]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_png_colours_of_16_bits_keep_the_levels(tmp_path, channels):
    values = NOISE.integers(0, 65536, (10, 8, 8, channels)).astype(np.uint16)
    values[0, 0, 0] = 65535
    images = make(fill(tmp_path / "deep", [png(one) for one in values]), channels=channels)
    assert images.shape == (channels, 8, 8)
    found = {
        tuple(row) for row in from_unit(pixels_of(images).permute(0, 2, 3, 1).reshape(-1, channels).numpy(), (0, 65535))
    }
    assert found == {tuple(row) for row in values.reshape(-1, channels)}


def test_eight_bits_among_sixteen_are_scaled_to_equal_values(tmp_path):
    place = fill(tmp_path / "mixed", every_level(16))
    (place / "a.png").write_bytes(png(np.full((8, 8), 128, np.uint8)))
    images = make(place)
    assert images.recorded["window"] == [0, 65535]
    assert (pixels_of(images) - (128 / 127.5 - 1)).abs().flatten(1).max(1).values.min() < 1e-6


def test_eight_bits_among_twelve_are_refused_with_the_override_to_type(tmp_path):
    place = fill(tmp_path / "mixed", every_level(12))
    (place / "a.png").write_bytes(png(np.full((8, 8), 128, np.uint8)))
    with pytest.raises(ConfigError, match=r"10 of 11 images have uint16 pixels .* from 0 to 4095.* type data\.window="):
        make(place)


def tiff(values: np.ndarray, order: str = "<") -> bytes:
    """An uncompressed TIFF of (H, W, 3) uint16 in a byte order of struct's."""
    height, width, _ = values.shape
    pixels_at, bits_at = 140, 8 + 2 + 9 * 12 + 4
    tags = [(256, width), (257, height), (258, bits_at), (259, 1), (262, 2), (273, pixels_at), (277, 3), (278, height)]
    tags += [(279, values.nbytes)]
    entries = b"".join(
        struct.pack(f"{order}HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, n) for tag, n in tags
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags)) + entries
    head += struct.pack(f"{order}I3H", 0, 16, 16, 16)
    return head.ljust(pixels_at, b"\0") + values.astype(values.dtype.newbyteorder(order)).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_colours_of_16_bits_keep_the_levels(tmp_path, order):
    values = NOISE.integers(0, 65536, (8, 8, 3)).astype(np.uint16)
    (tmp_path / "deep.tif").write_bytes(tiff(values, order))
    found = read(tmp_path / "deep.tif", 8, 3, Conversion((0, 65535), exact=False))
    assert np.array_equal(from_unit(found, (0, 65535)).transpose(1, 2, 0), values)


def test_ppm_colours_of_16_bits_are_refused_because_pillow_reads_8(tmp_path):
    (tmp_path / "deep.ppm").write_bytes(b"P6 2 2 65535\n" + bytes(24))
    with pytest.raises(
        ConfigError, match=r"deep\.ppm cannot be read .*more than 8 bits, which are not read from this kind"
    ):
        read(tmp_path / "deep.ppm", 2, 3, Conversion((0, 65535), exact=False))


def test_floats_that_are_not_finite_are_named(tmp_path):
    place = fill(
        tmp_path / "nan", [np.full((8, 8), 0.5, np.float32)] * 9 + [np.full((8, 8), np.nan, np.float32)], ".tif"
    )
    with pytest.raises(ConfigError, match=r"009\.tif cannot be read .* not finite"):
        make(place)


@pytest.mark.parametrize("window", ["0,4095", [1], [5, 5], [3, 2], [0, float("inf")], [True, 2], 7, ["a", "b"]])
def test_other_windows_are_refused(tmp_path, window):
    with pytest.raises(ConfigError, match=r"data\.window=.*: expected auto"):
        make(tmp_path, window=window)


def test_windows_and_units_are_inverse():
    for window, dtype in [
        ((0, 255), "uint8"),
        ((0, 4095), "uint16"),
        ((-1024, 3071), "int32"),
        ((0.0, 1.0), "float32"),
    ]:
        values = np.linspace(*window, 500).astype(dtype)
        assert value_dtype(window) == dtype
        assert np.allclose(from_unit(to_unit(values, window), window), values, atol=1e-6)


def test_binary_masks_are_black_and_white_at_any_bit_depth():
    assert choose_window(np.array([0, 1] * 50), 0, 1, integers=True) == (0, 1)
    assert choose_window(np.array([0.0, 1.0] * 50), 0, 1, integers=False) == (0.0, 1.0)
    assert choose_window(np.full(9, 7.0), 7, 7, integers=False) == (7.0, 8.0)


def icon(colour: tuple[int, int, int]) -> np.ndarray:
    """(8, 8, 4): a square of a colour on transparency."""
    values = np.zeros((8, 8, 4), np.uint8)
    values[2:6, 2:6] = (*colour, 255)
    return values


@pytest.mark.parametrize(
    ("colour", "background"), [((255,) * 3, "black"), ((0,) * 3, "white"), ((200, 30, 30), "white")]
)
def test_icons_are_never_blank_on_the_background(tmp_path, colour, background):
    images = make(fill(tmp_path / "icons", [icon(colour)] * 10))
    assert images.recorded["background"] == background
    assert pixels_of(images).amax((1, 2, 3)).sub(pixels_of(images).amin((1, 2, 3))).min() > 0.5


def test_white_and_black_icons_in_a_set_lie_on_grey(tmp_path):
    images = make(fill(tmp_path / "icons", [icon((255,) * 3), icon((0,) * 3)] * 5))
    assert images.recorded["background"] == "grey"


@pytest.mark.parametrize(("typed", "level"), [("white", 255), ("black", 0), ("grey", 128), ([10, 20, 30], 10)])
def test_typed_background_is_under_transparent_pixels(tmp_path, typed, level):
    images = make(fill(tmp_path / "icons", [icon((90, 200, 40))] * 10), background=typed)
    assert images.recorded["background"] == typed and int(images.train.images[0, 0, 0, 0]) == level


@pytest.mark.parametrize("typed", ["red", [1, 2], [0, 0, 256], 5, [0.5, 0.5, 0.5]])
def test_other_backgrounds_are_refused(tmp_path, typed):
    with pytest.raises(ConfigError, match=r"data\.background=.*: expected auto, white, black"):
        make(tmp_path, background=typed)


def test_opaque_images_lie_on_white_which_nothing_shows_of():
    assert choose_background([np.ones((4, 3, 3), np.float32)]) == (255, 255, 255)


def test_sixteen_bit_transparency_is_composed(tmp_path):
    values = np.zeros((4, 4, 2), np.uint16)
    (tmp_path / "clear.png").write_bytes(png(values))
    for colour, expected in (((255, 255, 255), 1.0), ((0, 0, 0), -1.0)):
        found = read(tmp_path / "clear.png", 4, 1, Conversion((0, 65535), colour, exact=False))
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_may_be_a_channel(tmp_path, channels):
    images = make(fill(tmp_path / "icons", [icon((250, 250, 250))] * 10), channels=channels)
    assert images.train.images[0, :, 0, 0].tolist()[-1] == 0 and images.train.images[0, :, 4, 4].tolist()[-1] == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("wide", [False, True], ids=["8_bits", "16_bits"])
def test_every_orientation_is_applied_to_any_bits(tmp_path, orientation, wide):
    values = np.arange(64).reshape(8, 8).astype(np.uint16 if wide else np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "turned.png", exif=exif)
    conversion = Conversion((0, 63), exact=False) if wide else Conversion()
    found = read(tmp_path / "turned.png", 8, 1, conversion)[0]
    upright = {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.T,
        6: np.rot90(values, -1),
    }
    upright |= {7: values[::-1, ::-1].T, 8: np.rot90(values)}
    assert np.array_equal(from_unit(found, (0, 63)) if wide else found, upright[orientation])


@pytest.mark.parametrize("size", [[64, 48], [8, 24], [24, 8]])
def test_images_of_any_proportions_are_covered_and_centred(tmp_path, size):
    height, width = size
    strip = np.zeros((3 * height, 5 * width), np.uint8)
    strip[:, 2 * width : 3 * width] = 200
    place = fill(tmp_path / "strips", [strip] * 10)
    images = make(place, image_size=size)
    assert images.shape == (1, *size)
    middle = images.train.images[0, 0, height // 2]
    assert abs(int(middle[width // 2]) - 200) < 10 and middle[0] == 0


@pytest.mark.parametrize("size", [0, [8], [8, 8, 8], [8, 0], "8x8", True, [8, 1.5]])
def test_other_sizes_are_refused(tmp_path, size):
    with pytest.raises(ConfigError, match=r"data\.image_size=.*: expected .* data\.image_size=\[64,48\]"):
        make(tmp_path, image_size=size)


# Damage outside the pixels


def photograph(side: int = 48) -> np.ndarray:
    coarse = NOISE.integers(0, 255, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def jpeg(**options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photograph()).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def wrong_checksum(kind: bytes, content: bytes) -> bytes:
    return chunk(kind, content)[:-4] + b"oops"


BROKEN_METADATA = {
    "text_over_1_MB": chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(3_000_000))),
    "plain_text_over_64_MB_claimed": chunk(b"iTXt", b"note\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
    "eXIf": chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff garbage"),
    "eXIf_empty": chunk(b"eXIf", b""),
    "checksum_of_tEXt": wrong_checksum(b"tEXt", b"note\0text"),
    "checksum_of_eXIf": wrong_checksum(b"eXIf", b"MM\0*\0\0\0\x08\0\0"),
    "iCCP": chunk(b"iCCP", b"profile\0\0not zlib"),
    "iCCP_method": chunk(b"iCCP", b"profile\0\7" + zlib.compress(b"x")),
    "pHYs_short": chunk(b"pHYs", b"\0\0"),
    "gAMA_short": chunk(b"gAMA", b"\0"),
    "tIME": wrong_checksum(b"tIME", b"\0" * 7),
    "unknown_chunk": chunk(b"vpAg", b"\0" * 9),
}


@pytest.mark.parametrize("name", BROKEN_METADATA)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_with_broken_metadata_is_read(tmp_path, name, dtype):
    values = NOISE.integers(0, 255, (8, 8), dtype)
    (tmp_path / "a.png").write_bytes(png(values, BROKEN_METADATA[name]))
    conversion = Conversion() if dtype == np.uint8 else Conversion((0, 255), exact=False)
    found = read(tmp_path / "a.png", 8, 1, conversion)[0]
    assert np.array_equal(found if dtype == np.uint8 else from_unit(found, (0, 255)), values)


@pytest.mark.parametrize("end", [b"", b"\0\0", b"\0\0\0\0IEND\0\0\0\0", b"trailing garbage" * 9])
def test_png_without_a_right_end_is_read(tmp_path, end):
    values = NOISE.integers(0, 255, (8, 8), np.uint8)
    (tmp_path / "a.png").write_bytes(png(values)[:-12] + end)
    assert np.array_equal(read(tmp_path / "a.png", 8, 1)[0], values)


@pytest.mark.parametrize("cut", [30, 40, 200])
def test_png_with_cut_pixels_is_refused(tmp_path, cut):
    (tmp_path / "a.png").write_bytes(png(NOISE.integers(0, 255, (16, 16), np.uint8))[:-cut])
    with pytest.raises(ConfigError, match=r"a\.png cannot be read"):
        read(tmp_path / "a.png", 8, 1)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("end", [b"", b"\xff", b"\0" * 100])
def test_jpeg_without_end_marker_is_read(tmp_path, options, end):
    content = jpeg(**options)
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "cut.jpg").write_bytes(content[:-2] + end)
    assert np.array_equal(read(tmp_path / "cut.jpg", 48, 3), read(tmp_path / "whole.jpg", 48, 3))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}, {"restart_marker_rows": 1}])
def test_jpeg_with_missing_pixels_is_refused_at_any_cut(tmp_path, options):
    content = jpeg(**options)
    path = tmp_path / "cut.jpg"
    path.write_bytes(content)
    whole = read(path, 48, 3)
    for length in range(2, len(content) - 2, 7):
        path.write_bytes(content[:length])
        try:
            assert np.array_equal(read(path, 48, 3), whole), length  # padding bits alone may be missing
        except ConfigError as error:
            assert "cannot be read as an image" in str(error)
    assert intact(content[: len(content) // 2]) is None


@pytest.mark.parametrize(
    "segment", [b"\xff\xe1\0\x10Exif\0\0MM\0*\xff\xff\xff\xff", b"\xff\xe2\0\x10ICC_PROFILE\0\x09", b"\xff\xed\0\x04zz"]
)
def test_jpeg_with_broken_metadata_is_read(tmp_path, segment):
    content = jpeg()
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "odd.jpg").write_bytes(content[:2] + segment + content[2:])
    assert np.array_equal(read(tmp_path / "odd.jpg", 48, 3), read(tmp_path / "whole.jpg", 48, 3))


def test_adobes_colours_survive_a_missing_end(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(photograph()).convert("CMYK").save(buffer, "JPEG", quality=95)
    (tmp_path / "whole.jpg").write_bytes(buffer.getvalue())
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-2])
    assert np.array_equal(read(tmp_path / "cut.jpg", 48, 3), read(tmp_path / "whole.jpg", 48, 3))


# Unreadable files


def test_up_to_so_many_unreadable_files_are_left_out(tmp_path, caplog):
    place = fill(tmp_path / "some", [np.full((8, 8), 20 * n, np.uint8) for n in range(10)])
    for name in ("bad.png", "worse.jpg"):
        (place / name).write_bytes(b"no image")
    images = make(place, max_bad_files=2)
    assert sum(len(part) for part in (images.train, images.validation, images.test)) == 10
    assert "left out 2 unreadable files (data.max_bad_files=2)" in caplog.text and "worse.jpg" in caplog.text
    with pytest.raises(ConfigError, match=r"2 of 12 files .* type data\.max_bad_files=2") as error:
        make(place, max_bad_files=1)
    assert "bad.png" in str(error.value) and "worse.jpg" in str(error.value)


@pytest.mark.parametrize("in_memory_bytes", [0, 2**31])
def test_all_unreadable_files_are_named_at_once(tmp_path, in_memory_bytes):
    place = fill(tmp_path / "some", [np.full((8, 8), n, np.uint8) for n in range(10)])
    for number in range(7):
        (place / f"bad{number}.png").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"7 of 17 files .* type data\.max_bad_files=7") as error:
        make(place, in_memory_bytes=in_memory_bytes)
    assert "bad0.png" in str(error.value) and "and 2 more" in str(error.value)


@pytest.mark.parametrize("value", [-1, True, 1.5, "2"])
def test_other_counts_of_bad_files_are_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=r"data\.max_bad_files=.*: expected 0 or a positive whole number"):
        make(fill(tmp_path / "some", [np.zeros((8, 8), np.uint8)] * 10), max_bad_files=value)


def test_pipes_sockets_and_devices_are_passed_over(tmp_path):
    place = fill(tmp_path / "some", [np.full((8, 8), n, np.uint8) for n in range(10)])
    os.mkfifo(place / "pipe.png")
    (place / "device.png").symlink_to("/dev/zero")
    images = make(place)
    assert sum(len(part) for part in (images.train, images.validation, images.test)) == 10


def test_a_link_to_nothing_is_named(tmp_path):
    place = fill(tmp_path / "some", [np.full((8, 8), n, np.uint8) for n in range(10)])
    (place / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ConfigError, match=r"gone\.png cannot be read"):
        make(place)


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    place = fill(tmp_path / "large", [np.full((64, 64), n, np.uint8) for n in range(6)])
    monkeypatch.setattr(pixels, "LARGE", 1000)
    at_once, most, count = 0, 0, threading.Lock()
    convert = pixels._eight_bits

    def counted(*arguments):
        nonlocal at_once, most
        with count:
            at_once += 1
            most = max(most, at_once)
        try:
            return convert(*arguments)
        finally:
            with count:
                at_once -= 1

    monkeypatch.setattr(pixels, "_eight_bits", counted)
    threads = [threading.Thread(target=read, args=(path, 8, 1)) for path in place.iterdir() for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_survey_records_settings_that_reproduce_the_images(tmp_path):
    place = fill(tmp_path / "icons", [icon((255, 255, 255))] * 10)
    images = make(place)
    again = make(place, **images.recorded)
    assert torch.equal(pixels_of(again), pixels_of(images)) and again.recorded == images.recorded
    assert survey(sorted(place.iterdir()), None, None, None).channels == images.shape[0]


def test_wide_images_are_the_same_from_the_cache_of_pixels(tmp_path, monkeypatch):
    place = fill(tmp_path / "wide", every_level(12))
    with caching_in(tmp_path / "cache"):
        first = make(place)
        monkeypatch.setattr(pixels, "_converted", None)  # nothing is decoded again
        again = make(place, **first.recorded)
    assert torch.equal(pixels_of(first), pixels_of(again)) and again.train.images.dtype == torch.float32
