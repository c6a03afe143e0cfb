"""The whole chain on small tables: repeatable, typed, within the training table, and usable at the edges."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import mgvae.generator.synthesis
from mgvae.cohort.rows import Rows
from mgvae.errors import TrainingError
from mgvae.generator.plausibility import OVERSUPPLY
from mgvae.generator.synthesis import device_of, encoded, pretrain_majority, synthetic_cases
from mgvae.model.encoding import fit_encoding
from mgvae.training.early_stopping import History
from tests.mgvae.small_cohort import COLUMNS, cohort, quick

pytestmark = pytest.mark.usefixtures("brief_judges")

VARIANTS = ("mgvae", "mgvae_no_pretraining", "mgvae_no_ewc", "vae")


def made(features, event, group, *, n=40, seed=0, variant="mgvae", columns=COLUMNS, **changes):
    return synthetic_cases(Rows(features, event, group), columns, quick(**changes), n=n, seed=seed, variant=variant)


def table_bytes(frame):
    return pd.util.hash_pandas_object(frame.astype(str)).to_numpy().tobytes()


def test_same_seed_same_rows_and_another_seed_others():
    data = cohort(200, 20)
    first, again, other = (made(*data, seed=seed, ewc_lambda=1.0) for seed in (1, 1, 2))
    assert table_bytes(first.features) == table_bytes(again.features) != table_bytes(other.features)
    np.testing.assert_array_equal(first.parent, again.parent)


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_look_like_the_training_table(variant):
    features, event, group = cohort(200, 20)
    got = made(features, event, group, variant=variant)
    assert got.features.dtypes.to_dict() == features.dtypes.to_dict()
    assert len(got.features) == len(got.parent) == 40
    for name in ("age", "crp", "visits"):
        assert got.features[name].dropna().between(features[name].min(), features[name].max()).all()
    if variant == "vae":
        assert (got.parent == -1).all()
    else:
        assert not event[got.parent].any()  # every parent is a majority patient


def test_synthetic_cases_resemble_cases_more_than_majority_patients_do():
    features, event, group = cohort(600, 60)
    got = made(features, event, group, n=300, pretrain_epochs=40, finetune_epochs=60, ewc_lambda=1.0)
    gap = features["age"][event].mean() - features["age"][~event].mean()
    assert got.features["age"].mean() - features["age"][~event].mean() > 0.4 * gap


def test_no_synthetic_row_repeats_a_case_in_every_column():
    features, event, group = cohort(200, 20)
    columns = {name: COLUMNS[name] for name in ("age", "sex", "ward")}  # few codes: chance alone would repeat some
    got = made(features[list(columns)], event, group, n=200, columns=columns, ewc_lambda=1.0)
    assert not rows_of(features.loc[event, list(columns)]) & rows_of(got.features)


def rows_of(frame):
    return set(map(tuple, frame.astype(object).where(frame.notna(), "missing").to_numpy()))


def test_five_cases_are_enough():
    features, event, group = cohort(150, 5)
    assert len(made(features, event, group).features) == 40


def test_two_columns_are_enough():
    features, event, group = cohort(150, 15)
    columns = {name: COLUMNS[name] for name in ("age", "sex")}
    got = made(features[list(columns)], event, group, columns=columns)
    assert list(got.features) == ["age", "sex"]


@pytest.mark.parametrize("name", ["age", "sex", "ward", "stage", "visits"])
def test_one_column_is_enough(name):
    features, event, group = cohort(100, 10)
    got = made(features[[name]], event, group, columns={name: COLUMNS[name]}, pretrain_epochs=2)
    assert got.features.dtypes.to_dict() == features[[name]].dtypes.to_dict()


@pytest.mark.parametrize("where", ["cases", "everyone"])
def test_a_constant_column(where):
    features, event, group = cohort(150, 15)
    features.loc[event if where == "cases" else np.ones(150, bool), "visits"] = 3.0
    got = made(features, event, group)
    assert where == "cases" or (got.features["visits"] == 3.0).all()
    assert got.features["visits"].notna().all()


def test_columns_without_any_value_stay_so():
    features, event, group = cohort(150, 15)
    features = features.assign(crp=np.nan, ward=features["ward"].where(np.zeros(150, bool)))
    got = made(features, event, group, n=200)
    assert got.features["crp"].isna().all()
    assert got.features["ward"].isna().mean() > 0.95  # half a row's odds for a level


def test_a_column_that_is_missing_in_all_cases():
    features, event, group = cohort(150, 15)
    features.loc[event, "crp"] = np.nan
    assert len(made(features, event, group).features) == 40


@pytest.mark.parametrize("event", [np.zeros(20, bool), np.ones(20, bool)])
def test_one_class_alone(event):
    features = cohort(20, 5)[0]
    with pytest.raises(TrainingError, match=rf"needs cases and majority patients; got {event.sum()} and {20 - event.sum()}"):
        made(features, event, np.arange(20))


def sites(n, shares, *, seed=0):
    """Return the site of each of ``n`` rows, the sites being as large as ``shares`` say."""
    return np.random.default_rng(seed).permutation(
        np.repeat(np.arange(len(shares)), np.round(np.array(shares) * n).astype(int))
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shares", [(0.9, 0.06, 0.04), (0.5, 0.5), (0.97, 0.03), (1.0,)], ids=str)
def test_few_large_sites_are_no_hindrance(handed, shares, seed):
    features, event, _ = cohort(200, 20)
    group = sites(200, shares)
    got = made(features, event, group, n=10, seed=seed, **BRIEF)
    assert len(got.features) == 10
    fitted, watched = (handed["pretrain"].__dict__[side] for side in ("rows", "heldout"))
    assert 0.05 <= len(watched) / (len(fitted) + len(watched)) <= 0.16
    divided = any("Early stopping of pre-training watched the ELBO on single rows" in remark for remark in got.remarks)
    assert divided == (shares != (0.9, 0.06, 0.04))


def test_rows_of_their_own_need_no_remark():
    assert made(*cohort(120, 12), n=5, **BRIEF).remarks == ()
    assert made(*cohort(120, 12), n=5, variant="vae", **BRIEF).remarks == ()


def test_a_majority_of_one_group_is_judged_by_single_rows():
    features, event, _ = cohort(120, 12)
    group = np.where(event, 1 + np.arange(120) % 3, 0)  # no fold of whole groups has both classes
    got = made(features, event, group, n=10, **BRIEF)
    assert [remark.split(" on single rows")[0] for remark in got.remarks] == [
        "Early stopping of pre-training watched the ELBO",
        "Plausibility was judged",
    ]


def test_groups_are_held_out_whole(monkeypatch):
    features, event, _ = cohort(200, 20)
    group = np.arange(200) // 8
    settings = quick()
    encoding = fit_encoding(features, COLUMNS)
    majority = encoded(encoding, features, settings)[torch.from_numpy(~event)]
    seen = {}

    def keep(model, rows, heldout, *_, **__):
        seen["rows"], seen["heldout"] = rows, heldout
        return History((), 0, None, 0.0)

    monkeypatch.setattr("mgvae.generator.synthesis.pretrain", keep)
    pretrain_majority(encoding, majority, group[~event], settings, seed=0)
    of = {tuple(row.tolist()): code for row, code in zip(majority, group[~event], strict=True)}
    sides = [{of[tuple(row.tolist())] for part in seen[side].split(50) for row in part} for side in ("rows", "heldout")]
    assert not sides[0] & sides[1]
    assert 0.15 * len(majority) <= len(seen["heldout"]) <= 0.15 * len(majority) + 8


@pytest.fixture
def copying(monkeypatch):
    """Make each translation a copy of its parent, so that a row made shows which row it comes from."""
    monkeypatch.setattr("mgvae.generator.synthesis.translate", lambda model, parents, generator: parents)


BRIEF = {"pretrain_epochs": 1, "finetune_epochs": 1, "ewc_lambda": 1.0}


@pytest.mark.parametrize("plausibility", ["matched", "filtered", "none"])
@pytest.mark.usefixtures("copying")
def test_each_row_made_comes_from_the_parent_named_beside_it(plausibility):
    features, event, group = cohort(120, 12)
    got = made(features, event, group, n=30, plausibility=plausibility, **BRIEF)
    assert not event[got.parent].any()
    pd.testing.assert_frame_equal(got.features, features.iloc[got.parent].reset_index(drop=True))


@pytest.mark.usefixtures("copying")
def test_majority_patients_that_resemble_cases_are_parents_more_often_where_exemplars_are_tilted():
    data = cohort(400, 40)
    age = {
        weights: made(*data, n=200, plausibility="none", exemplar_weights=weights, **BRIEF).features["age"].mean()
        for weights in ("tilted", "uniform")
    }
    assert age["tilted"] > age["uniform"] + 3


@pytest.fixture
def handed(monkeypatch):
    """Record what each part of the chain is given and what it returns."""
    seen = {}
    for name in ("pretrain_majority", "finetune_cases", "synthesise", "keep_plausible", "anchor_at", "pretrain"):
        call = getattr(mgvae.generator.synthesis, name)
        bound = inspect.signature(call)

        def recorded(*args, name=name, call=call, bound=bound, **given):
            seen[name] = SimpleNamespace(**bound.bind(*args, **given).arguments, returned=call(*args, **given))
            return seen[name].returned

        monkeypatch.setattr(mgvae.generator.synthesis, name, recorded)
    return seen


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_a_start_an_anchor_and_exemplars_of_its_own(handed, variant):
    features, event, group = cohort(120, 12)
    made(features, event, group, variant=variant, n=30, **BRIEF)
    tuning, making = handed["finetune_cases"], handed["synthesise"]
    assert ("pretrain_majority" in handed) == (variant in ("mgvae", "mgvae_no_ewc"))
    assert (tuning.anchor is not None) == (variant == "mgvae")
    assert (tuning.inputs.majority is None) == (making.inputs.majority is None) == (variant == "vae")
    if "pretrain_majority" in handed:
        assert tuning.model is handed["pretrain_majority"].returned.model
    assert making.model is tuning.returned.model
    assert (making.n, making.seed) == (30, 0)


def test_majority_and_cases_reach_each_part_with_their_own_groups(handed):
    features, event, _ = cohort(120, 12)
    group = np.random.default_rng(0).permutation(120) // 2 + 100
    made(features, event, group, n=30, **BRIEF)
    rows = encoded(fit_encoding(features, COLUMNS), features, quick())
    first, tuning, keeping = (handed[name] for name in ("pretrain_majority", "finetune_cases", "keep_plausible"))
    assert torch.equal(first.majority, rows[torch.from_numpy(~event)])
    np.testing.assert_array_equal(first.group, group[~event])
    assert torch.equal(tuning.inputs.cases, rows[torch.from_numpy(event)])
    assert torch.equal(tuning.inputs.majority, first.majority)
    np.testing.assert_array_equal(tuning.inputs.case_group, group[event])
    others = keeping.majority.take(np.arange(len(keeping.majority)))
    pd.testing.assert_frame_equal(others, features[~event].reset_index(drop=True))
    pd.testing.assert_frame_equal(keeping.cases, features[event].reset_index(drop=True))
    np.testing.assert_array_equal(keeping.group, np.concatenate([group[~event], group[event]]))
    assert (keeping.how, keeping.n, len(keeping.made)) == ("matched", 30, 30 * OVERSUPPLY)


def test_the_anchor_is_made_from_the_rows_that_were_trained_on(handed):
    features, event, group = cohort(120, 12)
    made(features, event, group, n=5, **BRIEF)
    assert handed["anchor_at"].rows is handed["pretrain"].rows
    assert handed["anchor_at"].model is handed["pretrain"].model


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(quick(device="auto")) == torch.device("cpu")
    with pytest.raises(TrainingError, match=r"training.device is cuda, but no CUDA device is visible"):
        device_of(quick(device="cuda"))
