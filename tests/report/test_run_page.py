"""report.html: a page that any browser reads alone, that holds what was found, and that no run is too odd for."""

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from helpers.html_page import Read
from helpers.tiny_models import images, make_gan
from omegaconf import OmegaConf
from PIL import Image
from torch import nn

from regen.config.instantiate import build
from regen.core.ema import Averaged
from regen.data.images import Images
from regen.data.mixtures import ring
from regen.data.split import Split
from regen.downstream.task import Score, as_rows
from regen.metrics import missing_modes
from regen.metrics.base import EvaluationBatch, SampleMetric
from regen.metrics.image_set import ImageSet
from regen.metrics.number_format import measurement, number, with_error
from regen.metrics.registry import parse
from regen.models.gan import GAN
from regen.models.latent_directions import sefa, traversals
from regen.models.latents import Latents
from regen.networks import mlp
from regen.plotting import plots as pictures
from regen.plotting import png as pixels
from regen.regularizers.gradients import R1
from regen.report import run_page as page
from regen.report import summary
from regen.report.curves import thinned
from regen.report.layers import effective_rank, matrices, spectrum
from regen.report.run_page import SECTIONS
from regen.runs.folder import Folder
from regen.utils.project import ROOT
from regen.utils.randomness import Draws


class Pixels(nn.Module):
    """Features that are the pixels; the class is the number of the brightest of the first three."""

    accuracy = 0.9

    def forward(self, images):
        return images.flatten(1)

    def classify(self, features):
        return features[:, :3] * 9


FIGURES = {
    "gap": 0.0123,
    "gap_se": 0.0456,
    "val/fd": 4.567,
    "val/fd_se": 0.234,
    "train/fd": 4.321,
    "gap/fd": 0.246,
    "real/fd": 0.789,
    "real/fd_se": 0.0321,
    "val/skill": 0.8123,
    "val/skill_se": 0.0456,
    "fake/copies": 0.0671,
    "real/copies": 0.0125,
    "gap/copies": 0.0553,
    "gap/copies_low": -0.0041,
    "gap/copies_high": 0.1037,
    "gap/auc": 0.634,
    "gap/auc_se": 0.0211,
}
RESULT = {
    "status": "finished",
    "iteration": 20,
    "images_seen": 1280,
    "seconds": 12.5,
    "images_per_second": 432.1,
    "monitor": "val/fd",
    "figures": FIGURES,
    "best": {"iteration": 10, "images_seen": 640, "val/fd": 3.21},
    "inactive": {"d/r1": 0.0002},
    "diagnosis": {"kind": "overfits", "sentence": "Overfits from image 640 on: it is <nearer>."},
    "command": ["train.py", "regularizer=r1"],
    "commit": "0123456789abcdef",
    "versions": {"torch": "9.9"},
}


@dataclass
class Run:
    """A run of a tiny model, made by hand."""

    folder: Folder
    look: EvaluationBatch
    data: Images

    def page(self, look=..., **result) -> Read:
        """The page that is written of it."""
        path = page.write(self.folder, self.look if look is ... else look, RESULT | result, self.data)
        assert path == self.folder.path / "report.html"
        return Read(path.read_text())


def look_at(model, data: Images, net: nn.Module, n: int = 40) -> EvaluationBatch:
    fake, train, held_out = (ImageSet(part, net) for part in (model.sample(0, n), data.train, data.validation))
    return EvaluationBatch(
        split="val",
        model=model,
        fake=fake,
        sized_fake=fake,
        some_fake=fake,
        held_out=held_out,
        some_held_out=held_out,
        held_out_set=held_out,
        stand_ins=train,
        some_stand_ins=train,
        some_train=train,
        training_set=train,
    )


def split_of(number: int, labels: bool = True) -> Split:
    return Split(images(32, number), torch.arange(32) % 3 if labels else None)


