"""Files of a few kB that would fill the memory: refused before anything is copied."""

import resource
import zipfile

import pytest
import torch

from regen.core import checkpoint, checkpoint_form
from regen.errors import ConfigError
from regen.sweeps.override_check import check
from regen.sweeps.sweep_names import sweep_folder


def save(path, **state) -> None:
    """A checkpoint with a right digest of what it would be if it were copied; the digest is not reached."""
    torch.save({**state, "digest": "0"}, path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 40),
        torch.zeros(4).expand(1 << 20, 1 << 20, 4),
        torch.zeros(2, 1).as_strided((1 << 35, 2), (0, 1)),
    ],
    ids=["vector", "cube", "strided"],
)
def test_an_expanded_tensor_is_not_copied(tmp_path, tensor):
    for name, state in {"flat": {"model": {"x": tensor}}, "deep": {"record": [({"a": [tensor]},)]}}.items():
        path = tmp_path / f"{name}.ckpt"
        save(path, **state)
        assert path.stat().st_size < 10_000
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(ValueError, match="is damaged"):
            checkpoint.load(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path):
    save(tmp_path / "plain.ckpt", model={"x": torch.zeros(1 << 20)})
    deflated = zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(tmp_path / "plain.ckpt") as plain, deflated as bomb:
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoint.load(tmp_path / "bomb.ckpt")


@pytest.mark.parametrize("leaf", [0, torch.zeros(1 << 16)], ids=["number", "tensor"])
def test_lists_that_repeat_each_other_are_not_walked_to_the_end(tmp_path, leaf):
    bomb = [leaf]
    for _ in range(60):
        bomb = [bomb, bomb]
    save(tmp_path / "bomb.ckpt", record=bomb)
    with pytest.raises(ValueError, match=r"is damaged \(it repeats few values"):
        checkpoint.load(tmp_path / "bomb.ckpt")


def test_tensors_that_share_memory_are_read(tmp_path):
    whole = torch.arange(12.0)
    checkpoint_form.check_sizes({"a": whole, "b": whole[3:6], "c": [whole.view(3, 4).t()], "d": torch.zeros(0)})


@pytest.mark.parametrize("name", ["..", ".", "...", "../..", "/", "./.."])
def test_names_that_lead_out_of_sweeps_are_refused(name):
    with pytest.raises(ConfigError, match="sweep="):
        check(["-m"], [f"sweep={name}"], [])
    if set(name) <= {"."}:
        with pytest.raises(ConfigError, match="letters or digits"):
            sweep_folder(name)


def test_an_empty_name_of_a_sweep_is_refused():
    with pytest.raises(ConfigError, match="the name is empty"):
        check(["-m"], ["sweep="], [])
