"""Times within a follow-up and their events are excluded on any name; amounts and levels are not."""

import numpy as np
import pandas as pd

from mgvae.draft.draft import draft
from mgvae.draft.follow_up import is_event, never_later

N = 1000
RNG = np.random.default_rng(0)
EVENT = (np.arange(N) % 25 == 0).astype(float)


def test_times_within_the_follow_up():
    ends = np.exp(RNG.normal(7, 1, N))
    times = ends * RNG.random(N)
    assert never_later(times, ends)
    assert never_later(np.where(RNG.random(N) < 0.8, np.nan, times), ends)
    assert not never_later(np.where(np.arange(N) < 950, np.nan, np.where(np.arange(N) == 999, np.nan, times)), ends)  # 49 rows
    assert not never_later(np.where(np.arange(N) < 2, 1.1 * ends, times), ends)  # two in a thousand are later
    assert not never_later(RNG.integers(18, 90, N).astype(float), ends + 1000)  # below by chance
    assert not never_later(times / 100, ends)  # an amount


def test_the_day_of_a_later_event_is_excluded(tmp_path):
    ends = RNG.integers(100, 9000, N)
    stroke = pd.Series(RNG.integers(1, ends)).mask(RNG.random(N) < 0.8).astype("Int64")
    longer = ends + RNG.integers(0, 4000, N)
    frame = pd.DataFrame(
        {"age": RNG.integers(18, 90, N), "futime": ends, "stroke_on": stroke, "t2": longer, "died": EVENT.astype(int)}
    )
    frame.to_csv(tmp_path / "e.csv", index=False)
    made = draft(str(tmp_path / "e.csv"), outcome="died")
    assert made.predictors == ("age",)
    assert any("the other side of 'futime'" in note for note in made.columns[2].notes)


def test_events_are_told_from_levels_by_their_times():
    end = np.where(RNG.random(N) < 0.3, RNG.integers(100, 8000, N), 8766).astype(float)
    event = RNG.random(N) < 0.2
    time = np.where(event, np.floor(end * RNG.random(N)), end)
    assert is_event(event, ~event, time, end)
    assert not is_event(~event, event, time, end)
    level = RNG.random(N) < 0.5
    assert not is_event(level, ~level, time, end)
    few = event & (np.cumsum(event) < 20)
    assert not is_event(few, ~event, time, end)


def test_a_cohort_of_24_years_in_its_usual_form(tmp_path):
    patients = np.repeat(np.arange(400), 3)
    end = np.where(RNG.random(400) < 0.25, RNG.integers(300, 8000, 400), 8766)
    died = end < 8766
    columns = {"RANDID": 1000 + 7 * patients, "SEX": RNG.integers(1, 3, 400)[patients], "AGE": RNG.integers(32, 80, 1200)}
    columns |= {"SYSBP": RNG.normal(130, 20, 1200).round(1), "CURSMOKE": RNG.integers(0, 2, 1200)}
    columns |= {"PREVSTRK": (RNG.random(400) < 0.2).astype(int)[patients], "DEATH": died.astype(int)[patients]}
    for name, share in (("STROKE", 0.2), ("ANYCHD", 0.3), ("HYPERTEN", 0.6)):
        event = RNG.random(400) < share
        columns[name] = event.astype(int)[patients]
        columns[f"TIME{name[:3]}"] = np.where(event, np.floor(end * RNG.random(400)), end)[patients].astype(int)
    columns["TIMEDTH"] = end[patients]
    pd.DataFrame(columns).to_csv(tmp_path / "e.csv", index=False)
    made = draft(str(tmp_path / "e.csv"))
    assert (made.outcome_name, made.group, made.subject) == ("DEATH", "RANDID", None)
    assert made.predictors == ("SEX", "AGE", "SYSBP", "CURSMOKE", "PREVSTRK")
