"""Groups of images stay whole in parts, folds and subsets."""

import itertools
from pathlib import Path

import pytest
import torch
from PIL import Image

from regen.data.groups import read_groups
from regen.data.image_folder import folder
from regen.data.units import Units
from regen.errors import ConfigError
from regen.utils.randomness import Draws

USE = {"batch_size": 2, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
KEYS = {"image_size": 8, "channels": 3, "in_memory_bytes": 2**31, "validation": 0.2, "test": 0.2}


def random_units(layout: int) -> Units:
    """Up to 60 groups of up to 8 images, some of them duplicates."""
    draws = Draws("layouts", layout)
    count = 20 + int(draws.integers(280, 1))
    groups = draws.integers(5 + int(draws.integers(55, 1)), count).tolist()
    contents = draws.integers(int(count * (1 + 3 * float(draws.uniform(1)))), count).tolist()
    return Units([bytes([one // 256, one % 256]) for one in contents], [f"g{one}" for one in groups], seed=layout)


def test_no_group_and_no_image_of_100_random_layouts_is_in_two_parts_or_folds():
    for number in range(100):
        units = random_units(number)
        everything = list(range(len(units.digests)))
        if len(set(units.keys)) < 6:
            continue
        parts = units.hold_out(everything, {"test": 0.15, "validation": 0.15})
        assert sorted(itertools.chain(*parts.values())) == everything
        assert_apart(units, parts.values())
        pool = parts["train"] + parts["validation"]
        folds = min(4, len({units.keys[index] for index in pool}))
        held_out = [units.hold_out_fold(pool, folds, fold)[1] for fold in range(folds)]
        assert sorted(itertools.chain(*held_out)) == sorted(pool)
        assert_apart(units, held_out)
        ordered = units.order(parts["train"])
        size = units.whole(ordered, max(len(ordered) * 3 // 4, sizes_of_first(units, ordered)))
        assert_apart(units, [ordered[:size], ordered[size:]])


def sizes_of_first(units: Units, ordered: list[int]) -> int:
    """Enough images for two groups."""
    keys = list(dict.fromkeys(units.keys[index] for index in ordered))[:2]
    return sum(units.keys[index] in keys for index in ordered)


def assert_apart(units: Units, parts) -> None:
    for values in (units.groups, units.digests):
        sets = [{values[index] for index in part} for part in parts]
        assert sum(map(len, sets)) == len(set().union(*sets))


def test_official_parts_lose_the_images_of_groups_that_are_held_out():
    units = Units([bytes([i]) for i in range(6)], ["a", "a", "b", "b", "c", "c"], seed=0)
    parts, lost = units.without_leaks({"train": [0, 2, 4, 5], "test": [1], "validation": [3]})
    assert parts == {"test": [1], "validation": [3], "train": [4, 5]} and lost == {"train": 2}


def write(home: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 2 * number, 255 - number)).save(home / f"{name}.bmp")
    return home


@pytest.mark.parametrize("group", [1, "1", r"(p\d+)_", r"p\d+(?=_)", "table.csv:patient", "names.tsv:patient"])
def test_a_folder_keeps_groups_whole(tmp_path, group):
    names = [f"p{patient}/p{patient}_{slice_}" for patient in range(30) for slice_ in range(4)]
    write(tmp_path, *names)
    rows = [(f"{name}.bmp", name.split("/")[0]) for name in names]
    (tmp_path / "table.csv").write_text("path,patient\n" + "".join(f"{path},{patient}\n" for path, patient in rows))
    tsv = "".join(f"x\t{Path(path).stem}\t{patient}\n" for path, patient in rows)
    (tmp_path / "names.tsv").write_text(f"\ufeffsite\tname\tpatient\n{tsv}", encoding="utf-8")
    images = folder(root=str(tmp_path), group=group, **(KEYS | USE | {"subset": 30}))
    patients = [
        set((getattr(images, part).images[:, 0, 0, 0] // 4).tolist()) for part in ("train", "validation", "test")
    ]
    assert [len(images.train), len(images.validation) % 4, len(images.test) % 4] == [28, 0, 0]
    assert sum(map(len, patients)) == len(set.union(*patients))


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (0, "expected a folder depth of 1 or more"),
        (3, r"6 of 6 images .* 3 folders, a/p0/0.bmp"),
        ("(p", "is not a regular expression"),
        ("p1", "5 of 6 images do not match, a/p0/0.bmp"),
        ("p", "makes 1 group .p. of 6 images: expected 3 or more"),
        ("no.csv:patient", "no such table. Looked at"),
        ("t.csv:other", "has no column other, but path, patient"),
        ("t.csv:patient", r"1 of 6 images .* patient"),
        (True, "expected a number or a text"),
        ("", "expected a number or a text"),
    ],
)
def test_a_group_that_an_image_lacks_is_refused(tmp_path, group, words):
    names = [f"a/p{number}/{number}.bmp" for number in range(6)]
    (tmp_path / "t.csv").write_text("path,patient\n" + "".join(f"{name},{name[2:4]}\n" for name in names[:5]))
    below = [tuple(name.split("/")[:-1]) for name in names]
    with pytest.raises(ConfigError, match=words):
        read_groups(group, tmp_path, names, below)


def test_a_subset_without_a_whole_group_is_refused(tmp_path):
    write(tmp_path, *[f"p{patient}/{slice_}" for patient in range(12) for slice_ in range(5)])
    with pytest.raises(ConfigError, match=r"data\.subset of 3 .* type data\.sub"):
        folder(root=str(tmp_path), group=1, **(KEYS | USE | {"subset": 3}))
    assert len(folder(root=str(tmp_path), group=1, **(KEYS | USE | {"subset": 5})).train) == 5


def test_folds_of_few_groups_are_of_similar_size():
    units = Units([bytes([i]) for i in range(12)], [f"g{i // 2}" for i in range(12)], seed=0)
    assert [len(units.hold_out_fold(list(range(12)), 6, fold)[1]) for fold in range(6)] == [2] * 6
    with pytest.raises(ConfigError, match=r"data\.folds=7: there are 6 groups to divide"):
        units.hold_out_fold(list(range(12)), 7, 0)
    assert torch.tensor(units.order(range(12)))[0::2].sub(torch.tensor(units.order(range(12)))[1::2]).abs().max() == 1
