"""`mgvae paper`: the table of an experiment, what it refuses, what it writes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from flows.commands.paper import METHOD, mean_and_spread
from flows.paper_flow import paper_flow
from mgvae.errors import ConfigError
from mgvae.paper import experiment
from mgvae.paper.classifier import Fitting
from mgvae.paper.experiment import ARMS
from tests.flows.command_line import refused


@pytest.fixture
def brief(monkeypatch, database):
    """Give experiments so few steps that only what is told of them is of interest."""
    whole = experiment.settings_for

    def settings(data, *, quick=False):
        made = whole(data, quick=quick)
        training = made.plan.training.model_copy(update={"pretrain_epochs": 2})
        return replace(made, plan=replace(made.plan, training=training, steps=2), fitting=Fitting(steps=100))

    monkeypatch.setattr("flows.paper_flow.settings_for", settings)


def test_the_table_of_the_digits(mgvae, brief, tmp_path):
    out = tmp_path / "made" / "digits.json"
    said = mgvae("paper", "digits", "--seeds", 2, "--quick", "--arm", "erm", "--arm", "smote", "--arm", "mgvae", "--out", out)
    assert said.code == 0, said.err
    for words in ("scikit-learn's load_digits", "thinned to 10 rows", "A first look", "standard deviation over 2 seeds", "±"):
        assert words in said.out
    assert [name in said.out for name in ("nothing (ERM)", "SMOTE", "MGVAE", "LDAM")] == [True, True, True, False]
    result = json.loads(out.read_text())
    assert [(one["seed"], one["arm"]) for one in result["outcomes"]] == [
        (seed, arm) for seed in (0, 1) for arm in ("erm", "smote", "mgvae")
    ]
    gained = [gain(result, seed, "mgvae", "smote") for seed in (0, 1)]
    assert f"{np.mean(gained):+.3f} ± {np.std(gained, ddof=1) / 2**0.5:.3f}" in said.out
    for words in ("seed 1: begins", "seed 1: 2 of 3 done, now mgvae", "seed 1: done"):
        assert words in said.err
    pretrained = [one["costs"]["pretrain"] for one in result["outcomes"] if one["arm"] == "mgvae"]
    assert all(cost["seconds"] > 0 and cost["peak_mib"] > 0 for cost in pretrained)


def gain(result, seed, arm, other):
    """Return by how much one arm's balanced accuracy exceeds another's with a seed."""
    of = {one["arm"]: one["measures"]["balanced_accuracy"] for one in result["outcomes"] if one["seed"] == seed}
    return of[arm] - of[other]


def test_the_same_seed_gives_the_same_numbers_and_another_other_ones(brief):
    one, same = (paper_flow("digits", seeds=2, arms=["erm"], quick=True)["outcomes"] for _ in range(2))
    assert [outcome["measures"] for outcome in one] == [outcome["measures"] for outcome in same]
    assert one[0]["measures"] != one[1]["measures"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cifar",), ("must be one of digits, mnist", "'cifar'")),
        (("digits", "--rho", 50), ("rho must be 600 or 100; got 50",)),
        (("digits", "--seeds", 0), ("one seed or more",)),
        (("digits", "--arm", "magic"), ("Arms must be among erm", "got magic")),
        (("digits", "--split", "groups"), ("digits has no groups to split by",)),
        (("mnist",), ("must be read from a folder", "--data")),
        (
            ("musk", "--data", ".", "--pictures", "drawn"),
            ("need a data set of images: digits, mnist", "got musk", "--pictures"),
        ),
        (("digits", "--pictures", __file__), ("pictures cannot be written there", "Name another folder")),
    ],
)
def test_what_is_refused(mgvae, arguments, words):
    refused(mgvae("paper", *arguments), *words)


def test_a_folder_without_the_files_is_refused_by_name(mgvae, database, tmp_path):
    refused(mgvae("paper", "musk", "--data", tmp_path), str(tmp_path), "must hold clean2.data")


@pytest.mark.slow
def test_pictures_are_drawn_besides_the_table(mgvae, brief, tmp_path, drawn_figures, monkeypatch):
    monkeypatch.setattr("mgvae.paper.pictures.collect.MADE", 50)
    said = mgvae("paper", "digits", "--seeds", 1, "--quick", "--arm", "erm", "--pictures", tmp_path / "drawn")
    assert said.code == 0, said.err
    assert f"Pictures and their numbers: {tmp_path / 'drawn'}" in said.out
    names = [file.name for file in (tmp_path / "drawn").iterdir()]
    assert sorted(names) == ["ablation.png", "draws.png", "latent.png", "pictures.json", "translations.png"]
    told = json.loads((tmp_path / "drawn" / "pictures.json").read_text())
    assert (told["dataset"], told["seed"], told["quick"]) == ("digits", 0, True)
    assert told["about"]["rows"]["train"][5:] == [10] * 5


def test_a_refusal_leaves_no_folder(mgvae, tmp_path):
    mgvae("paper", "musk", "--data", tmp_path, "--pictures", tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()


def test_places_are_confined(brief, monkeypatch, tmp_path):
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path / "inside"))
    with pytest.raises(ConfigError, match="data: must lie below"):
        paper_flow("mnist", data=str(tmp_path / "outside"))
    with pytest.raises(ConfigError, match="pictures: must lie below"):
        paper_flow("digits", pictures=str(tmp_path / "outside"))


def test_arms_have_names_of_their_own():
    assert len(set(ARMS.values())) == len(ARMS)
    assert ARMS["mgvae"] == METHOD


def test_mean_and_standard_deviation():
    assert mean_and_spread([0.25]) == "0.250"
    assert mean_and_spread([0.2, 0.4]) == "0.300 ± 0.141"
