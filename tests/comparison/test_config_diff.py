"""settings: differences of configurations under the names that a command line has for them."""

from helpers.composition import compose_config
from helpers.finished_runs import TARGETS, regularizers
from omegaconf import OmegaConf

from regen.comparison.config_diff import settings, text


def config(regularizer=None, **others):
    return {"seed": 0, "data": {"_target_": "regen.data.digits.digits"}, "regularizer": regularizer or {}, **others}


def test_settings_shared_by_all_runs_are_omitted():
    assert settings([config(regularizers(r1=1.0)), config(regularizers(r1=1.0))]) == [{}, {}]


def test_seeds_folds_names_and_machines_make_no_difference():
    one = config() | {
        "seed": 1,
        "name": "a",
        "logger": {"project": "x"},
        "trainer": {"threads": 1},
        "iterations_per_call": 4,
    }
    one["data"] = one["data"] | {"fold": 2, "root": "/data"}
    assert settings([one, config()]) == [{}, {}]


def test_a_strength_bears_the_short_name_that_is_typed():
    runs = [config(regularizers(r1=value)) for value in (0.1, 1)]
    assert settings(runs) == [{"lambda_d": 0.1}, {"lambda_d": 1.0}]


def test_strength_owned_by_two_regularizers_has_the_full_key():
    runs = [config(regularizers(r1=value, l2=1.0)) for value in (0.1, 1)]
    assert settings(runs)[0] == {"regularizer.r1.lambda_d": 0.1}


def test_regularizers_are_shown_with_values_other_than_defaults():
    r1 = {
        "r1": {"_target_": TARGETS["r1"], "lambda_d": 10, "interval": 1, "relative": None}
    }  # conf/regularizer/r1.yaml
    lone = {"r1": r1["r1"] | {"lambda_d": 0.5}, "diffaugment": {"_target_": "regen.regularizers.augment.DiffAugment"}}
    assert settings([config(), config(r1)]) == [{"regularizer": "none"}, {"regularizer": "r1"}]
    assert settings([config(), config(lone)])[1] == {"regularizer": "[r1,diffaugment]", "lambda_d": 0.5}


def test_regularizers_swept_along_with_strength_always_show_the_strength():
    runs = [config(regularizers(**{name: value})) for name in ("r1", "r2") for value in (1, 10)]  # 10 is a default
    assert settings(runs)[1] == {"regularizer": "r1", "lambda_d": 10.0}
    assert settings(runs)[3] == {"regularizer": "r2", "lambda_d": 10.0}


def test_options_of_groups_are_shown_by_name():
    runs = [config(loss={"_target_": f"regen.losses.adversarial.{name}"}) for name in ("Hinge", "LeastSquares", "Mine")]
    assert [one["loss"] for one in settings(runs)] == ["hinge", "least_squares", "Mine"]


def network(name: str, *nets: str, **encoder) -> dict:
    made = {net.lower(): {"_target_": f"regen.networks.{name}.{net}"} for net in nets}
    return {"network": made | ({"encoder": made["encoder"] | encoder} if encoder else {})}


def test_encoders_of_two_sizes_are_distinguished():
    runs = [config(**network("mlp", "Generator", "Encoder", hidden=hidden)) for hidden in ([64], [128, 128])]
    assert settings(runs)[0] == {"network.encoder.hidden": "[64]"}


def test_regularizers_with_strengths_come_first():
    runs = [
        config(regularizers(r1=value), loss={"_target_": f"regen.losses.adversarial.{name}"}, max_iterations=length)
        for value, name, length in ((1, "Hinge", 100), (2, "Minimax", 200))
    ]
    assert list(settings(runs)[0]) == ["lambda_d", "loss", "max_iterations"]


def test_values_are_written_as_typed():
    assert [text(value) for value in (True, None, 0.1, 1e-05, 3.0, "[r1,l2]")] == [
        "true",
        "null",
        "0.1",
        "1e-05",
        "3",
        "[r1,l2]",
    ]


def test_a_number_that_yaml_takes_for_a_word_is_a_number():
    assert settings([config(regularizers(r1="1e-05")), config(regularizers(r1=1))])[0] == {"lambda_d": 1e-05}


def test_gan_and_autoencoder_differ_by_options_and_not_by_dependent_keys():
    gan, rae, vae = (compose_config("network=mlp", *typed) for typed in (["model=gan"], ["model=rae"], ["model=vae"]))
    found = settings([OmegaConf.to_container(one, resolve=True) for one in (gan, rae, vae)])
    assert found[0] == {"regularizer": "none", "model": "gan", "loss": "nonsaturating"}
    loss = "gaussian_learned"
    assert found[1] == {"regularizer": "code_l2", "model": "vae", "prior": "mixture", "loss": loss}
    assert found[2] == {"regularizer": "kl", "model": "vae", "prior": "normal", "loss": loss}
