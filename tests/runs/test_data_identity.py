"""Results belong to data: a run, a job, a comparison and a cache know the images that they are of."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.commands import type_in
from PIL import Image

from regen.comparison.config_diff import settings
from regen.data.split import Files
from regen.errors import ConfigError
from regen.metrics.features.cache import content
from regen.runs.folder import Folder
from regen.runs.load import open_run
from regen.utils.randomness import generator

PETS = (
    "data=folder",
    "data.batch_size=8",
    "metrics=[kernel]",
    "monitor=val/kd",
    "metrics/features=own",
    "max_iterations=2",
)


def fill(place: Path, count: int = 60, first: int = 0) -> Path:
    """Images of noise, each different."""
    import torch

    place.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        noise = torch.randint(0, 256, (8, 8, 3), generator=generator("noise", number), dtype=torch.uint8)
        Image.fromarray(noise.numpy()).save(place / f"{number:04}.bmp")
    return place


@pytest.fixture
def pets(tmp_path) -> dict[str, Path]:
    return {"cats": fill(tmp_path / "cats"), "dogs": fill(tmp_path / "dogs", first=1000)}


def test_run_records_the_data_and_resumes_with_the_same_images_only(train, pets, tmp_path, capsys):
    run = train(*PETS, f"data.root={pets['cats']}")
    record = yaml.safe_load((run / "config.yaml").read_text())["dataset"]
    assert record["name"] == "folder-cats" and record["images"] == 60
    train(f"resume={run}", f"data.root={pets['dogs']}", "max_iterations=3", smoke=False, status=78)
    said = capsys.readouterr().err
    assert "was trained on folder-cats" in said and "now folder-dogs" in said and record["fingerprint"] in said
    pets["cats"].rename(tmp_path / "felines")
    train(f"resume={run}", f"data.root={tmp_path}/felines", "max_iterations=3", smoke=False)
    assert json.loads((run / "result.json").read_text())["iteration"] == 3
    next((tmp_path / "felines").iterdir()).unlink()
    train(f"resume={run}", "max_iterations=4", smoke=False, status=78)
    assert "59 images" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"was trained on folder-felines .fingerprint \w+, 60 images., and"):
        _ = open_run(run).data


def test_evaluation_finds_a_folder_that_was_moved(train, pets, tmp_path, monkeypatch, capsys):
    from regen.cli import evaluate as script

    run = train(*PETS, f"data.root={pets['cats']}")
    pets["cats"].rename(tmp_path / "felines")
    typed = (f"run={run}", "samples=20", "metrics=[kernel]", "metrics/features=own")
    type_in(monkeypatch, script, *typed, status=78)
    assert "no such folder" in capsys.readouterr().err
    type_in(monkeypatch, script, *typed, f"data.root={tmp_path}/felines")
    assert json.loads((run / "result.json").read_text())["evaluations"][0]["figures"]["test/kd"]


def test_run_of_an_earlier_version_is_not_resumed_with_other_parts(train, pets, capsys):
    run = train(*PETS, f"data.root={pets['cats']}")
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({key: value for key, value in config.items() if key != "dataset"}))
    train(f"resume={run}", "max_iterations=3", smoke=False, status=78)
    assert "does not record its data" in capsys.readouterr().err


def test_jobs_of_a_sweep_belong_to_the_images(train, pets, tmp_path):
    folder = tmp_path / "sweep"

    def swept(root: object) -> list[dict[str, str]]:
        train("-m", "sweep=pets", *PETS, f"data.root={root}", f"hydra.sweep.dir={folder}")
        with open(folder / "summary.csv", newline="") as file:
            return list(csv.DictReader(file))

    assert len(swept(pets["cats"])) == 1
    results = {path: path.stat().st_mtime_ns for path in folder.glob("*/result.json")}
    pets["cats"].rename(tmp_path / "felines")
    table = swept(f"{tmp_path}/felines,{pets['dogs']}")
    assert {path.stat().st_mtime_ns for path in folder.glob("*/result.json")} >= set(results.values())
    assert len(table) == 2 and len({row["value"] for row in table}) == 2
    configs = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*/config.yaml"))]
    assert sorted(one["dataset"] for one in settings(configs)) == ["folder-cats", "folder-dogs"]


def test_choice_belongs_to_the_images(pets, tmp_path, monkeypatch):
    from regen.cli import choose as script

    typed = ("regularizer=r1", "lambda_d=0,1", "folds=null", "rounds=1", "n_jobs=1", "network=mlp")
    smoke = ("trainer=smoke", "trainer.progress_bar=false", "data.image_size=8", "sweep=pets")
    answers = []
    for root in pets.values():
        place = (f"data.root={root}", f"hydra.sweep.dir={tmp_path}/choice")
        type_in(monkeypatch, script, *typed, *smoke, *PETS, *place)
        choice = json.loads((tmp_path / "choice/choice.json").read_text())
        answers.append(json.dumps(choice.get("regularizers", choice), sort_keys=True))
    assert answers[0] != answers[1]
    assert len(list((tmp_path / "choice").glob("*/result.json"))) == 4


def test_comparison_distinguishes_data_sets_of_the_same_option():
    def config(root: str, fingerprint: str | None, target: str = "regen.data.image_folder.folder") -> dict:
        record = {"name": f"folder-{root}", "fingerprint": fingerprint, "images": 9}
        data = {"_target_": target, "root": root}
        return {"seed": 0, "data": data, **({"dataset": record} if fingerprint else {})}

    assert settings([config("a", "1"), config("b", "2")]) == [{"dataset": "folder-a"}, {"dataset": "folder-b"}]
    assert settings([config("a", "1"), config("b", "1")]) == [{}, {}]
    assert settings([config("a", "1"), config("a", "2")]) == [{"dataset": "folder-a 1"}, {"dataset": "folder-a 2"}]
    assert settings([config("a", None), config("b", None)]) == [{"data.root": "a"}, {"data.root": "b"}]


def test_files_of_equal_names_and_sizes_have_separate_caches(tmp_path):
    fill(tmp_path / "faces/images", 4)
    shutil.copytree(tmp_path / "faces/images", tmp_path / "copies/images")
    for number, path in enumerate(sorted(fill(tmp_path / "new", 4, first=50).iterdir())):
        (tmp_path / "cars/images").mkdir(parents=True, exist_ok=True)
        path.rename(tmp_path / f"cars/images/{number:04}.bmp")
    sets = [Files(sorted((tmp_path / name / "images").iterdir()), None, 8, 3) for name in ("faces", "cars", "copies")]
    assert content(sets[0]) == content(sets[2]) != content(sets[1])


def test_data_root_that_is_empty_is_refused(train, capsys):
    train(*PETS, "data.root=", status=78)
    assert re.search(r"data\.root=.* empty", capsys.readouterr().err)
    assert not Folder(Path("run")).config.exists()