def make_run(path: Path, model=None, labels: bool = True, net: nn.Module | None = None) -> Run:
    parts = dict(
        zip(("full_train", "train", "validation", "test"), (split_of(i, labels) for i in (0, 0, 1, 2)), strict=True)
    )
    data = Images(name="noise", **parts, batch_size=8, workers=0, monitor="val/fd")
    model = model or make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    folder = Folder(path)
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "best.ckpt").touch()
    node = {"_target_": "regen.regularizers.gradients.R1", "lambda_d": 0.5, "interval": 1}
    folder.config.write_text(OmegaConf.to_yaml({"name": "a <b>bold</b> run", "regularizer": {"r1": node}}))
    folder.metrics.write_text(
        "iteration,images_seen,d/loss,g/loss,d/r1,d/r1/grad_ratio,val/fd,gap/copies,gap/copies_low,gap/copies_high\n"
        "10,640,1.4,0.7,0.1,0.0002,5,0,-0.1,0.1\n20,1280,nan,0.6,0.2,0.0001,4.567,0.0553,-0.0041,0.1037\n"
    )
    for seen in (640, 1280):
        pictures.save_png(pictures.grid(images(16, seen)), path / "samples" / f"images_{seen:010d}.png")
    return Run(folder, look_at(model, data, net or Pixels()), data)


@pytest.fixture
def run(tmp_path) -> Run:
    return make_run(tmp_path / "run")


def test_page_is_a_single_file_that_loads_nothing_and_describes_every_picture(run):
    read = run.page()
    text = (run.folder.path / "report.html").read_text()
    assert len(set(read.ids)) == len(read.ids)
    assert all(one.startswith("data:") or one[1:] in read.ids for one in read.addresses)
    assert all(found[1:] in read.ids for found in re.findall(r"url\(([^)]*)\)", text))
    assert "http" not in text and "<script src" not in text
    assert len(read.pictures) > 50
    assert all(found.get("alt") or found.get("aria-label") for _, found in read.pictures)
    assert len(text) < 500_000


def test_page_holds_every_section_every_figure_and_the_diagnosis(run):
    read = run.page()
    assert {section.name for section in SECTIONS} - {"reconstructions", "downstream"} <= set(
        read.ids
    ) and "left_out" not in read.ids
    assert "a <b>bold</b> run" in read.text  # as it is written, not as HTML
    assert "Overfits from image 640 on: it is <nearer>." in read.text
    for shown in (
        "4.57 ± 0.23",
        "4.32",
        "0.246",
        "0.789 ± 0.032",
        "5.5% [−0.4, 10.4]",
        "0.634 ± 0.021",
        "0.012 ± 0.046",
        "3.21 at 640 images",
    ):
        assert shown in read.text
    for shown in (
        "1,280 images seen",
        "432 images a second",
        "python src/train.py regularizer=r1",
        "torch 9.9",
        "0123456789ab",
    ):
        assert shown in read.text
    assert "λ D ½ E‖∇D(x)‖² on real images" in read.text
    assert "Settings: lambda_d: 0.5 " in read.text  # without interval=1, which every update has
    assert "inactive, too small to have an effect" in read.text and "0.000100" in read.text
    assert "max_iterations=40" in read.text


def test_later_evaluations_are_in_a_separate_table(run):
    found = {"split": "test", "samples": 50, "weights": "ema", "checkpoint": "best", "images_seen": 640}
    read = run.page(evaluations=[{**found, "figures": {"test/fd": 7.77, "gap/fd": "nan"}}])
    assert "On the test part: 50 samples of the best checkpoint (ema weights), at 640 images seen" in read.text
    assert read.text.count("The distance between the distributions") == 2  # in the first tile and the first table
    assert "7.77" in read.text and "not a number" in read.text


def test_run_without_an_evaluation_says_so_once_and_shows_the_contents_of_the_files(tmp_path):
    path = tmp_path / "empty"
    path.mkdir()
    read = Read(page.write(Folder(path), None, {"status": "diverged", "reason": "d/r1 was not finite"}).read_text())
    assert {"regularizers", "provenance", "left_out"} <= set(read.ids) and "samples" not in read.ids
    assert "diverged : d/r1 was not finite" in read.text
    assert read.text.count("no evaluation was made: the run diverged.") == 1
    assert "<h2>" in Path(path / "report.html").read_text()


def left_out(read: Read) -> str:
    return read.text.partition("Left out")[2] if "left_out" in read.ids else ""


