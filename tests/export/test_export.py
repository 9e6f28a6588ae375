"""python src/export.py as it is typed, and each of its formats: what leaves is what was trained."""

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from safetensors import safe_open
from torch import nn

from regen.cli import entry_point
from regen.config.instantiate import build
from regen.data.images import Images
from regen.errors import ConfigError
from regen.export.card_figures import figures, measured
from regen.export.dataset_facts import SOURCES
from regen.export.exported_model import export, quiet
from regen.export.formats import Weights, chosen
from regen.export.sampler import Sampler
from regen.metrics.number_format import with_error
from regen.networks import dcgan, mlp, r3gan, resnet
from regen.regularizers.form import SpectralNorm, WeightNorm
from regen.runs.folder import Folder
from regen.runs.load import Opened, open_run
from regen.utils.json_files import write_json
from regen.utils.project import ROOT
from regen.utils.randomness import generator, seeded

ALL = ("safetensors", "pt2", "onnx")
NETS = {
    "mlp": (lambda: mlp.Generator((2, 1, 1), latent_dim=6, hidden=(16,)), None),
    "dcgan of 28 pixels, weight norm": (lambda: dcgan.Generator((1, 28, 28), 6, width=4), WeightNorm),
    "dcgan in colour, spectral norm": (lambda: dcgan.Generator((3, 32, 32), 6, width=4), SpectralNorm),
    "resnet, spectral norm": (lambda: resnet.Generator((1, 16, 16), 6, width=4), SpectralNorm),
    "resnet, attention": (lambda: resnet.Generator((1, 16, 16), 6, width=4, attention=8), None),
    "r3gan": (lambda: r3gan.Generator((3, 16, 16), 6, width=8), None),
}


