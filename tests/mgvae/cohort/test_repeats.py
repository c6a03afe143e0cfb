"""Patients with several rows are found by what never changes within them, and nothing else is taken for one."""

import numpy as np
import pytest

from mgvae.cohort.repeats import constant_within, one_row_each, repeated_patients, shared_within, split_by

PATIENTS, VISITS = 200, 3
N = PATIENTS * VISITS


def visits(seed=0):
    """Return codes of a long table: three visits of each patient, in mixed order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(N)
    patient = np.repeat(rng.permutation(PATIENTS), VISITS)
    by_patient = {"sex": rng.integers(0, 2, PATIENTS), "race": rng.choice(4, PATIENTS, p=[0.6, 0.2, 0.1, 0.1])}
    table = {name: cells[patient] for name, cells in by_patient.items()} | {"patient": patient}
    table |= {
        "visit": np.arange(N),
        "ward": rng.integers(0, 30, N),
        "sbp": rng.integers(0, 90, N),
        "age": rng.integers(0, 60, N),
    }
    return {name: cells[order].astype(np.int64) for name, cells in table.items()}


def names(table, candidates, traits=("sex", "race"), **options):
    found = repeated_patients({name: table[name] for name in candidates}, {name: table[name] for name in traits}, **options)
    return [one.name for one in found]


@pytest.mark.parametrize("seed", range(5))
def test_the_patient_is_found_and_no_measurement_or_ward(seed):
    assert names(visits(seed), ["visit", "ward", "sbp", "age", "patient"]) == ["patient"]


def test_what_is_found_is_counted():
    table = visits()
    table["patient"][:10] = -1
    (one,) = repeated_patients({"p": table["patient"]}, {"sex": table["sex"]})
    assert (one.patients, one.rows, one.fixed) == (len(set(table["patient"]) - {-1}), N - 10, ("sex",))


def test_a_few_errors_in_the_records_do_not_hide_a_patient():
    table = visits()
    table["sex"][:5] = 1 - table["sex"][:5]
    assert names(table, ["patient"]) == ["patient"]
    table["sex"][:60] = 1 - table["sex"][:60]
    assert names(table, ["patient"]) == []


def test_a_column_cut_into_bands_proves_nothing():
    table = visits()
    table["old"], table["band"] = (table["age"] > 30).astype(int), table["age"] // 15
    assert names(table, ["age"], ["old", "band"], least=2) == []


def test_only_one_sex_or_few_pairs_prove_nothing():
    key = np.repeat(np.arange(300), 2)
    assert constant_within(key, np.zeros(600, dtype=int)) is None
    assert constant_within(np.arange(600), np.arange(600) % 2) is None  # no pair
    few = np.append(np.arange(590), np.arange(10))
    assert constant_within(few, np.append(np.arange(590) % 2, np.arange(10) % 2)) is None


def test_a_measurement_of_one_sex_only_proves_nothing():
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, N)
    psa = np.where(sex == 1, rng.integers(0, 40, N), -1)
    assert constant_within(psa, sex) is None


def test_the_coarsest_comes_first():
    table = visits()
    table["encounter"] = table["patient"] * 2 + (np.arange(N) % 2)
    assert names(table, ["encounter", "patient"]) == ["patient", "encounter"]


def test_how_many_patients_lie_in_several_groups():
    assert split_by(np.array([0, 0, 1, 1, 2, -1, -1]), np.array([5, 5, 6, 7, 8, 9, 9])) == 1
    assert split_by(np.array([-1, -1]), np.array([0, 1])) == 0


def test_one_row_of_each_the_first_with_the_event():
    key = np.array([2, 2, 0, 0, 0, -1, -1, 1])
    event = np.array([0, 0, 0, 1, 1, 0, 1, np.nan])
    assert one_row_each(key, event).tolist() == [True, False, False, True, False, True, True, True]


def test_what_rows_of_a_key_share():
    key = np.repeat(np.arange(50), 2)
    assert shared_within(key, key * 7)
    assert not shared_within(key, np.arange(100))
    assert not shared_within(np.arange(100), np.zeros(100, dtype=int))
    assert shared_within(key, np.where(np.arange(100) % 2 == 0, -1, key)) is False  # no pair is given