def test_non_finite_weights_leave_norms_and_curves(run):
    with torch.no_grad():
        next(run.look.model.ema.parameters()).fill_(torch.nan)
    look = replace(run.look, fake=ImageSet(run.look.model.sample(0, 40), Pixels()))
    read = run.page(look)
    assert {"layers", "curves", "metric_table"} <= set(read.ids)
    assert "not finite" in left_out(read)


def test_without_labels_or_a_classifier_classes_alone_are_missing(tmp_path):
    read = make_run(tmp_path / "a", labels=False).page()
    assert "Classes : the data have no labels." in left_out(read) and "neighbours" in read.ids
    read = make_run(tmp_path / "b", net=nn.Flatten()).page()
    assert "does not classify" in left_out(read)


def test_classes_are_shown_by_name(run):
    names = ["bird", "cat", "great dane"]
    run.data.class_names = tuple(names)
    with run.folder.config.open("a") as config:
        config.write(OmegaConf.to_yaml({"dataset": {"classes": names}}))
    score = Score("generated", 100, 0.75, 0.05, by_class={0: 1.0, 1: 0.75, 2: 0.5})
    about = {"split": "test", "seeds": 1, "weights": "ema", "generator_labels": 100, "iteration": 20}
    record = {"task": "cas", "is_by_class": True, "scores": as_rows([score])} | about
    read = run.page(downstream=[json.loads(json.dumps(record))])
    assert "class great dane generated" in read.text  # the bars of shares
    assert "great dane 50.0" in read.text  # the table of the task


