"""What all metrics of samples share: rows of several processes, what is not finite, and what an evaluation reports."""

import copy
import math
import pickle
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from omegaconf import OmegaConf
from torch import Tensor, nn

from regen.config.instantiate import build
from regen.data.mixtures import ring
from regen.data.split import Split
from regen.errors import ConfigError
from regen.metrics.base import Comparison, EvaluationBatch, SampleMetric, Solo
from regen.metrics.features.classifier import FeatureNet
from regen.metrics.figure import Figure
from regen.metrics.frechet_distance import FrechetDistance
from regen.metrics.image_set import ImageSet
from regen.metrics.inception_score import InceptionScore
from regen.metrics.kernel_distance import KernelDistance
from regen.metrics.ms_ssim import Diversity
from regen.metrics.precision_recall import DensityCoverage, PrecisionRecall
from regen.metrics.sliced_wasserstein import SlicedWasserstein
from regen.utils.project import ROOT
from regen.utils.randomness import Draws, seeded

OPTIONS = sorted((ROOT / "conf/metrics").glob("*.yaml"))


def metrics() -> list[SampleMetric]:
    compared = [FrechetDistance(), KernelDistance(), PrecisionRecall(3), DensityCoverage(5), SlicedWasserstein(16)]
    return [*compared, InceptionScore(), Diversity(20)]


def rows(metric: SampleMetric, part: str, n: int = 60) -> Tensor:
    """(n, …) such as the metric looks at."""
    if isinstance(metric, Diversity):
        return Draws(part).uniform(n, 1, 12, 12) * 2 - 1
    drawn = Draws(part).normal(n, 16).double() + len(part) / 10
    return drawn.softmax(1) if isinstance(metric, InceptionScore) else drawn


def figures(metric: SampleMetric, shares: dict[str, list[Tensor]]) -> dict[str, float]:
    for part, some in shares.items():
        for share in some:
            metric.update(share, part)
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.fixture(params=metrics(), ids=lambda metric: type(metric).__name__)
def metric(request: pytest.FixtureRequest) -> SampleMetric:
    return copy.deepcopy(request.param)


