"""Rules between the columns of a user's table: kept by the rows made, in the user's own names, levels and types."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mgvae import MGVAEOverSampler
from mgvae.config.rules import Rule
from mgvae.errors import SamplerWarning, TableError
from mgvae.sampler.rules import stated_rules, table_rules
from mgvae.sampler.table_types import TableTypes

pytestmark = pytest.mark.usefixtures("brief_judges")

N, RARE = 240, 30
SHORT = {"epochs": 2, "finetune_epochs": 2, "latent_dim": 2, "hidden": (12,), "ewc_lambda": 1.0, "random_state": 0}
RULES = [
    "cigarettes > 0 implies smoker == yes",
    "urban + rural == visits",
    "start <= end",
    {"missing_together": ["hdl", "ldl"]},
]


def table():
    """Return columns of many dtypes that keep the rules, and labels."""
    rng = np.random.default_rng(2)
    smoker = rng.random(N) < 0.5
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 100, N), unit="D")
    frame = pd.DataFrame(
        {
            "smoker": pd.Categorical(np.where(smoker, "yes", "no"), categories=["no", "yes", "unknown"]),
            "cigarettes": np.where(smoker, rng.integers(0, 30, N), 0),
            "urban": rng.integers(0, 5, N),
            "rural": pd.array(rng.integers(0, 5, N), dtype="Int64"),
            "start": start,
            "end": (start + pd.to_timedelta(rng.integers(0, 9, N) * 12, unit="h")).tz_localize("UTC"),
            "hdl": rng.normal(50, 9, N).round(1),
            "ldl": rng.normal(90, 9, N).round(1),
            "flag": rng.random(N) < 0.5,
        }
    )
    frame["start"] = frame["start"].dt.tz_localize("UTC")
    frame["visits"] = (frame["urban"] + frame["rural"]).astype(float)
    frame.loc[rng.random(N) < 0.4, ["hdl", "ldl"]] = np.nan
    return frame, (np.arange(N) < RARE).astype(int)


def broken(frame):
    """Return how many rows break each rule, by hand."""
    return [
        int(((frame["cigarettes"] > 0) & (frame["smoker"] != "yes")).sum()),
        int((frame["urban"] + frame["rural"] != frame["visits"]).sum()),
        int((frame["start"] > frame["end"]).sum()),
        int((frame["hdl"].isna() != frame["ldl"].isna()).sum()),
    ]


def test_rows_keep_the_rules_that_they_would_break():
    X, y = table()
    assert broken(X) == [0] * 4
    free, _ = MGVAEOverSampler(**SHORT).fit_resample(X, y)
    assert min(broken(free)) > 0
    sampler = MGVAEOverSampler(**SHORT, rules=RULES)
    kept, _ = sampler.fit_resample(X, y)
    assert broken(kept) == [0] * 4
    assert kept.dtypes.to_dict() == X.dtypes.to_dict()
    assert any("broke a rule at first and were drawn again" in remark for remark in sampler.history_["finetune"][1]["remarks"])
    more, _ = sampler.sample(X[y == 0], 100)
    assert broken(more) == [0] * 4


def test_a_saved_sampler_keeps_its_rules(tmp_path):
    X, y = table()
    sampler = MGVAEOverSampler(**SHORT, rules=RULES)
    sampler.fit_resample(X, y)
    loaded = MGVAEOverSampler.load(sampler.save(tmp_path / "sampler"))
    more, _ = loaded.sample(X[y == 0], 60, random_state=4)
    pd.testing.assert_frame_equal(more, sampler.sample(X[y == 0], 60, random_state=4)[0])
    assert broken(more) == [0] * 4
    assert clone(loaded).get_params()["rules"] == loaded.rules


def test_classes_that_are_filled_up_from_themselves_keep_the_rules():
    X, _ = table()
    y = np.repeat([0, 1, 2], [110, 90, 40])
    kept, labels = MGVAEOverSampler(**SHORT, rules=RULES).fit_resample(X, y)
    assert (np.bincount(labels) == 110).all()
    assert broken(kept) == [0] * 4


@pytest.mark.parametrize("rules", [None, [], ()])
def test_without_rules_nothing_changes(rules):
    X, y = table()
    plain, _ = MGVAEOverSampler(**SHORT).fit_resample(X, y)
    same, _ = MGVAEOverSampler(**SHORT, rules=rules).fit_resample(X, y)
    pd.testing.assert_frame_equal(plain, same)


def test_arrays_are_named_by_position():
    X, y = table()
    X = X[["urban", "rural", "visits"]].to_numpy(float)
    kept, _ = MGVAEOverSampler(**SHORT, rules=["`0` + `1` == `2`"]).fit_resample(X, y)
    np.testing.assert_allclose(kept[:, 0] + kept[:, 1], kept[:, 2])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["dpb < 1"], "it has no 'dpb'"),
        (["smoker == ye"], r"'ye' is none. Did you mean 'yes'\?.* a categorical dtype"),
        (["cigarettes = 1"], "must compare with ==, not with ="),
        (["urban < 1", "urban < 1"], "stands there twice"),
        ([{"rule": "urban < 1", "tolerence": 1}], r"tolerence: unknown key. Did you mean 'tolerance'\?"),
    ],
)
def test_each_mistake_is_a_value_error(rules, words):
    X, y = table()
    with pytest.raises(ValueError, match=words):
        MGVAEOverSampler(**SHORT, rules=rules).fit_resample(X, y)


@pytest.mark.parametrize("rules", ["urban < 1", 3])
def test_rules_are_a_list(rules):
    with pytest.raises(TableError, match=r"rules must be a list of rules, such as \['dbp <= sbp'\]"):
        stated_rules(rules)


def typed_and_broken(frame, *texts):
    types = TableTypes.fit(frame)
    return table_rules(tuple(Rule(rule=text) for text in texts), types).broken(types.to_typed(frame)).T.tolist()


def test_levels_booleans_constants_and_unseen_categories():
    frame = pd.DataFrame({"one": ["a"] * 3, "flag": [True, False, True], "n": [0, 1, 1], "c": list("xyx")})
    frame["c"] = frame["c"].astype(pd.CategoricalDtype(["z", "x", "y"]))
    found = typed_and_broken(frame, "one == a", "flag == true implies n == 0", "c in (x, z)", "n < 1", "flag > n")
    assert found == [[False] * 3, [False, False, True], [False, True, False], [False, True, True], [False, True, True]]


def test_durations_and_dates_in_any_unit():
    frame = pd.DataFrame({"stay": pd.to_timedelta([1, 2, 3], unit="D").astype("timedelta64[s]"), "nights": [1, 2, 2]})
    frame["day"] = pd.to_datetime(["2020-01-01", "2020-01-02", "1969-12-31"]).astype("datetime64[us]")
    frame["later"] = pd.to_datetime(["2020-01-01 06:00", "2020-01-01 00:00", "1970-01-01 00:00"]).astype("datetime64[ns]")
    assert typed_and_broken(frame, "stay <= nights", "day <= later", "later - day <= 0.5") == [
        [False, False, True],
        [False, True, False],
        [False, False, True],
    ]


def test_repeated_labels_cannot_be_named():
    frame = pd.DataFrame([[1, 2, 3], [2, 3, 5]], columns=["a", "a", "b"])
    with pytest.raises(TableError, match="must name columns of the table, each label once; it has no 'a'"):
        typed_and_broken(frame, "a <= 3")


def test_a_rule_that_names_a_level_of_few_rows_is_left_out_of_further_rows():
    X, y = table()
    X["ward"] = np.where(np.arange(N) % 60 == 0, "rare", np.where(np.arange(N) % 2 == 0, "one", "two")).astype(object)
    sampler = MGVAEOverSampler(**SHORT, rules=["ward == rare implies urban < 9", *RULES])
    sampler.fit_resample(X, y)
    with pytest.warns(SamplerWarning, match="few training rows are left out: ward == rare"):
        more, _ = sampler.sample(X[y == 0], 20)
    assert broken(more) == [0] * 4