class Own(nn.Module):
    """A discriminator of no known layer, which compares the images of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(16)[:5])

    def forward(self, images):
        if len(images) > 30:
            raise RuntimeError("I take at most 30 images")
        return (images.flatten(1) @ self.matrix.T).sum(1)


def test_page_of_an_own_net_says_where_scores_are_missing(tmp_path):
    model = make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    model.discriminator = Own()
    read = make_run(tmp_path, model).page()
    assert "does not score single images (I take at most 30 images)" in left_out(read)
    assert "matrix 5×16" in read.text and "5.0 of 5" in read.text


def test_closed_form_directions_are_shown_with_fractions_and_an_image_for_each_step(run):
    model, read = run.look.model, run.page()
    found = sefa(model.ema.net, 8)
    strips = [image for _, image in read.pictures if (image.get("alt") or "").startswith("7 images along direction")]
    assert len(strips) == 8 and "Axes of the latent code" not in read.text
    assert all(f"{share:.1%}" in read.text for share in found.strengths.tolist())
    z = traversals(Latents(8, model.seed, "samples")(0, 1)[0], found.vectors[2:3], 7)
    with torch.inference_mode():
        assert strips[2]["src"] == pixels.grid(model.ema(z), 7)


class Encoding(GAN):
    """A model with a code of two axes in use, the sixth more than the second."""

    def encode(self, images):
        code = images.new_zeros(len(images), 8)
        code[:, 1], code[:, 5] = images.mean((1, 2, 3)), 20 * images[:, 0, 0, 0]
        return code, torch.zeros_like(code)


def test_axes_of_the_code_of_an_encoding_model_are_shown_by_use(tmp_path):
    model = make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    model.__class__ = Encoding
    run = make_run(tmp_path, model)
    read = run.page()
    strips = [image["alt"] for _, image in read.pictures if (image.get("alt") or "").startswith("7 images along axis")]
    assert strips[:2] == ["7 images along axis 5", "7 images along axis 1"] and len(strips) == 8
    variance = (20 * run.data.validation[torch.arange(32)][0][:, 0, 0, 0]).var(correction=0).item()
    assert "Axes of the latent code" in read.text and f"axis 5 {number(variance)}" in read.text


def test_page_of_data_with_factors_shows_the_information_of_each_axis(tmp_path):
    model = make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    model.__class__ = Encoding  # its axis 1 is the mean of an image, its axis 5 the first pixel
    run = make_run(tmp_path, model)
    pixels, labels = run.data.validation[torch.arange(32)]
    of_axes = torch.stack([pixels.mean((1, 2, 3)) > 0, pixels[:, 0, 0, 0] > 0], dim=1).long()
    part = Split(pixels, labels, torch.cat([of_axes, torch.ones(32, 1).long()], dim=1))
    data = replace(run.data, validation=part, factors=("light", "corner", "still"))
    text = replace(run, data=data, look=look_at(model, data, Pixels())).page().text
    shown = re.search(
        r"Factors in the latent code .* direction light corner axis 1 (\d+)% (\d+)% axis 5 (\d+)% (\d+)%", text
    )
    light_1, corner_1, light_5, corner_5 = map(int, shown.groups())
    assert light_1 > 70 > corner_1 and corner_5 > 70 > light_5
    assert "from 32 held-out images" in text and "6 axes have no information on any factor" in text
    assert "Factors in the latent code" not in run.page().text


def test_a_generator_that_changes_z_first_has_no_closed_form_directions_and_that_is_said(tmp_path):
    class OnSphere(mlp.Generator):
        def forward(self, z):
            return super().forward(nn.functional.normalize(z, dim=1))

    model = make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    model.ema = Averaged(OnSphere((1, 4, 4), 8, (16,)), 0.9)
    read = make_run(tmp_path, model).page()
    assert "OnSphere changes z" in left_out(read)


def test_points_in_the_plane_are_drawn_as_points(tmp_path):
    sizes = {"train": 64, "validation": 64, "test": 64}
    data = ring(**sizes, batch_size=8, workers=0, subset=None, folds=None, fold=None, monitor="val/reverse_kl")
    model = make_gan(regularizers={"r1": R1(lambda_d=0.5)})
    model.ema = Averaged(mlp.Generator(data.shape, 8, (16,)), 0.9)
    model.discriminator = mlp.Discriminator(data.shape, (16,))
    run = replace(make_run(tmp_path), look=look_at(model, data, nn.Flatten()), data=data)
    read = run.page(
        monitor="val/reverse_kl", figures={"val/modes": 7.0, "val/high_quality": 0.5, "val/reverse_kl": 0.1}
    )
    assert "7 of 8" in read.text and "40 generated points" in read.text and "by their nearest mode" in read.text
    assert {"paths of the generator between two latents each", "paths of the generator along 4 directions"} <= {
        found["aria-label"].partition(" ")[2].partition(",")[0] for tag, found in read.pictures if tag == "svg"
    }
    assert "no pictures" in left_out(read) and left_out(read).count(":") == 1


def tile(read: Read, title: str) -> str:
    """The text of a tile, up to the next one or the command."""
    after = read.text.partition(f" {title} ")[2]
    return min((after.partition(end)[0] for end in ("quality:", "memory of", "relative gap", "python src")), key=len)


def test_tiles_show_skill_copies_gap_and_memory_of_d_with_errors(run):
    read = run.page(monitor="val/skill", best={"iteration": 10, "images_seen": 640, "val/skill": 0.9})
    assert tile(read, "quality: skill").startswith("0.812 ± 0.046")
    assert "Best val/skill: 0.900 at 640 images." in tile(read, "quality: skill")
    assert tile(read, "memory of G: copies").startswith("5.5% 0.0 to 10.4%")
    assert tile(read, "relative gap").startswith("1% ± 5%") and "does not differ from 0" in tile(read, "relative gap")
    assert tile(read, "memory of D (AUC)").startswith("0.634 ± 0.021")
    assert "quality: Fréchet distance" not in read.text


def test_tile_of_monitored_distance_states_the_figure_of_real_images_with_error(run):
    shown = tile(run.page(), "quality: Fréchet distance")
    assert "Real images have 0.789 ± 0.032" in shown and "up to this standard error" in shown
    without = {name: value for name, value in FIGURES.items() if name != "real/fd_se"}
    assert "no generator can expect better" not in run.page(figures=without).text


def test_copies_cannot_be_counted_if_many_held_out_images_are_copies(run):
    shown = tile(run.page(figures=FIGURES | {"real/copies": 0.6}), "memory of G: copies")
    assert shown.startswith("unknown") and "60.0% of the held-out images" in shown


def test_attraction_beyond_chance_is_stated_with_copies(run):
    figures = FIGURES | {"gap/attraction": 0.4, "gap/attraction_se": 0.1}
    assert "40% ± 10% more" in tile(run.page(figures=figures), "memory of G: copies")
    assert "more than expected" not in run.page(figures=figures | {"gap/attraction": 0.2}).text


@pytest.mark.parametrize("kind", ["generalizes", "underfits", "overfits", "drops modes", "memorizes", "inconclusive"])
def test_every_diagnosis_has_a_sign_and_a_style(run, kind):
    text = run.page(diagnosis={"kind": kind, "sentence": f"{kind.capitalize()}: because."}).text
    assert f"{summary.SIGNS[kind]} {kind.capitalize()} : because." in text
    html = run.folder.page.read_text()
    style = kind.replace(" ", "-")
    assert f'class="diagnosis {style}"' in html and (
        kind == "inconclusive" or f".{style}" in html.partition("</style>")[0]
    )


def test_classes_that_missing_modes_tests_find_missing_are_named(run, monkeypatch):
    monkeypatch.setattr(missing_modes, "FeatureNet", Pixels)

    def page_of(images: torch.Tensor) -> str:
        return run.page(replace(run.look, fake=ImageSet(images, run.look.fake.net))).text

    brightest = torch.eye(16)[:2].repeat(200, 1).view(400, 1, 4, 4)  # of classes 0 and 1
    assert "Hardly drawn: class 2." in page_of(brightest)
    assert "Hardly drawn" not in page_of(torch.eye(16)[:3].repeat(200, 1).view(600, 1, 4, 4))


def test_pairs_show_copies_first_with_the_count(run):
    train, _ = run.data.train[torch.arange(32)]
    samples = torch.cat([run.look.fake.images[:37], train[:3]])
    text = run.page(replace(run.look, fake=ImageSet(samples, run.look.fake.net))).text
    assert "3 of 40 samples are copies" in text
    assert text.partition("For comparison")[0].count(": a copy") == 3


def test_a_section_that_fails_costs_no_page_and_a_page_no_run(run, caplog):
    read = run.page(evaluations="broken")
    assert "could not be made (TypeError" in left_out(read)
    assert "run.html: section 'Metric table'" in caplog.text
    assert page.write(Folder(run.folder.path / "nowhere"), run.look, RESULT, run.data) is None
    assert "could not be made: FileNotFoundError" in caplog.text


def test_a_table_that_cannot_be_drawn_costs_no_run(tmp_path, caplog):
    folder = Folder(tmp_path)
    page.write_curves(folder)
    assert not caplog.text  # nothing was logged: there is nothing to draw
    folder.metrics.write_text("iteration,images_seen,val/fd\n50,3200,much\n")
    page.write_curves(folder)
    assert "curves.png could not be made: ValueError" in caplog.text and not folder.curves.exists()


def test_the_animation_has_a_frame_for_each_picture_and_many_are_thinned_out(tmp_path):
    for i in range(60):
        pictures.save_png(torch.full((3, 8, 8), i * 4, dtype=torch.uint8), tmp_path / f"images_{i:010d}.png")
    paths = sorted(tmp_path.glob("*.png"))
    for n, frames in ((2, 2), (60, pixels.FRAMES)):
        assert pixels.animation(paths[:n])[2] == frames
        content = pixels.base64.b64decode(pixels.animation(paths[:n])[0].partition(",")[2])
        with Image.open(pixels.io.BytesIO(content)) as opened:
            assert opened.n_frames == frames and opened.info["loop"] == 0
    assert pixels.seen(paths[7]) == 7


def test_long_curve_is_thinned_to_means_and_keeps_ends_and_gaps():
    points = [(64.0 * i, float(i) if i < 1000 else math.nan) for i in range(2000)]
    thin = thinned(points)
    assert len(thin) == 400 and thin[0] == (256.0, 2.0) and thin[-1][0] == points[-1][0]
    assert all(math.isnan(y) == (x >= 64_000) for x, y in thin)
    assert thinned(points[:400]) == points[:400]


def test_spectra_are_singular_values_and_the_effective_rank_counts_equal_values():
    matrix = Draws("matrix").normal(5, 12)
    for shape in (matrix, matrix.T):
        assert torch.allclose(spectrum(shape), torch.linalg.svdvals(matrix.double()))
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert effective_rank(torch.tensor([7.0])) == pytest.approx(1)


def test_weight_of_a_layer_under_spectral_norm_is_the_effective_weight_and_unchanged():
    net = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4))
    vectors = net.parametrizations.weight[0]._u.clone()
    model = make_gan()
    from regen.report.layers import _layers

    assert [layer.shape for layer in _layers(nn.Sequential(net))] == ["4×6"]
    assert torch.equal(net.parametrizations.weight[0]._u, vectors)
    assert [name for name, _ in matrices(model.discriminator)] == ["layers.0", "layers.2"]


@pytest.mark.parametrize("option", sorted(path.stem for path in (ROOT / "conf/metrics").glob("*.yaml")))
def test_every_figure_of_a_metric_has_a_meaning(option):
    (node,) = OmegaConf.load(ROOT / f"conf/metrics/{option}.yaml").values()
    names = build(node, f"metrics.{option}", SampleMetric).names("val")
    assert names and all(parse(name).figure.meaning for name in names)


def test_numbers_are_written_in_readable_form():
    shown = {3: "3", 0.5: "0.500", -12345.6: "−12,346", 1e-6: "1.00e−06", 123.4: "123", float("inf"): "∞", None: ""}
    assert {value: number(value) for value in shown} == shown
    assert number(float("nan")) == "not a number"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.8765, 0.4661, "2.88 ± 0.47"),
        (-0.7452, 1.0866, "−0.7 ± 1.1"),
        (-0.001, 0.02, "−0.001 ± 0.020"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (-2571.26, 113.4, "−2,571 ± 113"),
        (0.5, 0.0, "0.500 ± 0"),
        (math.nan, 0.1, "not a number ± 0.100"),
    ],
)
def test_value_is_rounded_like_the_standard_error(value, error, text):
    assert measurement(value, error) == text


def test_errors_and_intervals_follow_the_figures():
    figures = {
        "val/kd": 0.0332,
        "val/kd_se": 0.0093,
        "gap/copies": 0.015,
        "gap/copies_low": -0.01,
        "gap/copies_high": 0.034,
    }
    assert with_error(figures, "val/kd") == "0.0332 ± 0.0093" and with_error(figures, "val/kd", 1) == "0.033 ± 0.009"
    assert with_error(figures, "gap/copies") == "1.5% [−1.0, 3.4]"


def test_command_makes_page_and_curves_of_a_run_without_either(train, monkeypatch, capsys):
    from regen.cli import entry_point
    from regen.cli import report as script

    small = ("data.train=64", "data.validation=32", "data.test=32", "data.batch_size=16", "trainer.threads=1")
    fast = ("trainer=smoke", "network=mlp", "logger=csv", "trainer.progress_bar=false")
    folder = train("data=ring", "regularizer=r1", "report=false", *small, *fast, smoke=False)
    assert not (folder / "report.html").exists()
    assert not (folder / "curves.png").exists()
    monkeypatch.setattr("sys.argv", ["report.py", f"run={folder}", "threads=1", "device=cpu"])
    entry_point.run(script.main)
    assert str(folder / "report.html") in capsys.readouterr().out
    assert (folder / "curves.png").exists()
    read = Read((folder / "report.html").read_text())
    assert {"samples", "metric_table", "logits", "classes", "layers"} <= set(read.ids)
    assert "could not be made" not in read.text


@pytest.mark.parametrize("typed", ["run=nowhere", "checkpoint=last run=x", "samples=1 run=x", ""])
def test_a_command_that_cannot_be_is_refused(monkeypatch, capsys, typed):
    from regen.cli import entry_point
    from regen.cli import report as script

    monkeypatch.setattr("sys.argv", ["report.py", *typed.split()])
    with pytest.raises(SystemExit) as left:
        entry_point.run(script.main)
    assert left.value.code == 78
    assert "error: " in capsys.readouterr().err
