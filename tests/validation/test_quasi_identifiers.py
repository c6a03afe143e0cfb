"""Matching by quasi-identifiers: who is met, by chance and by copying."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mgvae.config.dictionary import Column
from mgvae.config.strict import build
from mgvae.draft import names
from mgvae.errors import ConfigError
from tests.validation.offered import COHORTS, resplit
from validation.copy_gates import quasi_identifiers_gate
from validation.quasi_identifiers import matches

LEAST = 15  # of 20 trained on, with one of 8 held out, who are met before chance explains it with less than 0.5 %
LEVELS = pd.CategoricalDtype(["north", "south"])


def people(ages, regions=None):
    codes = np.zeros(len(ages), int) if regions is None else np.asarray(regions)
    return pd.DataFrame({"age": np.asarray(ages, float), "region": pd.Categorical.from_codes(codes, dtype=LEVELS)})


def judged(made, trained, held_out, other=()):
    return matches(made, {"in": trained, "out": held_out, "other": people(list(other))}, "in", "out")


def test_a_patient_met_by_many_rows_counts_once_and_a_shared_combination_never():
    found = judged(people([40, 40, 41, 50, 60]), people([40, 41, 41]), people([50, 51]), other=[60])
    assert (found.met, found.known, found.rate.value, found.reference) == (2, 1, 2 / 5, 1 / 5 * 1 / 2)


def test_who_was_unique_is_not_if_the_other_class_has_the_same():
    assert judged(people([40]), people([40]), people([50]), other=[40]).met == 0


@pytest.mark.parametrize(("age", "met"), [(61.7, 1), (62.4, 1), (62.6, 0), (np.nan, 0)])
def test_numbers_are_compared_as_real_ones_are_written(age, met):
    assert judged(people([age]), people([62, 70]), people([50])).met == met


def test_one_decimal_and_no_value_are_compared_as_written():
    trained, held_out = people([61.7, np.nan]), people([50.5])
    assert judged(people([61.74, np.nan]), trained, held_out).known == 2
    assert judged(people([61.76]), trained, held_out).met == 0


def test_all_quasi_identifiers_must_agree():
    assert judged(people([40], [1]), people([40], [0]), people([50])).met == 0


@pytest.mark.parametrize(("copied", "excess"), [(LEAST - 1, False), (LEAST, True), (20, True)])
def test_the_excess_is_hypergeometric(copied, excess):
    trained, held_out = people(range(20)), people(range(100, 108))
    found = judged(people([*range(copied), 100]), trained, held_out)
    chance = stats.hypergeom.sf(copied - 1, 28, 20, copied + 1)
    assert found.excess == (chance < 0.005) == excess


def test_without_anybody_held_out_there_is_no_excess():
    assert not judged(people([40]), people([40, 41]), people([])).excess


def with_roles(patients, *named):
    columns = dict(patients.config.columns.columns)
    for name in named:
        columns[name] = columns[name].model_copy(update={"role": ("feature", "quasi_identifier")})
    dictionary = patients.config.columns.model_copy(update={"columns": columns})
    return patients.config.model_copy(update={"columns": dictionary})


def test_copied_quasi_identifiers_fail_and_fresh_ones_do_not(rng):
    """All other columns are those of other patients, so that no other gate on copies can see it."""
    patients = COHORTS["simulated"]()
    config, known = with_roles(patients, "lab0", "region", "seen"), ["lab0", "region", "seen"]
    fresh = patients.majority_holdout.iloc[:300].reset_index(drop=True)
    mixed = fresh.copy()
    mixed[known] = patients.majority[known].iloc[rng.permutation(len(patients.majority))[:300]].reset_index(drop=True)
    assert quasi_identifiers_gate(patients.tables(mixed), config=config).verdict == "fail"
    gate = quasi_identifiers_gate(patients.tables(fresh), config=config)
    assert (gate.verdict, gate.value) == ("pass", 0.0)


def test_held_out_cases_pass():
    patients, failed = COHORTS["nafld"](), 0
    config = with_roles(patients, "age_years", "male")
    for seed in range(10):
        again = resplit(patients, seed)
        failed += quasi_identifiers_gate(again.tables(again.cases_holdout), config=config).verdict == "fail"
    assert failed <= 1


def test_without_quasi_identifiers_it_says_so():
    patients = COHORTS["simulated"]()
    gate = quasi_identifiers_gate(patients.tables(patients.cases_holdout), config=patients.config)
    assert (gate.verdict, gate.value) == ("pass", None)
    assert "names no quasi-identifiers" in gate.detail


def test_only_a_predictor_can_be_one():
    assert build(Column, {"kind": "count", "role": ["feature", "quasi_identifier"]}, source="x").role[1] == "quasi_identifier"
    with pytest.raises(ConfigError, match="only a predictor can be a quasi_identifier"):
        build(Column, {"kind": "count", "role": "quasi_identifier"}, source="x")


@pytest.mark.parametrize("name", ["age", "AgeAtEntry", "sex", "birth_year", "region", "hospital_id", "zip3", "marital_status"])
def test_what_others_may_know_by_name(name):
    assert names.identifying(name)


@pytest.mark.parametrize("name", ["dosage", "stage", "creatinine", "percentage", "heart_rate", "average"])
def test_what_others_do_not_know_by_name(name):
    assert not names.identifying(name)
