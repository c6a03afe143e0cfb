"""One column's AUROC with its lower limit, and what is known for one outcome only: against outside references and by law."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from mgvae.cohort.separation import (
    LEAK,
    LEAST,
    Cells,
    Separation,
    known_for_one,
    only_with_event,
    ranked,
    separation,
    suspicion,
)

N = 1000
RNG = np.random.default_rng(0)
HAPPENED = np.arange(N) % 25 == 0


def numbers(values):
    values = np.asarray(values, dtype=float)
    known = ~np.isnan(values)
    codes = np.full(len(values), -1)
    codes[known] = np.unique(values[known], return_inverse=True)[1]
    return Cells(codes, values)


def levels(values):
    return Cells(np.unique(values, return_inverse=True)[1].astype(np.int64))


@pytest.mark.parametrize("seed", range(5))
def test_the_auroc_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    happened, values = rng.random(200) < 0.2, rng.integers(0, 20, 200).astype(float)
    assert ranked(values, happened).auroc == pytest.approx(roc_auc_score(happened, values))


def test_the_lower_limit_is_delongs_with_one_more_event_in_the_middle():
    rng = np.random.default_rng(1)
    happened = np.arange(60) < 20
    values = rng.normal(size=60) + happened
    wins = (values[happened][:, None] > values[~happened][None, :]).astype(float)
    placed = np.append(wins.mean(axis=1), 0.5)
    variance = placed.var(ddof=1) / 21 + wins.mean(axis=0).var(ddof=1) / 40
    assert ranked(values, happened).low == pytest.approx(placed.mean() - 1.96 * np.sqrt(variance))


@pytest.mark.parametrize(("events", "leaks"), [(2, False), (5, False), (8, False), (9, True), (40, True)])
def test_a_perfect_column_is_a_leak_from_nine_events(events, leaks):
    happened = np.arange(N) < events
    assert separation(levels(happened), happened).leaks is leaks


def test_the_lower_limit_covers():
    rng = np.random.default_rng(2)
    truth = norm.cdf(1.5 / np.sqrt(2))
    below = [
        ranked(np.append(rng.normal(1.5, 1, 12), rng.normal(size=188)), np.arange(200) < 12).low < truth for _ in range(400)
    ]
    assert np.mean(below) > 0.95


@pytest.mark.parametrize(
    ("auroc", "low", "leaks"), [(LEAK, LEAST + 1e-9, True), (LEAK, LEAST, False), (LEAK - 1e-9, 0.88, False)]
)
def test_both_boundaries_of_a_leak(auroc, low, leaks):
    assert Separation(auroc, low).leaks is leaks


def test_an_order_counts_in_either_direction_and_missing_at_either_end():
    values = np.where(HAPPENED, 3.0, 0.0) + RNG.normal(size=N)
    up, down = (separation(numbers(sign * values), HAPPENED) for sign in (1, -1))
    assert (up.auroc, up.low) == pytest.approx((down.auroc, down.low))
    assert separation(numbers(np.where(HAPPENED, np.nan, RNG.normal(size=N))), HAPPENED).auroc == 1
    assert separation(numbers(np.where(HAPPENED, 0.0, np.nan)), HAPPENED).auroc == 1


def test_what_is_high_and_low_with_the_event_is_found_in_bands():
    values = np.where(HAPPENED, RNG.choice([-4.0, 4.0], N), 0.0) + RNG.normal(size=N)
    assert max(roc_auc_score(HAPPENED, values), roc_auc_score(HAPPENED, -values)) < 0.7
    assert suspicion(numbers(values), HAPPENED) is not None


@pytest.mark.parametrize("distinct", [10, 50, 300])
def test_chance_is_no_leak_however_many_levels_and_columns_there_are(distinct):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        happened = rng.permutation(np.arange(N) < 10)
        assert suspicion(levels(rng.integers(0, distinct, N)), happened) is None
        assert suspicion(numbers(rng.normal(size=N)), happened) is None


@pytest.mark.parametrize(
    ("known", "only"),
    [
        (HAPPENED, "with"),
        (HAPPENED & (np.arange(N) < 500), "with"),
        (~HAPPENED, "without"),
        (~HAPPENED & (np.arange(N) % 2 == 0), "without"),
        (~HAPPENED & (np.arange(N) < 20), None),  # 20 rows without one of 40 in 1,000 events are chance
        (np.arange(N) < 500, None),
        (np.ones(N, dtype=bool), None),
        (np.zeros(N, dtype=bool), None),
    ],
)
def test_what_is_known_for_one_outcome_only(known, only):
    assert known_for_one(known, HAPPENED) == only


def test_a_value_that_occurs_with_a_rare_event_only():
    cells = np.zeros(N, dtype=int)
    cells[np.flatnonzero(HAPPENED)[:10]] = 1
    assert only_with_event(cells, HAPPENED)
    cells[np.flatnonzero(HAPPENED)[9]] = 0
    assert not only_with_event(cells, HAPPENED)  # nine rows
    common = np.arange(N) % 2 == 0
    assert not only_with_event(np.where(np.arange(N) < 20, np.where(common, 1, 0), 0), common)


def test_without_both_outcomes_nothing_is_suspected():
    assert suspicion(levels(HAPPENED), np.zeros(N, dtype=bool)) is None
    assert suspicion(levels(HAPPENED), np.ones(N, dtype=bool)) is None
