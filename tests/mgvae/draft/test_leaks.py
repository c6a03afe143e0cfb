"""Columns that know the outcome are kept out or pointed at; columns that merely predict it are not."""

import numpy as np
import pandas as pd
import pytest

from mgvae.draft.columns import draft_column
from mgvae.draft.leaks import without_leaks
from mgvae.draft.names import afterwards
from mgvae.draft.scan import Seen

N = 1000
RNG = np.random.default_rng(0)
EVENT = (np.arange(N) % 25 == 0).astype(float)
HAPPENED = EVENT == 1


def judged(name, cells, event=EVENT):
    codes, values = pd.factorize(pd.Series(cells, dtype=object).replace("", None).map(str, na_action="ignore"), sort=True)
    seen = Seen(name, tuple(values), codes)
    return without_leaks(seen, draft_column(seen), event)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("copy", np.where(HAPPENED, "d", "a")),
        ("score", [f"{value:.3f}" for value in EVENT * 10 + RNG.normal(size=N)]),
        ("cause", np.where(HAPPENED, RNG.choice(["x", "y", "z"], N), "")),
        ("last_seen", np.where(HAPPENED, RNG.choice(["2020-01-01", "2020-03-01"], N), "")),
        ("none_of_them", np.where(HAPPENED, "", RNG.choice(["1.5", "2.5", "3.5"], N))),
    ],
)
def test_what_separates_the_outcome_by_itself_is_excluded(name, cells):
    found = judged(name, cells)
    assert found.role == ("excluded",)
    assert any("likely a leak" in note for note in found.notes)


def test_a_value_that_occurs_with_the_event_only_is_a_leak():
    cells = RNG.choice(["home", "ward"], N).astype(object)
    cells[np.flatnonzero(HAPPENED)[:15]] = "morgue"
    found = judged("place", cells)
    assert found.role == ("excluded",)
    assert any("occurs with the event only" in note for note in found.notes)
    assert "morgue" not in " ".join(found.notes)


def test_a_date_is_judged_by_being_given_and_not_by_the_day():
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), unit="D")
    assert not any("leak" in note for note in judged("seen", days.strftime("%Y-%m-%d")).notes)


def test_a_good_predictor_is_kept_and_one_that_is_too_good_is_excluded():
    good, very_good = ([f"{value:.3f}" for value in EVENT * by + RNG.normal(size=N)] for by in (1, 2.3))
    assert judged("lab", good).predicts
    assert not judged("lab", good).notes
    found = judged("lab", very_good)
    assert found.role == ("excluded",)
    assert any("separates the outcome by itself (AUROC 0.9" in note for note in found.notes)


def test_chance_is_no_leak_however_many_columns_there_are():
    few = np.where(np.arange(N) < 16, 1.0, 0.0)
    for _ in range(100):
        assert judged("noise", RNG.choice(list("abcdefghij"), N), RNG.permutation(few)).predicts


def test_with_a_handful_of_events_it_is_only_pointed_at():
    event = np.where(np.arange(N) < 8, 1.0, 0.0)
    found = judged("copy", np.where(event == 1, "d", "a"), event)
    assert found.predicts
    assert any("in few events: a leak?" in note for note in found.notes)


def test_rows_with_an_unknown_outcome_do_not_count():
    event = np.where(np.arange(N) % 3 == 0, np.nan, EVENT)
    cells = np.where(np.isnan(event), RNG.choice(["a", "d"], N), np.where(event == 1, "d", "a"))
    assert not judged("copy", cells, event).predicts


@pytest.mark.parametrize(
    "name",
    ["discharge_disposition_id", "time_to_death", "futime", "DeathDate", "vital_status", "time", "status", "readmitted"],
)
def test_names_of_what_is_known_only_afterwards(name):
    found = judged(name, RNG.integers(0, 40, N))
    assert found.role == ("excluded",)
    assert any("by its name" in note for note in found.notes)
    assert judged(name, RNG.integers(0, 40, N), None).role == ("excluded",)


@pytest.mark.parametrize("name", ["smoking_status", "timeline", "marital_status", "eventful", "time_of_day"])
def test_names_that_only_resemble_them(name):
    assert judged(name, RNG.integers(0, 40, N)).predicts


def test_the_whole_stay_is_excluded():
    found = judged("time_in_hospital", RNG.integers(1, 15, N))
    assert found.role == ("excluded",)
    assert any("whole stay" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "outcome", "later"),
    [
        ("time_d", "censor_d", True),
        ("mi_days", "mi", True),
        ("date_of_stroke", "stroke", True),
        ("days", "mi", True),
        ("follow_up_sbp", "mi", True),
        ("stroke", "mi", False),
        ("days_on_ward", "mi", False),
        ("prior_discharges", "mi", False),
        ("family_history_death", "mi", False),
        ("hospitaldischargelocation", "x", True),
        ("DISCHTIME", "x", True),
        ("mort30", "x", False),
        ("icu_mort", "x", True),
        ("priordischarges", "x", False),
        ("expiratory_volume", "x", False),
        ("age", "age_at_death_class", False),
    ],
)
def test_names_of_the_time_of_the_outcome(name, outcome, later):
    assert afterwards(name, outcome) is later


def test_what_is_known_without_the_event_only_is_excluded():
    found = judged("clinic_visit", np.where(HAPPENED, "", RNG.choice(["a", "b", ""], N)))
    assert found.role == ("excluded",)
    assert any("is known only without the event" in note for note in found.notes)
