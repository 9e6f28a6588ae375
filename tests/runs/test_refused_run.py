"""A run that is refused leaves no folder behind; anything else that is in one stays."""

import numpy as np
import pytest
from PIL import Image

from regen.runs.refused_run import remove_if_unstarted
from regen.utils.locks import FolderLock


def test_unreadable_images_are_named_and_no_folder_is_left(tmp_path, train, capsys):
    (tmp_path / "photos").mkdir()
    for number in range(12):
        Image.fromarray(np.full((8, 8), 20 * number, np.uint8)).save(tmp_path / f"photos/{number}.png")
    for name in ("a", "b"):
        (tmp_path / f"photos/{name}.png").write_bytes(b"no image")
    settings = ("data=folder", f"data.root={tmp_path}/photos", "data.batch_size=4")
    run = train(*settings, status=78)
    said = capsys.readouterr().err
    assert "2 of 14 files cannot be read" in said and "a.png" in said and "b.png" in said and not run.exists()


def test_a_misspelt_value_leaves_no_folder(train):
    assert not train("max_iterations=0", status=78).exists()


@pytest.mark.parametrize("name", ["config.yaml", "checkpoints", "notes.txt", ".hydra/mine"])
def test_a_folder_that_holds_anything_else_stays(tmp_path, name):
    (tmp_path / "run/.hydra").mkdir(parents=True)
    (tmp_path / "run" / name).write_text("")
    remove_if_unstarted(tmp_path / "run")
    assert (tmp_path / "run" / name).exists()


def test_links_are_not_followed(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.yaml").write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.hydra").symlink_to(tmp_path / "other")
    remove_if_unstarted(tmp_path / "run")
    assert (tmp_path / "other/config.yaml").exists() and (tmp_path / "run/.hydra").exists()


def test_unstarted_folder_is_removed_with_the_lock(tmp_path):
    (tmp_path / "run/.hydra").mkdir(parents=True)
    (tmp_path / "run/train.log").write_text("")
    lock = FolderLock(tmp_path / "run")
    lock.acquire()
    lock.release()
    remove_if_unstarted(tmp_path / "run")
    assert not (tmp_path / "run").exists()
