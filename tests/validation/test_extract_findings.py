"""What an extract gives away: each finding with the fault in, none without it."""

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import build_cohort
from mgvae.config.reviews import Reviews
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from validation.extract_findings import extract_findings

N = 600
COLUMNS = {
    "id": {"role": "identifier"},
    "patient": {"role": "identifier"},
    "family": {"role": "identifier"},
    "dead": {"kind": "binary", "role": "excluded"},
    "age": {"kind": "count", "range": [0, 120]},
    "crp": {"kind": "continuous", "range": [0, 90]},
    "bmi": {"kind": "continuous", "range": [5, 120]},
    "sex": {"kind": "binary", "categories": ["f", "m"]},
}


def table(**changes):
    rng = np.random.default_rng(0)
    columns = {
        "id": np.arange(N).astype(str),
        "patient": np.arange(N).astype(str),
        "family": (np.arange(N) // 2).astype(str),
        "dead": (np.arange(N) % 20 == 0).astype(int).astype(str),
        "age": rng.integers(20, 90, N).astype(float),
        "crp": np.round(np.exp(rng.normal(1, 1, N)), 2),
        "bmi": np.round(rng.normal(27, 4, N), 2),
        "sex": rng.choice(["f", "m"], N),
    }
    return pd.DataFrame(columns | changes)


def findings(frame=None, columns=None, **changes):
    content = {"study": "s", "extract": "e.csv", "subject_id": "id", "group": "family"}
    content |= {"outcome": {"column": "dead", "event": 1, "expected_prevalence": [0, 1]}} | changes
    content["columns"] = {"columns": COLUMNS | (columns or {})}
    config = build(CohortConfig, content, source="test")
    frame = table() if frame is None else frame
    found = extract_findings(config, frame, build_cohort(config, frame))
    assert len({one.code for one in found}) == len(found)
    return {one.code: one.detail for one in found}


DEAD = table()["dead"] == "1"


def test_a_sound_study_has_no_findings():
    assert findings() == {}


def test_a_predictor_that_separates_alone():
    said = findings(table(crp=np.where(DEAD, 50.0, 1.0) + table()["crp"] / 100))["MGV101"]
    assert said.startswith("'crp' separates the outcome by itself (AUROC 1.000")


def test_a_predictor_known_for_one_outcome_only():
    assert "'crp' is known only without the event" in findings(table(crp=table()["crp"].mask(DEAD)))["MGV101"]


def test_patients_with_several_rows_need_a_group():
    repeated = table(patient=(np.arange(N) // 3).astype(str))
    assert "'patient' has 200 values, 200 of them in several rows." in findings(repeated, group=None)["MGV102"]
    assert "200 of them in several rows. The group 'family' does not" in findings(repeated)["MGV102"]
    assert findings(repeated.assign(family=(np.arange(N) // 6).astype(str))) == {}
    assert findings(repeated, group="patient") == {}
    assert "MGV102" not in findings(repeated, {"patient": {"role": "excluded"}})  # such a column is not read


def test_patients_are_found_by_what_never_changes_on_any_name():
    person = np.random.default_rng(0).permutation(N) // 3
    frame = table(RANDID=person.astype(float), sex=np.where(np.random.default_rng(1).random(N)[person] < 0.5, "f", "m"))
    assert "'RANDID' has 200 values" in findings(frame, {"RANDID": {"kind": "count", "range": [0, 300]}})["MGV102"]
    frame["sex"] = table()["sex"]
    assert "MGV102" not in findings(frame, {"RANDID": {"kind": "count", "range": [0, 300]}})


def test_a_matched_set_beside_a_group_of_patients_is_no_patient():
    rng = np.random.default_rng(0)
    matched = np.arange(N) // 6
    frame = table(patient=(np.arange(N) // 3).astype(str), matched=matched.astype(str), sex=rng.choice(["f", "m"], N)[matched])
    columns = {"matched": {"role": "identifier"}}
    assert "MGV102" not in findings(frame, columns, group="patient")
    assert "'patient' has 200 values" in findings(frame, columns, group=None)["MGV102"]


def test_what_a_patient_shares_makes_no_copies():
    patient = np.arange(N) // 3
    frame = table(family=patient.astype(str))
    for name in ("crp", "bmi", "age", "sex"):
        frame[name] = table()[name].to_numpy()[patient]
    assert "MGV107" not in findings(frame)


def test_rows_without_names_or_group():
    assert list(findings(subject_id=None, group=None)) == ["MGV103"]
    assert list(findings(group=None)) == ["MGV111"]
    assert findings(subject_id=None) == {}


@pytest.mark.parametrize(
    ("reviews", "codes"),
    [
        (Reviews(), []),
        (Reviews(open=1, unconfirmed=True), ["MGV104"]),
        (Reviews(open=2, unconfirmed=True), ["MGV104", "MGV105"]),
        (Reviews(open=1), ["MGV105"]),
    ],
)
def test_open_reviews(reviews, codes):
    assert list(findings(reviews=reviews.model_dump())) == codes


def test_codes_for_missing_that_are_values():
    assert (
        findings(table(age=table()["age"].mask(np.arange(N) < 30, 999.0)), {"age": {"kind": "count", "range": [0, 1000]}})[
            "MGV106"
        ]
        == "In 'age'."
    )
    levels = {"sex": {"kind": "categorical", "categories": ["f", "m", "?"]}}
    assert findings(table(sex=table()["sex"].mask(np.arange(N) < 30, "?")), levels)["MGV106"] == "In 'sex'."


def test_copies_that_are_no_chance():
    frame = table()
    frame.loc[10:14] = frame.loc[20:24].assign(id=list("vwxyz"), patient=list("vwxyz")).set_axis(range(10, 15))
    assert findings(frame)["MGV107"].startswith("5 of 600 rows equal")
    plain = frame[["id", "dead", "sex"]].assign(family=frame["id"])
    few = {name: COLUMNS[name] for name in ("id", "dead", "sex")}
    content = {"columns": {"columns": few}, "group": None}
    config = build(
        CohortConfig,
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "dead", "event": 1, "expected_prevalence": [0, 1]},
        }
        | content,
        source="test",
    )
    codes = [one.code for one in extract_findings(config, plain[["id", "dead", "sex"]], build_cohort(config, plain))]
    assert "MGV107" not in codes  # in two columns of two levels rows are alike by chance


@pytest.mark.parametrize(
    ("limits", "idle"), [([0, 120], False), ([0, 880], False), ([0, 1000], True), ([0, None], True), ([None, None], True)]
)
def test_a_range_that_tenfold_values_pass(limits, idle):
    assert ("MGV108" in findings(columns={"age": {"kind": "count", "range": limits}})) is idle


def test_outcomes_that_are_not_known():
    frame = table(dead=table()["dead"].mask(np.arange(N) % 20 == 1, "Lost to FU"))
    columns = {"dead": {"kind": "categorical", "role": "excluded", "categories": [0, 1, "Lost to FU"]}}
    assert findings(frame, columns)["MGV109"] == "30 rows have one of 1 such levels of 'dead'."


def test_a_name_that_is_later():
    frame = table().rename(columns={"crp": "followup_crp"})
    columns = {"followup_crp": COLUMNS["crp"], "crp": {"role": "excluded"}}
    assert findings(frame, columns)["MGV110"] == "'followup_crp'."


def test_no_cell_is_in_a_detail():
    frame = table(patient=[f"zebra-{row // 3}" for row in range(N)], crp=np.where(DEAD, 4177.0, 1.0))
    assert not any("zebra" in detail or "4177" in detail for detail in findings(frame, group=None).values())
