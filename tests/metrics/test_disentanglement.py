"""MIG, DCI and SAP: of codes that are the factors, of mixtures, of noise; by hand, and by scikit-learn's own counting."""

import math
from types import SimpleNamespace

import pytest
import torch
from helpers.image_sampler import Drawing
from sklearn.metrics import mutual_info_score
from torch import Tensor, nn

from regen.data.digits import digits
from regen.data.shapes import shapes
from regen.errors import ConfigError
from regen.metrics.base import EvaluationBatch
from regen.metrics.data_metrics import data_metrics
from regen.metrics.disentanglement import Disentanglement
from regen.metrics.disentanglement_scores import (
    binned,
    concentration,
    dci,
    halves,
    known,
    mig,
    mutual_information,
    sap,
)
from regen.metrics.image_set import ImageSet
from regen.utils.json_files import read_json
from regen.utils.randomness import Draws

USE = {"batch_size": 8, "workers": 0, "subset": None, "folds": None, "fold": None, "monitor": "val/fd"}
GRID = torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(5)).repeat(20, 1)  # (1200, 3)


def figures(codes: Tensor, factors: Tensor = GRID) -> dict[str, float]:
    return {"mig": mig(codes, factors), **dci(codes, factors), "sap": sap(codes, factors)}


def noise(numbers: int, rows: int = len(GRID)) -> Tensor:
    return Draws("noise").normal(rows, numbers)


def test_codes_that_are_the_factors_have_all_there_is_to_have():
    found = figures(GRID.float())
    assert found["mig"] == pytest.approx(1, abs=1e-12)
    assert [found[f"dci_{name}"] for name in ("disentanglement", "completeness", "informativeness")] == [1, 1, 1]
    with_idle_numbers = figures(torch.cat([torch.zeros(len(GRID), 2), GRID], dim=1))
    assert {name: with_idle_numbers[name] for name in found if name != "sap"} == pytest.approx(
        {name: found[name] for name in found if name != "sap"}
    )


def test_sap_is_1_minus_chance_for_a_single_informative_dimension():
    for factor, values in enumerate((3, 4, 5)):
        codes = torch.cat([torch.zeros(len(GRID), 1), GRID[:, [factor]].exp()], dim=1)
        assert sap(codes, GRID[:, [factor]]) == pytest.approx(1 - 1 / values, abs=1e-12)
    assert sap(GRID[:, :1].float(), GRID[:, :1]) == pytest.approx(2 / 3)  # a code of one number


def test_codes_that_mix_all_factors_predict_the_factors_without_disentanglement():
    factors = torch.cartesian_prod(*[torch.arange(4)] * 4).repeat(5, 1)  # (1280, 4)
    mixture = torch.tensor([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2  # a rotation
    found = figures(factors.float() @ mixture, factors)
    assert found["mig"] < 0.01 and found["sap"] < 0.05
    assert found["dci_disentanglement"] < 0.1 and found["dci_completeness"] < 0.1
    assert found["dci_informativeness"] > 0.7  # by chance 0.25


def test_noise_and_a_code_that_does_not_vary_have_nothing():
    found = figures(noise(5))
    assert found.pop("dci_informativeness") == pytest.approx((1 / 3 + 1 / 4 + 1 / 5) / 3, abs=0.05)
    assert all(value < 0.03 for value in found.values())
    nothing = figures(torch.full((len(GRID), 5), 0.7))
    assert nothing.pop("dci_informativeness") < 0.3
    assert all(value == pytest.approx(0, abs=1e-12) for value in nothing.values())


def test_more_noise_on_the_codes_has_less_of_everything():
    spoilt = [figures(GRID + grain * noise(3)) for grain in (0, 0.2, 0.5, 2)]
    for name in spoilt[0]:
        values = [found[name] for found in spoilt]
        assert values == sorted(values, reverse=True) and len(set(values)) == 4, name


def test_the_order_the_signs_and_the_scale_of_the_numbers_do_not_count():
    codes = GRID + 0.3 * noise(3)
    expected = figures(codes)
    assert figures(codes[:, [2, 0, 1]]) == pytest.approx(expected, abs=1e-3)  # forests break ties by order
    assert figures(codes * torch.tensor([8, 0.25, 1024])) == pytest.approx(expected, abs=1e-12)
    turned = figures(-codes)
    assert turned["mig"] == pytest.approx(expected["mig"], abs=1e-3)  # of values on the bounds of bins
    assert turned["sap"] == pytest.approx(expected["sap"], abs=0.01)


def test_two_numbers_that_tell_the_same_factor_have_no_gap():
    codes = torch.cat([GRID[:, :1], 2 * GRID[:, :1]], dim=1).float()
    assert mig(codes, GRID[:, :1]) == sap(codes, GRID[:, :1]) == 0


def test_a_gap_by_hand():
    factor = torch.tensor([[0], [0], [0], [0], [1], [1], [1], [1]])
    informed = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])  # I = H(3/8) - ½ H(1/4): the second half adds nothing
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    three_eighths = -(3 / 8 * math.log(3 / 8) + 5 / 8 * math.log(5 / 8))
    guess = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
    codes = torch.stack([informed, guess], dim=1).float()
    assert mig(codes, factor) == pytest.approx((three_eighths - quarter / 2) / math.log(2))


