"""Every parameter of the sampler works, is described, and agrees with the settings of training."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from mgvae import MGVAEOverSampler
from mgvae.config.sections import Training
from mgvae.sampler.parameters import training_settings
from tests.mgvae.sampler.sampler_tables import MAJORITY, labels, quick, small

pytestmark = pytest.mark.usefixtures("brief_judges")

DEFAULTS = MGVAEOverSampler().get_params()
OWN = {"sampling_strategy", "categorical_features", "pretraining", "rules", "random_state", "verbose"}
SHARED = {name: "pretrain_epochs" if name == "epochs" else name for name in DEFAULTS if name not in OWN}
PROBES = ["auto", "all", "tilted", "uniform", "matched", "filtered", "none", "free", "tied", "cpu", "cuda", "bogus", None]
PROBES += [-1, 0, 1, 2, 3, -0.5, 0.0, 1e-9, 0.5, 1.5, (), (0,), (1,), (8, 4), ("a",), (1.5,)]


def test_parameters_of_training_are_fields_of_the_settings():
    assert set(SHARED.values()) <= set(Training.model_fields)
    assert not OWN & set(Training.model_fields)


@pytest.mark.parametrize("name", SHARED)
def test_defaults_are_those_of_the_settings(name):
    assert DEFAULTS[name] == Training.model_fields[SHARED[name]].default
    assert type(DEFAULTS[name]) is type(Training.model_fields[SHARED[name]].default)


def _accepted(call):
    try:
        call()
    except ValueError:  # pydantic's error is one, too
        return False
    return True


@pytest.mark.parametrize("name", SHARED)
def test_bounds_are_those_of_the_settings(name):
    verdicts = {}
    for probe in PROBES + [True, False] * isinstance(DEFAULTS[name], bool):  # to scikit-learn a boolean is a number, too
        own = _accepted(lambda: MGVAEOverSampler(**{name: probe}).fit(small(), labels()))  # noqa: B023
        settings = _accepted(lambda: Training.model_validate({SHARED[name]: probe}, strict=True))  # noqa: B023
        verdicts[repr(probe)] = own, settings
    assert {probe: verdict for probe, verdict in verdicts.items() if len(set(verdict)) > 1} == {}
    assert {own for own, _ in verdicts.values()} == {True, False}


def test_every_parameter_reaches_its_field():
    given = {
        "latent_dim": 3,
        "hidden": (8, 4),
        "epochs": 7,
        "finetune_epochs": 9,
        "ewc_lambda": 2.0,
        "exemplar_weights": "uniform",
        "plausibility": "filtered",
        "leave_one_out": False,
        "posterior_variance": "tied",
        "learning_rate": 0.5,
        "finetune_learning_rate": 0.25,
        "batch_size": 11,
        "exemplars": 13,
        "device": "cpu",
    }
    assert given.keys() == SHARED.keys()
    settings = training_settings(MGVAEOverSampler(**given).get_params())
    assert {name: getattr(settings, field) for name, field in SHARED.items()} == given


def test_the_docstring_describes_every_parameter():
    described = inspect.getdoc(MGVAEOverSampler).split("\nArgs:\n")[1].split("\nAttributes:\n")[0]
    names = re.findall(r"^    ([a-z_, ]+):", described, re.MULTILINE)
    assert [name for entry in names for name in entry.split(", ")] == list(inspect.signature(MGVAEOverSampler).parameters)


@pytest.mark.parametrize(
    "changes",
    [
        {"plausibility": "filtered"},
        {"plausibility": "matched"},
        {"plausibility": "stacked"},
        {"exemplar_weights": "uniform"},
        {"posterior_variance": "tied"},
        {"leave_one_out": False},
        {"exemplars": "all"},
        {"exemplars": 5},
        {"ewc_lambda": 0},
        {"ewc_lambda": "auto"},
        {"hidden": [8]},
        {"hidden": np.array([8, 4])},
        {"latent_dim": 1},
        {"batch_size": 2},
        {"epochs": "auto", "learning_rate": 0.02},
    ],
)
def test_every_option_makes_rows(changes):
    out, _ = quick(**changes).fit_resample(small(), labels())
    assert len(out) == 2 * MAJORITY


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"hidden": ()}, "hidden must be whole numbers of 1 or more"),
        ({"hidden": (-1,)}, "hidden must be whole numbers"),
        ({"hidden": ("a",)}, "hidden must be whole numbers"),
        ({"latent_dim": 0}, "'latent_dim' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"device": "gpu"}, "'device' parameter"),
        ({"ewc_lambda": -1.0}, "'ewc_lambda' parameter"),
        ({"batch_size": 1}, "'batch_size' parameter"),
        ({"exemplars": 0}, "'exemplars' parameter"),
        ({"random_state": np.random.default_rng(0)}, "'random_state' parameter"),
        ({"verbose": 3}, "'verbose' parameter"),
        ({"categorical_features": ["zz"]}, "categorical_features must hold columns of X, by name or position; got 'zz'"),
        ({"categorical_features": [3]}, "categorical_features must hold columns"),
    ],
)
def test_parameters_that_cannot_be_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        quick(**changes).fit_resample(small(), labels())