class MeanDistance(Comparison):
    """|E real - E fake|, and minus that, which is better when it is higher."""

    figures = (Figure("apart", "distance", better="lower"), Figure("near", "nearness", better="higher"))

    def of(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        apart = (real.mean() - fake.mean()).abs()
        return {"apart": apart, "near": -apart}


class Mean(Solo):
    figures = (Figure("mean", "mean"),)

    def of(self, images: Tensor) -> dict[str, Tensor]:
        return {"mean": images.mean()}


def grey(mean: float, n: int = 6) -> ImageSet:
    """n images whose features are their pixels, of this mean."""
    return ImageSet((torch.arange(n) - (n - 1) / 2).view(n, 1, 1, 1) + mean, nn.Flatten())


def look(fake: ImageSet, held_out: ImageSet, **others: ImageSet) -> EvaluationBatch:
    real = ("stand_ins", "some_train", "some_held_out", "some_stand_ins", "training_set", "held_out_set")
    generated = dict.fromkeys(("sized_fake", "some_fake"), fake)
    sets = generated | dict.fromkeys(real, held_out) | {"baseline": fake} | others
    return EvaluationBatch("val", model=None, fake=fake, held_out=held_out, **sets)


def test_rows_in_parts_form_a_single_set(metric):
    whole = figures(metric, {part: [rows(metric, part)] for part in metric.parts})
    metric.reset()
    assert figures(metric, {part: rows(metric, part).split(17) for part in metric.parts}) == pytest.approx(whole)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_row_that_is_not_finite_makes_every_figure_nan(metric, bad):
    spoilt = {part: rows(metric, part) for part in metric.parts}
    spoilt[metric.parts[-1]][3].view(-1)[2] = bad
    found = figures(metric, {part: [some] for part, some in spoilt.items()})
    assert found.keys() == set(metric.outputs)
    assert all(math.isnan(value) for value in found.values())


def test_a_part_without_rows_is_an_error(metric):
    for part in metric.parts[:-1]:
        metric.update(rows(metric, part), part)
    empty = metric.parts[-1]
    metric.update(rows(metric, empty)[:0], empty)
    expected = f"{type(metric).__name__} needs {metric.fewest} or more rows of {empty}, got 0"
    with pytest.raises(ValueError, match=expected):
        metric.compute()


def test_metric_is_pickled_with_rows_and_adds_nothing_to_a_checkpoint(metric):
    whole = figures(metric, {part: [rows(metric, part)] for part in metric.parts})
    copy = pickle.loads(pickle.dumps(metric))
    assert {name: float(value) for name, value in copy.compute().items()} == whole
    assert metric.state_dict() == {}


def test_after_a_reset_nothing_is_left(metric):
    first = figures(metric, {part: [rows(metric, part)[:30]] for part in metric.parts})
    metric.reset()
    second = figures(metric, {part: [rows(metric, part)[30:]] for part in metric.parts})
    metric.reset()
    assert first != second
    assert figures(metric, {part: [rows(metric, part)[:30]] for part in metric.parts}) == first


CUTS = {"real": (0, 13), "fake": (41, 60), "images": (0, 29)}  # where the shares of the first process begin and end


def one_of_two(rank: int, folder: Path) -> None:
    """Every metric on this process's share: the first has those of CUTS, the other all else; then one has none."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    found = []
    for metric in metrics():
        own, none = {}, {}
        for part in metric.parts:
            everything, (first, last) = rows(metric, part), CUTS[part]
            others = torch.cat([everything[:first], everything[last:]])
            own[part] = [(everything[first:last], others)[rank]]
            none[part] = [everything[: len(everything) * rank]]
        found.append(figures(metric, own))
        metric.reset()
        found.append(figures(metric, none))
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_with_uneven_or_empty_parts_equal_a_single_process(tmp_path):
    mp.start_processes(one_of_two, (tmp_path,), nprocs=2, start_method="fork")
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert found[0] == found[1]
    for metric, uneven, one_has_none in zip(metrics(), found[0][::2], found[0][1::2], strict=True):
        alone = figures(metric, {part: [rows(metric, part)] for part in metric.parts})
        assert uneven == pytest.approx(alone, rel=1e-6), metric
        assert one_has_none == pytest.approx(alone, rel=1e-9), metric


def test_a_comparison_is_made_with_held_out_and_with_training_images():
    found = MeanDistance().measure(
        look(
            fake=grey(10.0),
            held_out=grey(0.0, n=9),
            stand_ins=grey(2.0, n=8),
            some_train=grey(7.0),
            some_held_out=grey(4.0),
        )
    )
    assert (found["val/apart"], found["train/apart"], found["gap/apart"], found["real/apart"]) == (10, 3, 6 - 3, 2)
    assert (found["val/near"], found["train/near"], found["gap/near"], found["real/near"]) == (-10, -3, 6 - 3, -2)
    assert found["real/apart_se"] > 0
    assert {"val/apart_se", "gap/apart_se", "gap/near_se"} <= found.keys()


def test_real_images_are_compared_once():
    metric = MeanDistance()
    first = metric.measure(look(fake=grey(5.0), held_out=grey(0.0), stand_ins=grey(1.0)))
    second = metric.measure(look(fake=grey(6.0), held_out=grey(0.0), stand_ins=grey(3.0)))
    assert (first["real/apart"], second["real/apart"], second["val/apart"]) == (1, 1, 6)


def test_metric_of_images_alone_is_computed_for_generated_and_real_images():
    assert Mean().measure(look(fake=grey(5.0), held_out=grey(1.0))) == {"fake/mean": 5, "real/mean": 1}


def test_names_of_reported_figures_are_known_in_advance(metric):
    with seeded("net"):
        net = FeatureNet((1, 12, 12), 3).eval()
    fake, real, baseline = (
        ImageSet(Draws(name).uniform(40, 1, 12, 12) * 2 - 1, net) for name in ("fake", "real", "base")
    )
    found = metric.measure(look(fake, real, baseline=ImageSet(0.1 * baseline.images, net)))
    assert sorted(found) == sorted(metric.names("val"))
    assert all(type(value) is float and math.isfinite(value) for value in found.values())


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_every_option_makes_a_metric_of_the_same_name(path):
    options = OmegaConf.load(path)
    assert list(options) == [path.stem]
    assert build(options[path.stem], f"metrics.{path.stem}", SampleMetric).figures
    assert path.read_text().startswith("# ")


def test_a_comparison_of_more_images_than_the_data_have_is_refused():
    use = {"batch_size": 2, "workers": 0, "folds": None, "fold": None, "monitor": "val/fd"}
    data = ring(train=100, validation=50, test=50, subset=5, **use)
    PrecisionRecall(3).check(data, nn.Flatten())
    with pytest.raises(ConfigError, match=r"ring has 5 images, .* 6 or more"):
        DensityCoverage(5).check(data, nn.Flatten())


class Counting(nn.Module):
    """The mean of each image, and how many images it was asked of."""

    asked = 0

    def forward(self, images: Tensor) -> Tensor:
        self.asked += len(images)
        return images.flatten(1).mean(1, keepdim=True)

    def classify(self, features: Tensor) -> Tensor:
        return torch.cat([features, -features], 1)


def test_features_are_computed_once_and_sliced_for_a_subset():
    net = Counting()
    seen = ImageSet(Draws("images").normal(1200, 1, 2, 2), net)
    some = torch.tensor([1100, 3])
    assert torch.equal(seen.take(some).images, seen.images[some])
    assert torch.equal(seen.features[some], seen.take(some).features)
    assert torch.equal(seen.probabilities[some], seen.take(some).probabilities)
    assert net.asked == 1200
    assert torch.equal(torch.cat(list(seen.batches())), seen.images)


def test_a_set_of_stored_images_is_seen_from_minus_1_to_1():
    seen = ImageSet(Split(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)), Counting())
    assert seen.images.flatten().tolist() == seen.features.flatten().tolist() == [-1, 1]
    assert seen.take(torch.tensor([1])).features.tolist() == [[1]]
    torch.testing.assert_close(seen.probabilities.sum(1), torch.ones(2))


@pytest.mark.parametrize("empty", [torch.empty(0, 1, 4, 4), Split(torch.empty(0, 1, 4, 4))], ids=["tensor", "split"])
def test_a_process_may_see_no_image_at_all(empty):
    seen = ImageSet(empty, FeatureNet((1, 4, 4), 3).eval())
    assert (len(seen), seen.images.shape, seen.features.shape) == (0, (0, 1, 4, 4), (0, 64))
    assert seen.probabilities.shape == (0, 3)
    assert SlicedWasserstein(5).view(seen).shape == (0, 5)