def test_information_of_each_dimension_is_a_fraction_of_the_entropy_of_the_factor():
    shares = known(torch.stack([GRID[:, 1], GRID[:, 1] // 2, torch.zeros(len(GRID))], dim=1), GRID)
    assert shares.tolist() == [pytest.approx(row, abs=1e-12) for row in ([0, 1, 0], [0, 0.5, 0], [0, 0, 0])]


@pytest.mark.parametrize("numbers", [2, 7])
def test_mutual_information_equals_scikit_learn(numbers):
    one = (Draws("one").uniform(500) * numbers).long()
    other = ((Draws("other").uniform(500) * 3).long() + one) % 5
    assert mutual_information(one, other) == pytest.approx(mutual_info_score(one, other), rel=1e-9)
    assert mutual_information(one, one) == pytest.approx(
        -sum((p := float((one == v).double().mean())) * math.log(p) for v in range(numbers))
    )


def test_bins_are_of_equal_width_from_the_least_to_the_largest_value():
    assert binned(torch.linspace(-3, 7, 21)).tolist() == [*range(20), 19]
    assert binned(torch.tensor([0, 0.049, 0.051, 1.0])).tolist() == [0, 0, 1, 19]
    assert binned(torch.full((3,), 4.2)).tolist() == [0, 0, 0]


def test_concentration_is_1_minus_entropy_relative_to_the_maximum():
    rows = torch.tensor([[0, 3, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    assert concentration(rows).tolist() == pytest.approx([1, 0, 0.5, 0])
    assert concentration(torch.tensor([[0.5], [0]])).tolist() == [1, 0]


def test_dimension_informative_of_two_factors_is_complete_and_not_disentangled():
    both = (GRID[:, :1] * 4 + GRID[:, 1:2]).float()  # one dimension determines shape and scale alike
    codes = torch.cat([both, GRID[:, 2:].float()], dim=1)
    found = dci(codes, GRID)
    assert found["dci_completeness"] == 1 and found["dci_informativeness"] == 1
    # two factors share two thirds of all importance: 1 - log 2 / log 3 there, 1 on the third factor's own number
    assert found["dci_disentanglement"] == pytest.approx(2 / 3 * (1 - math.log(2) / math.log(3)) + 1 / 3)


def test_factor_in_two_dimensions_is_disentangled_and_not_complete():
    high, low = GRID[:, 1] // 2, GRID[:, 1] % 2  # of the four values of the second factor
    found = dci(torch.stack([high, low], dim=1).float(), GRID[:, 1:2])
    assert found["dci_informativeness"] == 1 and found["dci_disentanglement"] == 1
    assert found["dci_completeness"] < 0.1


def test_a_factor_that_does_not_vary_is_left_out():
    still = GRID.clone()
    still[:, 1] = 3
    assert figures(GRID.float(), still) == figures(GRID.float(), GRID[:, [0, 2]])


def test_the_halves_are_all_and_the_same_every_time():
    learn, ask = halves(11)
    assert (len(learn), len(ask)) == (6, 5) and sorted([*learn.tolist(), *ask.tolist()]) == list(range(11))
    assert torch.equal(halves(11)[0], learn)


@pytest.fixture(scope="module")
def data():
    return shapes(image_size=16, channels=3, train=20, validation=600, test=300, **USE)


class Knowing(Drawing):
    """A model whose code, of averages over an image, is the colour, the place and the area of the shape."""

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        ink = (images + 1) / 2
        at = torch.linspace(-1, 1, images.shape[-1])
        light = ink.amax(1)
        area = light.sum((1, 2))
        place = [(light.sum(1) * at).sum(1) / area, (light.sum(2) * at).sum(1) / area]
        code = torch.stack([*place, area, *(ink.sum((2, 3)) / area[:, None]).T], dim=1)
        return code, torch.zeros_like(code)


def look(data, part: str, model: object) -> EvaluationBatch:
    seen = ImageSet(getattr(data, part), nn.Flatten())
    return EvaluationBatch("val" if part == "validation" else part, model, *[seen] * 11)


def test_model_of_place_size_and_colour_predicts_these_factors(data):
    metric = Disentanglement()
    metric.check(data, nn.Identity())
    found = metric.measure(look(data, "validation", Knowing(data.train.images)))
    assert tuple(found) == metric.names("val") and all(0 < value < 1 for value in found.values())
    assert found["val/mig"] > 0.3 and found["val/dci_completeness"] > 0.5
    blind = SimpleNamespace(encode=lambda images: (noise(6, len(images)), None))
    assert metric.measure(look(data, "validation", blind))["val/mig"] < 0.05
    assert set(metric.measure(look(data, "test", Knowing(data.test.images)))) == set(metric.names("test"))


def test_order_of_images_from_processes_does_not_matter(data):
    metric, factors = Disentanglement(), data.validation.factors
    codes = Knowing(data.train.images).encode(data.validation.images / 127.5 - 1)[0]
    shuffled = torch.arange(600).view(-1, 2).T.flatten()  # as of two processes
    assert metric.of(codes[shuffled], factors[shuffled]) == metric.of(codes, factors)


def test_codes_that_are_not_finite_have_no_figures(data):
    broken = SimpleNamespace(encode=lambda images: (torch.full((len(images), 2), math.nan), None))
    assert all(math.isnan(v) for v in Disentanglement().measure(look(data, "validation", broken)).values())


def test_disentanglement_needs_factors_and_an_encoder(data):
    grey = digits(image_size=8, validation=0.1, test=0.1, **USE)
    with pytest.raises(ConfigError, match=r"factors of digits .*data=shapes"):
        Disentanglement().check(grey, nn.Identity())
    with pytest.raises(ConfigError, match="encoder: type model=vae"):
        Disentanglement().suits(Drawing(data.train.images))
    Disentanglement().suits(Knowing(data.train.images))
    assert list(data_metrics(data)) == ["disentanglement"] and data_metrics(grey) == {}


SMALL = ("data=shapes", "data.train=100", "data.validation=60", "data.test=60", "data.batch_size=8", "max_iterations=2")


def test_disentanglement_of_a_vae_on_shapes_is_measured_and_may_be_monitored(train):
    folder = train(*SMALL, "model=vae", "metrics=[spread]", "monitor=val/mig")
    result = read_json(folder / "result.json")
    assert set(Disentanglement().names("val")) <= result["figures"].keys()
    assert result["monitor"] == "val/mig" and 0 <= result["best"]["val/mig"] <= 1


def test_disentanglement_of_a_gan_on_shapes_is_left_out_with_the_reason(train, capsys):
    train(*SMALL, "metrics=[spread]", "monitor=val/mig", status=78)
    said = capsys.readouterr()
    assert "monitor=val/mig: expected one of" in said.err
    assert "disentanglement is left out" in said.out + said.err
