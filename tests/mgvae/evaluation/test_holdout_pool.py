"""Hold-outs of several extracts as one: each patient once, and none that a model was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mgvae.evaluation.holdout_pool import enough, pool_holdouts
from mgvae.results.numbers import FEW_EVENTS
from tests.flows.champion_tools import cohort


def of_night(night, *, n=10, first=0):
    """Return patients who say in their features on which night they were recorded."""
    people = cohort(n, first=first)
    return replace(people, features=people.features.assign(severity=float(night)))


def nobody(people):
    return np.zeros(len(people), dtype=bool)


def test_a_patient_in_several_hold_outs_counts_once_by_the_newest_record():
    newest, before, first = of_night(3, first=0), of_night(2, first=6), of_night(1, first=4, n=20)
    pool = pool_holdouts(newest, nobody(newest), [before, first], nobody)
    recorded = dict(zip(pool.judges.subject, pool.judges.features["severity"], strict=True))
    assert len(pool.judges) == len(recorded) == 24
    night_of = {f"patient-{k}-zebra": 3 if k < 10 else 2 if k < 16 else 1 for k in range(24)}
    assert recorded == night_of
    assert (pool.newest, pool.nights, pool.left_out) == (10, 3, 0)
    counts = pool.counts
    assert (counts.newest, counts.earlier) == (10, 14)
    assert (counts.newest_events, counts.earlier_events) == (newest.events, pool.judges.events - newest.events)


def test_a_newer_record_that_may_not_judge_does_not_let_an_older_one_judge():
    """The champion was trained on the newest patients, or a model on those of a night: their older records are no way round."""
    newest, before, first = of_night(3), of_night(2, first=10), of_night(1, n=20)
    pool = pool_holdouts(newest, ~nobody(newest), [before, first], lambda people: people.features["severity"].to_numpy() == 2)
    assert (len(pool.judges), pool.newest, pool.nights, pool.left_out) == (0, 0, 1, 20)


def test_without_earlier_hold_outs_nothing_changes():
    newest = cohort(10, first=40)
    seen = np.arange(10) < 4
    for earlier in ([], [newest]):
        pool = pool_holdouts(newest, seen, earlier, nobody)
        assert pool.judges.group.tolist() == newest.group[4:].tolist()
        assert pool.judges.features.equals(newest.take(~seen).features)
        assert (pool.nights, pool.left_out, pool.counts.earlier) == (1, 4, 0)


def test_families_of_several_extracts_are_one_group_and_patients_without_family_are_alone():
    newest, before = cohort(3), cohort(3, first=3)
    lone = np.array([None, "x", None], dtype=object)
    newest, before = replace(newest, group_name=lone, group=np.arange(3)), replace(before, group_name=lone, group=np.arange(3))
    judges = pool_holdouts(newest, nobody(newest), [before], nobody).judges
    assert len(set(judges.group)) == 5
    assert judges.group[1] == judges.group[4]
    named_alike = replace(before, group_name=np.array([str(newest.subject[0]), None, None], dtype=object))
    judges = pool_holdouts(newest, nobody(newest), [named_alike], nobody).judges
    assert judges.group[0] != judges.group[3], "a family that is called like a patient of another extract"


def test_columns_keep_their_kind():
    newest, before = cohort(10), cohort(10, first=10)
    features = pool_holdouts(newest, nobody(newest), [before], nobody).judges.features
    assert features.dtypes.equals(newest.features.dtypes)


@pytest.mark.parametrize(
    ("patients", "events", "answer"),
    [
        (100, FEW_EVENTS, True),
        (100, FEW_EVENTS - 1, False),
        (FEW_EVENTS, FEW_EVENTS, False),
        (FEW_EVENTS + 1, FEW_EVENTS, True),
    ],
)
def test_the_fewest_events_are_exact(patients, events, answer):
    assert enough(patients, events) is answer


def test_patients_keep_their_weights_against_censoring():
    newest, before = (replace(cohort(4, first=4 * k), weight=np.arange(4) + 10.0 * k) for k in (0, 1))
    pool = pool_holdouts(newest, np.arange(4) == 0, [before], nobody)
    assert pool.judges.weights.tolist() == [1, 2, 3, 10, 11, 12, 13]
