"""Official parts and classes by the names of subfolders."""

from pathlib import Path, PurePath

import pytest

from regen.data.layout import PartName, layout, part_name
from regen.errors import ConfigError


def arranged(*names: str):
    return layout([PurePath(name) for name in names], Path("/home"), "data.root")


@pytest.mark.parametrize(
    "names",
    [
        "train test",
        "Train Test",
        "TRAIN TEST",
        "Training Testing",
        "training_set test_set",
        "seg_train seg_test",
        "trainA testA",
        "train2017 test2017",
        "train test1",
        "trainset testset",
        "train_images test_images",
        "TrainImages TestImages",
        "my-train my-test",
        "trainval test",
    ],
)
def test_official_parts_are_recognized_in_all_spellings_also_in_a_single_folder(names):
    train, test = names.split()
    for above in ("", "wrapper/", "two/wrappers/"):
        known = arranged(f"{above}{train}/cat/0.png", f"{above}{train}/dog/1.png", f"{above}{test}/cat/2.png")
        assert known.parts == ["train", "train", "test"] and known.is_official
        assert known.classes == ["cat", "dog", "cat"] and known.class_names == ["cat", "dog"]


@pytest.mark.parametrize(
    "name", ["val", "Valid", "validation", "VALIDATION", "dev", "val2017", "validation_set", "valA"]
)
def test_validation_parts_are_recognized(name):
    assert arranged("train/0.png", f"{name}/1.png").parts == ["train", "validation"]
    assert part_name(name).part == "validation"


@pytest.mark.parametrize(
    "name", ["trains", "latest", "contest", "restrain", "value", "device", "testament", "поезд", "a"]
)
def test_other_words_are_no_parts(name):
    assert part_name(name) is None


@pytest.mark.parametrize(
    "names", ["train plane", "train test_tube", "test_tube valve", "train bus", "training_shoe test"]
)
def test_classes_may_have_such_names(names):
    first, second = names.split()
    known = arranged(f"{first}/0.png", f"{second}/1.png")
    assert not known.is_official and known.class_names == sorted([first, second])


def test_two_domains_of_a_part_are_classes():
    known = arranged("testA/0.png", "testB/1.png", "trainA/2.png", "trainB/3.png")
    assert known.parts == ["test", "test", "train", "train"] and known.class_names == ["a", "b"]
    assert part_name("trainB") == PartName("train", (), "b")


def test_part_in_a_folder_with_the_name_of_the_part_is_unwrapped():
    known = arranged("seg_test/seg_test/sea/0.png", "seg_train/seg_train/ice/1.png", "seg_train/seg_train/sea/2.png")
    assert known.parts == ["test", "train", "train"] and known.class_names == ["ice", "sea"]


def test_images_outside_of_the_parts_are_in_none():
    known = arranged("cover.png", "other/0.png", "test/1.png", "train/2.png")
    assert known.parts == [None, None, "test", "train"] and known.class_names == []


def test_parts_without_a_training_part_are_refused():
    with pytest.raises(ConfigError, match=r"parts test and val .* type data\.root=FOLDER"):
        arranged("test/0.png", "val/1.png")


def test_depth_of_groups_does_not_count_the_official_part():
    assert arranged("w/test/p1/0.png", "w/train/p2/1.png").below == [("w", "p1"), ("w", "p2")]
    assert arranged("p1/a/0.png", "p2/a/1.png").below == [("p1", "a"), ("p2", "a")]
