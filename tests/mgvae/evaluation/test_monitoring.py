"""Cohorts of entry: only matured rows count, each patient once, and signals at their exact limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.evaluation.monitoring import entry_cohorts, signals
from mgvae.report.monitoring import monitoring_page, sentence
from mgvae.results.monitoring import ExtractNight, Monitoring
from mgvae.results.numbers import Estimate

DAY = pd.Timestamp("2026-01-15")


def predictions(n=400, *, day=DAY, seed=0, first=0):
    rng = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(2 - 1.5 * rng.normal(size=n)))
    names = [f"p{first + number}" for number in range(n)]
    table = pd.DataFrame({"subject_id": names, "group": None, "prediction_time": day, "risk": risk})
    table = table.assign(alert=risk > 0.5, model_version="run")
    return table, pd.Series((rng.random(n) < risk).astype(float), index=names)


def only(table, outcome, **options):
    settings = {"as_of": DAY + pd.Timedelta(days=30), "horizon_days": 30, "expected": None} | options
    (found,) = entry_cohorts(table, outcome, **settings)
    return found


def test_a_model_that_is_right_is_measured_so():
    table, outcome = predictions(2000)
    found = only(table, outcome)
    assert (found.month, found.predicted, found.matured) == ("2026-01", 2000, 2000)
    assert found.events == outcome.sum()
    assert found.alerts == pytest.approx(table["alert"].mean())
    for one in (found.observed_expected, found.slope):
        assert one.low < 1 < one.high
    assert 0.75 < found.auroc.low < found.auroc.value < found.auroc.high < 0.9
    assert found.signals == ()


@pytest.mark.parametrize(("days", "matured"), [(30, 400), (29, 0)])
def test_a_horizon_has_passed_on_its_last_day_and_not_before(days, matured):
    """Also where the event is known early: else young cohorts would hold events alone."""
    table, outcome = predictions()
    assert only(table, outcome, as_of=DAY + pd.Timedelta(days=days)).matured == matured


def test_outcomes_that_are_not_known_wait_and_risks_that_could_not_be_given_do_not_count():
    table, outcome = predictions()
    outcome = outcome.drop(index="p0").mask(lambda values: values.index == "p1")
    table.loc[2, "risk"] = np.nan
    found = only(table, outcome)
    assert (found.predicted, found.matured) == (399, 397)


def test_a_patient_counts_once_in_the_month_of_the_first_prediction():
    table, outcome = predictions()
    later, _ = predictions(day=DAY + pd.Timedelta(days=31), seed=5)
    both = pd.concat([later, table])
    found = entry_cohorts(both, outcome, as_of=DAY + pd.Timedelta(days=99), horizon_days=30, expected=None)
    assert found == (only(table, outcome),)


@pytest.mark.parametrize(("events", "known"), [(15, True), (14, False)])
def test_with_few_events_nothing_is_measured(events, known):
    table, outcome = predictions()
    outcome[:] = (np.arange(400) < events).astype(float)
    found = only(table, outcome)
    assert found.events == events
    assert (found.auroc.value is not None) == (found.observed_expected.value is not None) == known


def test_shuffled_outcomes_and_doubled_risks_signal():
    table, outcome = predictions(2000)
    shuffled = pd.Series(np.random.default_rng(1).permutation(outcome), index=outcome.index)
    assert only(table, shuffled, expected=0.8).signals == ("AUROC below that at promotion",)
    halved = table.assign(risk=table["risk"] / 2)
    assert only(halved, outcome, expected=0.8).signals == ("observed/expected not 1",)


@pytest.mark.parametrize(
    ("auroc", "ratio", "expected", "count"),
    [
        ((0.7, 0.8), (0.5, 1.5), 0.8, 0),
        ((0.7, 0.8), (0.5, 1.5), 0.8 + 1e-9, 1),
        ((0.7, 0.8), (1.0, 1.5), None, 0),
        ((0.7, 0.8), (1 + 1e-9, 1.5), None, 1),
        ((0.7, 0.8), (0.5, 1 - 1e-9), 0.9, 2),
        ((None, None), (None, None), 0.9, 0),
    ],
)
def test_signals_at_their_exact_limits(auroc, ratio, expected, count):
    first, second = (Estimate(value=None, low=low, high=high) for low, high in (auroc, ratio))
    assert len(signals(first, second, expected)) == count


def monitoring(cohorts=(), nights=()):
    return Monitoring(
        study="s<b>", as_of="2026-03-01", horizon_days=30, waiting=3, expected_auroc=0.8, cohorts=cohorts, nights=nights
    )


def test_the_page_says_what_is_known_and_escapes_texts():
    table, outcome = predictions(2000)
    night = ExtractNight(
        run_id="r1",
        created_at="2026-01-01T00:00:00",
        rows=5,
        status="warn",
        missing=0.1,
        missing_column="a<b>",
        psi=None,
        psi_column=None,
        signals=("tails",),
    )
    shuffled = pd.Series(np.random.default_rng(1).permutation(outcome), index=outcome.index)
    found = monitoring((only(table, shuffled, expected=0.8),), (night,))
    page = monitoring_page(found)
    assert "s&lt;b&gt;" in page
    assert "a&lt;b&gt;" in page
    assert page.count("<svg") == 6
    assert sentence(found) == "The model signals in 2026-01 (AUROC below that at promotion). 1 of 1 extracts drifted."
    empty = monitoring_page(monitoring())
    assert "No prediction is kept yet" in empty
    assert "<svg" not in empty
    assert "Nothing is known of the model yet" in empty
    assert "The model gives no signal" in monitoring_page(monitoring((only(table, outcome),)))
    assert "no weights stand for them" not in page
    assert "no weights stand for them" in monitoring_page(found.model_copy(update={"censored": True}))
