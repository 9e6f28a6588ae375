"""Passwords and keys appear in no file that a run or a sweep writes."""

import os
from pathlib import Path

import pytest

from regen.utils.redaction import hide, hide_secrets, redact, redact_values

URL = "postgresql://user:pa55w0rd@host:5432/db"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (URL, "postgresql://user:***@host:5432/db"),
        ("mysql://u:p@ss@h/db and more", "mysql://u:***@h/db and more"),
        ("api_key=abc", "api_key=***"),
        ("WANDB_API_KEY: abc", "WANDB_API_KEY: ***"),
        ('"password": "abc", "x": 1', '"password": "***", "x": 1'),
        ("hydra.job.env_set.HF_TOKEN=abc", "hydra.job.env_set.HF_TOKEN=***"),
        ("https://host/path?x=1", "https://host/path?x=1"),
        ("sqlite:///file.db", "sqlite:///file.db"),
        ("data.root=/my/photos@home seed=1", "data.root=/my/photos@home seed=1"),
        ("a link to /etc/passwd: remove it", "a link to /etc/passwd: remove it"),
        ("'/run/token': it is no folder", "'/run/token': it is no folder"),
        ("https://host/api_key: abc and /x/password=abc", "https://host/api_key: *** and /x/password=***"),
        ("passwd: abc", "passwd: ***"),
    ],
)
def test_secrets_are_redacted_in_text(text, redacted):
    assert redact(text) == redacted


def test_secrets_are_redacted_in_containers():
    content = {"storage": URL, "api_key": "abc", "class_token": 4, "seed": 1, "list": [URL], "token": None}
    assert redact_values(content) == {
        "storage": redact(URL),
        "api_key": "***",
        "class_token": 4,
        "seed": 1,
        "list": [redact(URL)],
        "token": None,
    }


def test_typed_secrets_become_variables(monkeypatch):
    for name in ("REGEN_SECRET_1", "REGEN_SECRET_2"):
        monkeypatch.setenv(name, "")
    typed = ["seed=1", f"hydra.sweeper.storage='{URL}'", "+hydra.job.env_set.WANDB_API_KEY=abc"]
    assert hide_secrets(typed) == [
        "seed=1",
        "hydra.sweeper.storage=${oc.env:REGEN_SECRET_1}",
        "+hydra.job.env_set.WANDB_API_KEY=${oc.env:REGEN_SECRET_2}",
    ]
    assert (os.environ["REGEN_SECRET_1"], os.environ["REGEN_SECRET_2"]) == (URL, "abc")


def texts(folder: Path) -> str:
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("place", ["typed", "yaml"])
def test_a_search_in_a_database_writes_no_password(train, tmp_path, monkeypatch, capsys, place):
    monkeypatch.setenv("REGEN_SECRET_0", "")
    path = tmp_path / "sweep"
    storage = f"sqlite:///file:{tmp_path}/study.db?uri=true&password=pa55w0rd"
    words = [f"hydra.sweeper.storage='{storage}'"]
    if place == "yaml":
        (tmp_path / "conf/hydra/sweeper").mkdir(parents=True)
        text = (Path(__file__).parents[2] / "conf/hydra/sweeper/optuna.yaml").read_text()
        (tmp_path / "conf/hydra/sweeper/mine.yaml").write_text(text.replace("storage: null", f"storage: {storage}"))
        words = ["--config-dir", str(tmp_path / "conf")]
    sweeper = "mine" if place == "yaml" else "optuna"
    train(
        *(*words, "-m", f"hydra/sweeper={sweeper}", f"hydra.sweep.dir={path}", "hydra.sweeper.n_trials=1", "data=ring"),
        *("network=mlp", "trainer=smoke", "logger=csv", "report=false", "max_iterations=1", "trainer.threads=1"),
        *("regularizer=r1", "lambda_d=interval(0.1,1)", "trainer.progress_bar=false"),
        smoke=False,
    )
    assert list(path.glob("*/result.json")) and (tmp_path / "study.db").exists()
    assert "pa55w0rd" not in texts(path) and "pa55w0rd" not in "".join(capsys.readouterr())


def test_hidden_storage_leaves_the_first_typed_secret_unchanged(monkeypatch):
    for name in ("REGEN_SECRET_0", "REGEN_SECRET_STORAGE"):
        monkeypatch.setenv(name, "")
    (typed,) = hide_secrets(["+hydra.job.env_set.WANDB_API_KEY=abc"])
    assert hide(URL) == "${oc.env:REGEN_SECRET_STORAGE}" and os.environ["REGEN_SECRET_STORAGE"] == URL
    assert typed.endswith("=${oc.env:REGEN_SECRET_0}") and os.environ["REGEN_SECRET_0"] == "abc"