def taken(name: str) -> Sampler:
    """A generator that has been trained for a step: its batch norm and its norms of weights have moved."""
    make, norm = NETS[name]
    with seeded(0, "weights"):
        net = make()
        if norm:
            norm(nets=["generator"]).attach(net, nn.Identity())
    net.train()(torch.randn(64, 6, generator=generator("z")))
    net.eval().requires_grad_(False)
    return Sampler(net, net, 6, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_a_net_that_leaves_makes_the_same_images_in_batches_of_any_size(name, tmp_path):
    net = taken(name)
    for one in chosen(ALL):
        path = tmp_path / one.file
        with quiet():
            path.write_bytes(one.content(net, {"weights": "ema"}))
            assert net.difference(one.read(path, net)) < 1e-6
        assert str(ROOT).encode() not in path.read_bytes()  # where it was made is nobody's business


@pytest.mark.parametrize("name", [name for name, (_, norm) in NETS.items() if norm])
def test_weight_norms_are_folded_into_plain_weights_and_the_original_is_unchanged(name, tmp_path):
    net = taken(name)
    (tmp_path / "it").write_bytes(Weights().content(net, {}))
    plain = NETS[name][0]()
    with safe_open(tmp_path / "it", "pt") as file:
        plain.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    assert net.difference(plain.eval().requires_grad_(False)) < 1e-6
    assert any("parametrizations" in key for key in net.original.state_dict())
    assert net.difference(net.original) == 0


def test_another_shape_or_a_number_that_is_none_is_a_difference():
    net = taken("mlp")
    assert net.difference(lambda z: net.original(z).flatten(1)) == torch.inf
    assert not net.difference(lambda z: net.original(z) * torch.nan) <= 1
    assert net.difference(lambda z: net.original(z) + (len(z) == 7) * 0.5) == pytest.approx(0.5)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """typed(*overrides, status=None) types python src/export.py in an empty folder."""
    from regen.cli import export as script

    def typed(*overrides: str, status: int | None = None) -> None:
        monkeypatch.setattr(sys, "argv", ["export.py", *overrides])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # as cli.run sets it, and undone after the test
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        left = None
        try:
            entry_point.run(script.main)
        except SystemExit as leaving:
            left = leaving.code
        assert left == status

    return typed


def test_exported_run_has_a_card_with_working_code(train, typed, capsys, monkeypatch):
    run = train(
        "regularizer=[l2,r1]",
        "regularizer.r1.lambda_d=3",
        "recipe=linear_decay",
        "metrics=[frechet]",
        "monitor=val/fd",
        "report=false",
    )
    capsys.readouterr()
    typed(f"run={run}", "license=cc-by-4.0")
    printed, folder = capsys.readouterr(), run / "export"
    assert "sampler.onnx" in printed.out and str(folder) in printed.out and printed.err == ""
    assert len(printed.out.splitlines()) < 12 and not any(Path().iterdir())
    text = (folder / "README.md").read_text()
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == "cc-by-4.0" and {"digits", "l2", "r1", "onnx"} <= set(header["tags"])
    assert "Licence of the data: CC BY 4.0" in text and "lambda_d=3" in text and "Mescheder" in text
    assert "lr_schedule_g=Linear (start=1.0, end=0.0, iterations=" in text
    assert "| seed | 0 |" in text and "regularizer.r1.lambda_d=3" in text and "hydra.run.dir" not in text
    assert f"| val/fd | {with_error(json.loads((run / 'result.json').read_text())['figures'], 'val/fd')} |" in text
    assert "val/fd_se" not in text and "copies were not counted" in text
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    names: dict = {}
    for block in blocks:
        exec(block, names)
        assert names["images"].shape == (16, 1, 8, 8) and abs(names["images"]).max() <= 1
    assert Path("sample.png").exists() and Path("samples.png").exists()
    with safe_open("model.safetensors", "pt") as file:
        assert file.metadata()["config"] == (run / "config.yaml").read_text() == Path("config.yaml").read_text()


def test_raw_weights_of_the_best_checkpoint_are_said_to_be_so(train, typed, capsys):
    small = (
        "data.train=64",
        "data.validation=64",
        "data.test=8",
        "trainer=smoke",
        "trainer.progress_bar=false",
        "logger=csv",
    )
    run = train("data=ring", "network=mlp", "report=false", "metrics=[]", *small, smoke=False)
    typed(f"run={run}", "weights=raw", "checkpoint=best", "formats=[safetensors]", "out=there")
    text = Path("there/README.md").read_text()
    assert "the generator's own weights" in text and "moving average of the weights, which is not exported" in text
    assert "points = 1.1 * images" in text and "The licence of the weights is not stated" in text
    opened = open_run(run, "best")
    with safe_open("there/model.safetensors", "pt") as file:
        assert all(torch.equal(file.get_tensor(name), own) for name, own in opened.model.generator.state_dict().items())

    class Wrong(Weights):
        """Loses a weight on its way."""

        def read(self, path, taken):
            net = super().read(path, taken)
            net.layers[0].weight[0] = 0
            return net

    with pytest.raises(ConfigError, match=r"model\.safetensors generates other images than the run"):
        export(opened, "raw", [Wrong()], Path("there"))
    assert not Path("there/model.safetensors").exists()


def test_figures_are_taken_from_the_last_evaluation_of_the_weights(tmp_path):
    folder = Folder(tmp_path)
    with open(folder.metrics, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows(
            [["iteration", "images_seen", "g/loss", "val/fd"], [5, 50, 1, ""], [5, 50, "", 9], [10, 99, "", 3]]
        )
    cfg = OmegaConf.create({"monitor": "val/fd", "data": {"_target_": "mine.photos"}})
    opened = Opened(folder, cfg, None, (1, 8, 8), {"iteration": 7})
    assert measured(opened) == (5, {"val/fd": 9})
    assert "at iteration 5. The files are of iteration 7." in figures(opened, "ema")


def test_later_evaluations_are_in_the_card_if_made_of_the_same_weights(tmp_path):
    folder = Folder(tmp_path)
    place = {"iteration": 7, "weights": "raw", "samples": 1000, "split": "test", "features": "Own"}
    found = place | {
        "figures": {"test/fd": 4.25, "val/reverse_kl": math.inf},
        "diagnosis": {"sentence": "Generalizes."},
    }
    write_json(folder.result, {"status": "running", "evaluations": [found]})
    cfg = OmegaConf.create({"monitor": "val/fd", "data": {"_target_": "mine.photos"}})
    opened = Opened(folder, cfg, None, (1, 8, 8), {"iteration": 7})
    assert "1,000 samples, test part" in figures(opened, "raw") and "| test/fd | 4.25 |" in figures(opened, "raw")
    assert "| ∞ |" in figures(opened, "raw") and "Nothing was measured" in figures(opened, "ema")


def test_source_and_licence_of_every_data_set_are_known():
    options = {path.stem: OmegaConf.load(path) for path in (ROOT / "conf/data").glob("*.yaml")}
    del options["codes"]  # they are of another data set
    assert {option._target_ for option in options.values()} == set(SOURCES)
    for name in ("ring", "grid"):
        assert SOURCES[options[name]._target_].unit == pytest.approx(build(options[name], "data", Images).scale)


@pytest.mark.parametrize(
    ("overrides", "printed"),
    [
        ("", "which run? Type run=outputs/RUN"),
        ("run=nowhere", "run=nowhere: no run there"),
        ("run=it formats=[onnx,tflite]", "expected some of safetensors, pt2, onnx"),
        ("run=it formats=[]", "expected some of"),
        ("run=it weights=average", "weights=average: expected ema or raw"),
        ("run=it checkpoint=last", "checkpoint=last: expected newest or best"),
        ("run=it opset=11", "torch writes ONNX of opset 18 or more"),
        ("run=it wieghts=raw", "did you mean weights?"),
    ],
)
def test_bad_input_is_refused_in_words(typed, capsys, overrides, printed):
    typed(*overrides.split(), status=78)
    assert printed in capsys.readouterr().err


def test_missing_package_is_named_with_the_command_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"pip install 'regen\[export\]', or type formats=\[saf"):
        chosen(ALL)


def test_help_does_without_torch_which_takes_seconds_to_import():
    program = "import sys; from regen.cli import export; print({'torch', 'onnx', 'safetensors'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
