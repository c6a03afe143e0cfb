"""The outcome at a horizon, from the cell to the sides of the split: nobody whose follow-up ended counts as "no event"."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import build_cohort
from mgvae.cohort.files import load_cohort, save_cohort
from mgvae.cohort.rows import rows
from mgvae.cohort.split import followed_sides, holdout, with_lost
from mgvae.config.study import CohortConfig, load_config
from mgvae.errors import ConfigError, DataError, ExtractError
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.evaluate import evaluate
from mgvae.evaluation.measures.censoring import MOST, censoring, censoring_weights, weighted
from mgvae.extract.read import open_extract, read_extract
from mgvae.report.formatting import on_censoring

DAYS = 100
COLUMNS = {
    "id": {"role": "identifier"},
    "site": {"role": "identifier"},
    "day": {"kind": "date", "role": "excluded"},
    "status": {"kind": "categorical", "role": "excluded", "categories": ["alive", "died", "other"]},
    "days": {"kind": "continuous", "role": "excluded", "missing_codes": [-9]},
    "x": {"kind": "continuous"},
}
STUDY = {
    "study": "followed",
    "extract": "table.csv",
    "subject_id": "id",
    "group": "site",
    "horizon_days": DAYS,
    "outcome": {"column": "status", "event": "died", "follow_up": "days", "competing": ["other"]},
    "columns": COLUMNS,
    "split": {"method": "random"},
    "evaluation": {"arms": ["none"], "classifiers": ["logistic_regression"], "folds": 2, "repeats": 1, "bootstrap": 50},
}
CELLS = [  # status, days, whether the outcome at day 100 is the event, another level or unknown, and the follow-up kept
    ("died", 5, "died", 5),
    ("died", 100, "died", 100),
    ("died", 100.5, "alive", 100.5),
    ("alive", 99.5, None, 99.5),
    ("alive", 100, "alive", 100),
    ("alive", 400, "alive", 400),
    ("other", 30, "other", 30),
    ("other", 130, "alive", 130),
    ("", 400, None, None),
    ("died", "", None, None),
    ("alive", -9, None, None),
    ("strange", 30, "strange", 30),
]


def config(tmp_path, frame=None, **changes):
    values = {**STUDY, **changes}
    (tmp_path / "cohort.yaml").write_text(json.dumps(values), encoding="utf-8")
    if frame is not None:
        frame.to_csv(tmp_path / "table.csv", index=False)
    return load_config(tmp_path / "cohort.yaml")


def followed(n=900, *, seed=0):
    """Return an extract in which about 40 % are lost; those with a high x die early."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    time, end = rng.exponential(250 * np.exp(-x)), rng.exponential(150, n)
    other = rng.exponential(900, n)
    last = np.minimum(np.minimum(time, other), end)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n) % 300, unit="D")
    status = np.select([time == last, other == last], ["died", "other"], "alive")
    columns = {"id": np.arange(n), "site": np.arange(n) // 3, "day": day.strftime("%Y-%m-%d"), "status": status}
    return pd.DataFrame({**columns, "days": last, "x": x})


def test_the_outcome_is_what_is_known_at_the_horizon(tmp_path):
    count = len(CELLS)
    frame = pd.DataFrame({"id": range(count), "site": range(count), "day": "2020-01-01", "x": 1.0})
    frame["status"], frame["days"] = [cell[0] for cell in CELLS], [cell[1] for cell in CELLS]
    found = read_extract(config(tmp_path, frame)).frame
    assert found["status"].astype(object).where(found["status"].notna(), None).tolist() == [cell[2] for cell in CELLS]
    assert found["days"].fillna(-1).tolist() == [-1 if cell[3] is None else cell[3] for cell in CELLS]


def test_nobody_lost_is_a_patient_without_the_event(tmp_path):
    frame = followed()
    cohort = build_cohort(settings := config(tmp_path, frame), read_extract(settings).frame)
    lost = (frame["status"] == "alive") & (frame["days"] < DAYS)
    assert 0.3 < lost.mean() < 0.5
    assert cohort.events == ((frame["status"] == "died") & (frame["days"] <= DAYS)).sum()
    assert set(cohort.subject.astype(int)) == set(frame["id"][~lost])
    assert len(cohort.follow_up.lost) == lost.sum()
    assert cohort.follow_up.known.max() == DAYS
    assert cohort.flow[-1].note == f"Of {lost.sum()} others the outcome at day {DAYS} is unknown; weights allow for them."
    early = cohort.follow_up.known < DAYS
    weight = weighted(cohort, np.zeros(len(cohort), dtype=bool)).weight
    assert weight.sum() == pytest.approx(len(frame))
    assert weight[early].max() < weight[~early].min() + 1e-9


def test_weights_that_had_to_be_cut_are_counted_and_said(tmp_path):
    frame = followed(200)
    frame.loc[frame["days"] > 50, ["days", "status"]] = [60.0, "alive"]
    frame.loc[frame.index[:6], ["days", "status"]] = [DAYS, "alive"]
    cohort = build_cohort(settings := config(tmp_path, frame), read_extract(settings).frame)
    found = censoring(weighted(cohort, np.zeros(len(cohort), dtype=bool)))
    assert (found.highest, found.cut) == (MOST, 6)
    assert "6 weights had to be cut: the follow-up is too short for this horizon." in on_censoring(found)
    assert "cut" not in on_censoring(found.model_copy(update={"cut": 0}))
    assert censoring(cohort) is None


def test_with_everybody_followed_the_cohort_is_that_of_a_study_without_follow_up(tmp_path):
    frame = followed().assign(days=lambda one: one["days"].where(one["status"] == "died", 400.0))
    plain = {**STUDY["outcome"], "follow_up": None, "competing": []}
    in_time = frame.assign(status=frame["status"].mask((frame["status"] == "died") & (frame["days"] > DAYS), "alive"))
    first, second = (
        config(tmp_path, frame),
        CohortConfig.model_validate({**STUDY, "outcome": plain, "columns": {"columns": COLUMNS}}),
    )
    found, expected = build_cohort(first, read_extract(first).frame), build_cohort(second, in_time)
    assert np.array_equal(found.event, expected.event)
    assert np.array_equal(found.group, expected.group)
    assert (weighted(found, np.zeros(len(found), dtype=bool)).weight == 1).all()


def test_negative_days_are_refused(tmp_path):
    frame = followed()
    frame.loc[[3, 5], "days"] = -1.0
    with pytest.raises(DataError, match="must be days from the index date; 2 are below 0"):
        build_cohort(settings := config(tmp_path, frame), read_extract(settings).frame)


def test_the_lost_stay_with_their_group_and_are_split_like_the_others(tmp_path):
    cohort = build_cohort(settings := config(tmp_path, followed(6000)), read_extract(settings).frame)
    test = holdout(cohort, settings.split, seed=3)
    made = with_lost(cohort, test, seed=3)
    train, held = followed_sides(made, test)
    assert not np.isin(train.group, held.group).any()
    assert not np.isin(train.lost_group, np.concatenate([held.group, held.lost_group])).any()
    assert not np.isin(held.lost_group, np.concatenate([train.group, train.lost_group])).any()
    assert len(held.lost) / (len(held.lost) + len(train.lost)) == pytest.approx(test.mean(), abs=0.03)
    assert np.array_equal(made.follow_up.lost_held, with_lost(cohort, test, seed=3).follow_up.lost_held)


def test_a_temporal_split_takes_the_lost_of_its_days(tmp_path):
    settings = config(tmp_path, followed(3000), group=None, index_date="day", split={"method": "temporal"})
    cohort = build_cohort(settings, read_extract(settings).frame)
    test = holdout(cohort, settings.split, seed=3)
    found, first = with_lost(cohort, test, seed=3).follow_up, cohort.index_date[test].min()
    assert np.array_equal(found.lost_held, pd.Series(found.lost_day) >= first)
    assert found.lost_held.any()


def test_files_keep_follow_up_and_weights(tmp_path):
    cohort = build_cohort(settings := config(tmp_path, followed()), read_extract(settings).frame)
    test = holdout(cohort, settings.split, seed=3)
    made = weighted(with_lost(cohort, test, seed=3), test)
    save_cohort(tmp_path, made, test)
    again, _ = load_cohort(tmp_path)
    assert np.array_equal(again.weight, made.weight)
    for name in ("known", "group", "lost", "lost_group", "lost_held"):
        assert np.array_equal(getattr(again.follow_up, name), getattr(made.follow_up, name)), name
    for side, found in zip((~test, test), followed_sides(again, test), strict=True):
        assert again.take(side).weight == pytest.approx(censoring_weights(found)[:, 0])


def test_an_evaluation_measures_all_patients(tmp_path):
    """Predictions of a model learned from known outcomes expect as many events as all patients have."""
    cohort = build_cohort(settings := config(tmp_path, followed(4000)), read_extract(settings).frame)
    test = holdout(cohort, settings.split, seed=3)
    made = weighted(with_lost(cohort, test, seed=3), test)
    train, held = (rows(part.features, part.event, part.group, part.weight) for part in (made.take(~test), made.take(test)))
    sides = followed_sides(made, test)
    found, predicted = evaluate(train, held, settings, follow_up=sides)
    prevalence = np.average(train.event, weights=train.weight)
    assert found.prevalence == pytest.approx(prevalence)
    assert prevalence < train.event.mean() - 0.05
    one = predicted.inner.probability["none", "logistic_regression", "recalibrated"][0]
    assert np.average(one, weights=train.weight) == pytest.approx(prevalence, rel=0.02)
    scores = found.arms["none"]["logistic_regression"]["recalibrated"]
    assert scores["observed_expected"].value == pytest.approx(1, abs=0.03)
    plan = resamples(train.event, train.group, n=40, seed=0, follow_up=sides[0])
    spread = np.std([np.average(train.event, weights=w) for chunk in plan.chunks() for w in chunk.T])
    assert scores["observed_expected"].high - scores["observed_expected"].low > 2 * spread / prevalence
    assert censoring(made).model_dump() == {
        **{"unknown": len(made.follow_up.lost), "known": len(made), "highest": made.weight.max(), "cut": 0},
        "observed": made.event.mean(),
    }
    assert made.prevalence < made.event.mean() - 0.05


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon_days": None}, "outcome.follow_up needs horizon_days"),
        ({"outcome": {**STUDY["outcome"], "follow_up": "dayz"}}, "'dayz' must be a column of numbers"),
        ({"outcome": {**STUDY["outcome"], "follow_up": "day"}}, "'day' must be a column of numbers"),
        ({"outcome": {**STUDY["outcome"], "follow_up": "x"}}, "outcome.follow_up 'x' must not be a feature"),
        ({"outcome": {**STUDY["outcome"], "event": "dead"}}, "must name the event, what competes with it, and one level"),
        ({"outcome": {**STUDY["outcome"], "competing": ["other", "alive"]}}, "one level for neither"),
        ({"outcome": {**STUDY["outcome"], "competing": ["died"]}}, "competing must not name the event itself"),
        ({"outcome": {"column": "status", "event": "died", "competing": ["other"]}}, "competing needs follow_up"),
    ],
)
def test_mistakes_are_named(tmp_path, changes, words):
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, **changes)
    assert words in str(caught.value)


def test_an_extract_without_the_follow_up_is_refused_unless_nobody_asks_for_the_outcome(tmp_path):
    settings = config(tmp_path, followed().drop(columns="days"))
    with pytest.raises(ExtractError, match=r"must have the column 'days' \(outcome\.follow_up in cohort\.yaml\)"):
        read_extract(settings)
    config(tmp_path, followed())
    assert "days" not in open_extract(settings, labelled=False).wanted
