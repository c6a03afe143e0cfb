"""The outcome, the subjects and the group that a draft proposes, and the text that it becomes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.yaml_reader import parse_yaml
from mgvae.draft.draft import draft
from mgvae.draft.names import afterwards, coded, identifies, words
from mgvae.draft.outcome import PLACEHOLDER
from mgvae.draft.yaml_text import cohort_text, dictionary_text, scalar, study_name
from mgvae.errors import ConfigError, OutcomeError

N = 200


def table(**columns):
    return pd.DataFrame({"age": np.arange(N) % 60 + 18, **columns})


def drafted(tmp_path, frame, **options):
    path = tmp_path / "extract.csv"
    frame.to_csv(path, index=False)
    return draft(str(path), **options)


def levels(*counts):
    """Return level numbers, each as often as said, the first for the rest."""
    cells = np.zeros(N, dtype=int)
    at = 0
    for level, count in enumerate(counts, start=1):
        cells[at : at + count] = level
        at += count
    return cells


@pytest.mark.parametrize(
    ("cells", "event"),
    [
        (levels(20), 1),
        (1 - levels(20), 0),
        (levels(100), 1),  # of two equally frequent ones the one that does not deny
        (np.where(levels(20) == 1, "yes", "no"), "yes"),
        (np.where(levels(20) == 1, "dead", "alive"), "dead"),
        (levels(20) == 1, "True"),
        (levels(3, 20, 40), 2),  # three rows are too few
        (levels(3, 8), 2),
        (levels(3), 1),
        (np.where(np.arange(N) > 190, -9, levels(20)), 1),
        (np.where(np.arange(N) > 190, "?", levels(20)), 1),
    ],
)
def test_the_event_is_the_rarer_value(cells, event, tmp_path):
    made = drafted(tmp_path, table(died=cells), outcome="died")
    assert made.outcome.event == event
    low, high = made.outcome.expected_prevalence
    share = np.nanmean(made.outcome.happened)
    assert low <= share / 2 <= share < high
    assert high <= 1


def test_a_rarer_value_that_denies_is_for_review(tmp_path):
    assert drafted(tmp_path, table(died=1 - levels(20)), outcome="died").outcome.notes
    assert not drafted(tmp_path, table(died=levels(20)), outcome="died").outcome.notes
    assert drafted(tmp_path, table(died=levels(20, 30)), outcome="died").outcome.notes


def test_the_event_can_be_named(tmp_path):
    frame = table(status=levels(20, 30, 40))
    assert drafted(tmp_path, frame, outcome="status", event="3").outcome.events == 40
    with pytest.raises(ConfigError, match=r"--event 7: must be a value of 'status'; none of its 4 values is\."):
        drafted(tmp_path, frame, outcome="status", event="7")
    with pytest.raises(ConfigError, match="--event: needs --outcome"):
        drafted(tmp_path, frame, event="3")


def test_an_outcome_that_cannot_be_one(tmp_path):
    frame = table(died=levels(20), same=1, dead_code=range(N))
    with pytest.raises(ConfigError, match=r"--outcome Died: must be a column of .*extract.csv.*Did you mean 'died'\?"):
        drafted(tmp_path, frame, outcome="Died")
    with pytest.raises(ConfigError, match=r"--outcome dead_cod: .*Did you mean column \d+, whose"):
        drafted(tmp_path, frame, outcome="dead_cod")
    with pytest.raises(ConfigError, match=r"must have at most 50 different values.* it has 200"):
        drafted(tmp_path, frame, outcome="dead_code")
    with pytest.raises(OutcomeError, match="it has one value only"):
        drafted(tmp_path, frame, outcome="same")
    with pytest.raises(OutcomeError, match="it has no value"):
        drafted(tmp_path, table(died="?"), outcome="died")


def test_few_events_are_told(tmp_path):
    assert any("Few events: 9 rows" in said for said in drafted(tmp_path, table(died=levels(9)), outcome="died").remarks)
    assert not any("Few events" in said for said in drafted(tmp_path, table(died=levels(15)), outcome="died").remarks)


def test_an_outcome_is_guessed_by_name_and_rarity(tmp_path):
    made = drafted(tmp_path, table(sex=levels(20), death_30d=levels(20), label=levels(10)))
    assert (made.outcome_name, made.guessed) == ("death_30d", True)
    assert any("is a guess" in said for said in made.remarks)


@pytest.mark.parametrize(
    "frame", [table(sex=levels(20)), table(died=levels(90)), table(died=levels(2)), table(died=levels(20, 20))]
)
def test_nothing_is_guessed_where_nothing_is_plausible(frame, tmp_path):
    made = drafted(tmp_path, frame)
    assert made.outcome is None
    text = cohort_text(made, str(tmp_path / "extract.csv"), tmp_path)
    assert parse_yaml(text, source="draft")["outcome"]["column"] == PLACEHOLDER
    assert any("before you name it" in said for said in made.remarks)


def test_subject_and_group(tmp_path):
    frame = table(
        row=range(N),
        encounter_id=range(5000, 5000 + N),
        patient_nbr=np.arange(N) // 2 * 7,
        site_id=np.arange(N) % 3,
        died=levels(20),
    )
    made = drafted(tmp_path, frame, outcome="died")
    assert (made.subject, made.group) == ("encounter_id", "patient_nbr")
    made = drafted(tmp_path, frame.drop(columns=["encounter_id", "row"]), outcome="died")
    assert (made.subject, made.group) == (None, "patient_nbr")
    assert any("each row is taken for a subject" in said for said in made.remarks)


def test_an_identifier_that_is_missing_somewhere_is_no_subject(tmp_path):
    ids = pd.Series(range(N)).astype(str).mask(np.arange(N) == 3, "")
    assert drafted(tmp_path, table(patient_id=ids, died=levels(20)), outcome="died").subject is None


def test_no_value_of_an_identifier_or_of_free_text_is_in_the_draft(tmp_path):
    notes = [f"zebra said {row}" if row % 40 == 0 else "" for row in range(N)]
    frame = table(
        patient_id=[f"zebra-{row}" for row in range(N)], note=notes, surname=["zebra", "horse"] * 100, died=levels(20)
    )
    made = drafted(tmp_path, frame, outcome="died")
    assert "zebra" not in dictionary_text(made) + cohort_text(made, "e.csv", tmp_path) + " ".join(made.remarks)


def test_the_text_is_short_lines_with_comments_where_a_person_must_look(tmp_path):
    frame = table(ward=[f"ward number {row % 40}" for row in range(N)], crp=np.arange(N) * 7 % N / 7, died=levels(20))
    made = drafted(tmp_path, frame, outcome="died")
    text = dictionary_text(made)
    assert max(map(len, text.splitlines())) <= 140
    columns = parse_yaml(text, source="draft")["columns"]
    assert columns["crp"] == {"kind": "continuous", "unit": None, "range": [0, 57], "max_missing": 0.05}
    assert len(columns["ward"]["categories"]) == 40
    assert "unit:  # review: the unit of measurement" in text


SCALARS = st.one_of(
    st.text(),
    st.from_regex(r"[-+.0-9eE_:xonas~?<>=!&*%@`'\"#|{}\[\], ]{1,8}", fullmatch=True),
    st.sampled_from(
        ["no", "010", "1e5", "1e999", "1900-01-01", "12:30:00", "0o7", "~", "null", "- x", "# y", ": z", "<<", "", " a "]
    ),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)


@given(SCALARS)
def test_a_scalar_comes_back_from_yaml_as_value_as_item_and_as_key(value):
    def read(text):
        return parse_yaml(text, source="text")

    def same(got, expected):
        return got == expected and type(got) is type(expected)

    assert "\n" not in scalar(value)
    assert same(read(f"a: {scalar(value)}  # note")["a"], value)
    first, second = read(f"a: [{scalar(value)}, 1]")["a"]
    assert same(first, value)
    assert second == 1
    if isinstance(value, str):
        assert read(f"{scalar(value)}: 1") == {value: 1}


@pytest.mark.parametrize(
    ("extract", "name"),
    [
        ("data/nafld1.csv.gz", "nafld1"),
        ("s3://bucket/night ly/cohort_2026.parquet?sig=secret", "cohort_2026"),
        ("parts/*.parquet", "parts"),
        ("/data/Ärzte.csv", "rzte"),
        ("日本.csv", "study"),
        ("data/folder/", "folder"),
    ],
)
def test_the_study_is_called_after_the_extract(extract, name):
    assert study_name(extract) == name


def test_the_extract_is_named_relative_to_the_file(tmp_path):
    made = drafted(tmp_path, table(died=levels(20)), outcome="died")

    def written(extract, folder):
        return parse_yaml(cohort_text(made, extract, folder), source="draft")["extract"]

    assert written(str(tmp_path / "extract.csv"), tmp_path) == "extract.csv"
    assert written(str(tmp_path / "extract.csv"), tmp_path / "study") == "../extract.csv"
    far = tmp_path / "a" / "b" / "c"
    assert written(str(tmp_path / "extract.csv"), far) == str(tmp_path / "extract.csv")
    assert written("s3://bucket/e.parquet", tmp_path) == "s3://bucket/e.parquet"


def test_names():
    assert words("patientNbr") == words("patient_nbr") == words("Patient.Nbr") == ["patient", "nbr"]
    assert all(identifies(name) for name in ("id", "ID", "MRN", "patient_nbr", "case.id", "subjid", "hadm_id", "PatientID"))
    assert not any(identifies(name) for name in ("age", "idle", "acid", "number_diagnoses", "paid", "patient_age", ""))
    assert all(coded(name) for name in ("admission_type_id", "diag_1", "site", "raceth"))
    assert not any(coded(name) for name in ("time_in_hospital", "days_on_ward", "type_of_x", "age", ""))
    assert afterwards("death_date")
    assert not afterwards("")


def test_levels_that_are_not_known_are_not_eligible_and_asked_about(tmp_path):
    cells = np.array(["alive", "dead", "Lost to FU"], dtype=object)[levels(20, 30)]
    made = drafted(tmp_path, table(died=cells), outcome="died")
    assert made.outcome.entry.missing_codes == ("Lost to FU",)
    assert (made.outcome.event, made.outcome.events, int((made.outcome.happened == 0).sum())) == ("dead", 20, 150)
    assert any("not eligible" in note for note in made.outcome.entry.notes)
    asked = drafted(tmp_path, table(died=cells), outcome="died", event="Lost to FU")
    assert (asked.outcome.event, asked.outcome.entry.missing_codes) == ("Lost to FU", ())


def test_other_levels_are_asked_about(tmp_path):
    cells = np.array(["none", "stroke", "bleeding"], dtype=object)[levels(20, 30)]
    made = drafted(tmp_path, table(event=cells), outcome="event", event="stroke")
    assert any("count as no event" in note and "bleeding" in note for note in made.outcome.notes)
    two = drafted(tmp_path, table(event=levels(20)), outcome="event", event="1")
    assert not two.outcome.notes


def test_an_outcome_is_guessed_by_its_levels(tmp_path):
    cells = np.where(levels(20) == 1, "Expired", "Alive")
    assert drafted(tmp_path, table(unitstate=cells, label=levels(10))).outcome_name == "unitstate"
    assert drafted(tmp_path, table(unitstate=np.where(levels(20) == 1, "Dead Sea", "Alps"))).outcome is None


def test_an_outcome_of_several_values_is_guessed_where_its_name_is_plain(tmp_path):
    assert drafted(tmp_path, table(readmitted=levels(20, 40))).outcome_name == "readmitted"
    assert drafted(tmp_path, table(smoking_status=levels(20, 40))).outcome is None
    assert drafted(tmp_path, table(nyha_class=levels(20, 40))).outcome is None
