"""Whose rows they are: patients on any name, places of care never as numbers, copies counted."""

import numpy as np
import pandas as pd
import pytest

from mgvae.config.yaml_reader import parse_yaml
from mgvae.draft.draft import draft
from mgvae.draft.yaml_text import cohort_text

PATIENTS, VISITS = 150, 4
N = PATIENTS * VISITS


def visits(name="RANDID", *, text=False):
    rng = np.random.default_rng(0)
    ids = rng.choice(np.arange(1000, 9999), PATIENTS, replace=False)
    person = np.repeat(np.arange(PATIENTS), VISITS)
    values = ids[person]
    return pd.DataFrame(
        {
            name: [f"P-{value:x}" for value in values] if text else values,
            "sex": rng.choice(["f", "m"], PATIENTS)[person],
            "died": (rng.random(PATIENTS) < 0.15).astype(int)[person],
            "sbp": rng.integers(90, 180, N),
            "hospitalid": rng.choice([59, 60, 73, 110], N),
            "ward": rng.choice(np.arange(400, 480), N),
            "visits": rng.poisson(3, N),
        }
    )


def drafted(tmp_path, frame, **options):
    frame.to_csv(tmp_path / "e.csv", index=False)
    return draft(str(tmp_path / "e.csv"), outcome="died", **options)


@pytest.mark.parametrize("name", ["RANDID", "uniquepid", "HOSPNUM", "patient", "x", "key"])
@pytest.mark.parametrize("text", [False, True])
def test_patients_are_the_group_on_any_name(tmp_path, name, text):
    made = drafted(tmp_path, visits(name, text=text))
    assert (made.subject, made.group) == (None, name)
    assert any(f"'{name}' has 150 values in 600 rows, within which sex never change" in remark for remark in made.remarks)
    assert next(column for column in made.columns if column.name == name).role == ("identifier",)
    content = parse_yaml(cohort_text(made, "e.csv", tmp_path), source="draft")
    assert (content["subject_id"], content["group"]) == (None, name)


def test_without_sex_or_race_other_columns_tell(tmp_path):
    frame = visits("key").rename(columns={"sex": "blood_type_a"})
    assert drafted(tmp_path, frame).group is None  # one column that never changes is not enough
    rng = np.random.default_rng(1)
    frame["smoker"] = rng.choice(["n", "y"], PATIENTS)[np.repeat(np.arange(PATIENTS), VISITS)]
    assert drafted(tmp_path, frame).group == "key"


def test_a_row_for_each_patient_needs_no_group(tmp_path):
    made = drafted(tmp_path, visits().iloc[::VISITS])
    assert (made.subject, made.group, made.repeats) == ("RANDID", None, None)


def test_places_of_care_are_levels_or_names_and_no_numbers(tmp_path):
    made = {column.name: column for column in drafted(tmp_path, visits()).columns}
    assert (made["hospitalid"].kind, made["hospitalid"].categories) == ("categorical", (59, 60, 73, 110))
    assert "subgroup" in made["hospitalid"].role
    assert made["ward"].role == ("identifier",)
    assert any("79 values: name it as group" in note for note in made["ward"].notes)
    assert made["visits"].kind == "count"


def test_a_leak_is_judged_by_one_row_of_each_patient(tmp_path):
    frame = visits()
    rng = np.random.default_rng(2)
    level = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), PATIENTS)
    dead = np.flatnonzero(frame["died"][::VISITS])[:3]
    level[dead] = "#"  # 12 rows with the event, of 3 patients
    frame["code"] = level[np.repeat(np.arange(PATIENTS), VISITS)]
    assert "code" in drafted(tmp_path, frame).predictors


def test_copies_are_counted(tmp_path):
    frame = visits()
    frame["crp"] = np.arange(N) / 7
    twice = pd.concat([frame, frame.iloc[:5]], ignore_index=True)
    made = drafted(tmp_path, twice)
    assert made.copies == 5
    assert any("copies of an earlier one: 5" in remark for remark in made.remarks)
    twice["row"] = np.arange(len(twice))
    assert drafted(tmp_path, twice).copies == 5
    assert drafted(tmp_path, frame).copies == 0
