"""A folder is identified by the content of its images, and so are their parts, folds and subsets."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regen.data.array_cache import caching_in
from regen.data.image_folder import fingerprint, folder, scan
from regen.data.images import Images
from regen.errors import ConfigError
from regen.utils.randomness import generator

USE = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
KEYS = {"image_size": 8, "channels": 3, "in_memory_bytes": 2**31, "validation": 0.15, "test": 0.15}


def make(root: Path, **keys) -> Images:
    return folder(root=str(root), **(KEYS | USE | keys))


def noise(number: int) -> np.ndarray:
    return torch.randint(0, 256, (8, 8, 3), generator=generator("noise", number), dtype=torch.uint8).numpy()


def write(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(number)).save(path.with_suffix(".bmp"))
    return path


def fill(place: Path, count: int = 60, first: int = 0) -> Path:
    """Images of noise, each different."""
    for number in range(first, first + count):
        write(place / f"{number:04}", number)
    return place


def parts(images: Images) -> dict[bytes, str]:
    """{pixels: part}"""
    return {
        row.numpy().tobytes(): part for part in ("train", "validation", "test") for row in getattr(images, part).images
    }


def test_fingerprint_is_that_of_the_images_regardless_of_names_and_place(tmp_path):
    one = fingerprint(root=str(fill(tmp_path / "one")))
    other = shutil.copytree(tmp_path / "one", tmp_path / "other")
    for number, path in enumerate(sorted(other.iterdir())):
        path.rename(other / f"z{99 - number}.bmp")
    (tmp_path / "link").symlink_to(other, target_is_directory=True)
    assert fingerprint(root=str(other)) == one == fingerprint(root=str(tmp_path / "link"))
    next(other.iterdir()).unlink()
    assert fingerprint(root=str(other)) != one


def test_fingerprint_distinguishes_official_parts_and_classes(tmp_path):
    flat = fingerprint(root=str(fill(tmp_path / "flat", 20)))
    for name in ("train", "test"):
        fill(tmp_path / "parts" / name, 10, first=10 * (name == "test"))
        fill(tmp_path / "classes" / f"of {name[::-1]}", 10, first=10 * (name == "test"))
    assert len({flat, *(fingerprint(root=str(tmp_path / name)) for name in ("parts", "classes"))}) == 3
    before = fingerprint(root=str(tmp_path / "classes"))
    (tmp_path / "classes/of niart").rename(tmp_path / "classes/z")
    assert fingerprint(root=str(tmp_path / "classes")) == before


def test_cached_digests_equal_the_files_and_changed_files_are_read_again(tmp_path):
    home = fill(tmp_path / "home", 12)
    for path in home.iterdir():
        os.utime(path, ns=(0, 0))
    with caching_in(tmp_path / "cache"):
        first = make(home), fingerprint(root=str(home))
        assert (make(home).fingerprint, fingerprint(root=str(home))) == (first[1], first[1])
        assert parts(make(home)) == parts(first[0])
        write(home / "0003", 99)
        changed = fingerprint(root=str(home))
        assert parts(make(home)).keys() != parts(first[0]).keys()
    assert changed == fingerprint(root=str(home)) != first[1]


@pytest.mark.parametrize("damage", [b"", b"PK not an archive", None])
def test_damaged_cache_is_replaced(tmp_path, damage):
    home = fill(tmp_path / "home", 12)
    with caching_in(tmp_path / "cache"):
        expected = parts(make(home))
        for path in filter(Path.is_file, (tmp_path / "cache").rglob("*")):
            content = path.read_bytes()
            path.write_bytes(content[:-3] + b"xyz" if damage is None else damage)
        assert parts(make(home)) == expected


def test_renaming_the_folder_and_removing_images_moves_no_other_image(tmp_path):
    before = parts(make(fill(tmp_path / "a", 1000)))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b/0123.bmp").unlink()
    after = parts(make(tmp_path / "b"))
    assert len(after) == 999 and after.items() <= before.items()
    fill(tmp_path / "b", 50, first=1000)
    assert after.items() <= parts(make(tmp_path / "b")).items()
    sizes = [list(before.values()).count(part) for part in ("train", "validation", "test")]
    assert sum(sizes) == 1000 and all(abs(size - 150) < 50 for size in sizes[1:])


def test_renamed_images_are_trained_on_in_the_same_order(tmp_path):
    before = make(fill(tmp_path / "a"), subset=10)
    for number, path in enumerate(sorted((tmp_path / "a").iterdir())):
        path.rename(tmp_path / "a" / f"z{99 - number}.bmp")
    after = make(tmp_path / "a", subset=10)
    for part in ("full_train", "train", "validation", "test"):
        assert torch.equal(getattr(before, part).images, getattr(after, part).images)


def test_folds_are_functions_of_content(tmp_path):
    fill(tmp_path / "a", 200)
    before = [set(parts_of_validation(make(tmp_path / "a", folds=5, fold=fold))) for fold in range(5)]
    assert sum(map(len, before)) == len(set.union(*before)) and min(map(len, before)) > 20
    (tmp_path / "a/0007.bmp").unlink()
    for fold, held_out in enumerate(before):
        assert set(parts_of_validation(make(tmp_path / "a", folds=5, fold=fold))) <= held_out


def parts_of_validation(images: Images) -> list[bytes]:
    return [row.numpy().tobytes() for row in images.validation.images]


def test_another_split_seed_holds_out_other_images(tmp_path):
    fill(tmp_path / "a")
    assert parts(make(tmp_path / "a")) != parts(make(tmp_path / "a", split_seed=1))
    with pytest.raises(ConfigError, match=r"data\.split_seed='x': expected a whole number"):
        make(tmp_path / "a", split_seed="x")


def test_exact_duplicates_share_a_part_and_a_fold_and_are_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    fill(tmp_path / "a", 60)
    for path in list((tmp_path / "a").iterdir()):
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    images = make(tmp_path / "a")
    rows = {part: [row.numpy().tobytes() for row in getattr(images, part).images] for part in ("train", "test")}
    rows["validation"] = parts_of_validation(images)
    assert sum(map(len, rows.values())) == 120 and sum(len(set(some)) for some in rows.values()) == 60
    assert set.isdisjoint(set(rows["train"]), {*rows["test"], *rows["validation"]})
    assert "60 exact duplicates" in caplog.text
    folded = [make(tmp_path / "a", folds=3, fold=fold) for fold in range(3)]
    assert all(not set(parts_of_validation(one)) & {r.numpy().tobytes() for r in one.train.images} for one in folded)


def test_duplicates_across_official_parts_are_left_out_of_training(tmp_path, caplog):
    fill(tmp_path / "train", 40)
    fill(tmp_path / "test", 10, first=35)
    images = make(tmp_path)
    assert len(images.test) == 10 and len(images.train) + len(images.validation) == 35
    assert "5 images of the official train part are left out" in caplog.text


def test_set_of_equal_images_only_is_refused_with_the_count(tmp_path):
    for number in range(20):
        write(tmp_path / str(number), 0)
    with pytest.raises(ConfigError, match="20 training images, 1 different ones"):
        make(tmp_path)


def test_units_of_a_scan_ignore_the_size_of_images(tmp_path):
    fill(tmp_path / "a", 30)
    assert parts(make(tmp_path / "a")).values() != [] and scan(str(tmp_path / "a"), None, 0).units.duplicates == 0
