import json

import numpy as np
import pandas as pd
import pytest

from mgvae.errors import ShapeError
from mgvae.results.cohort import FailedRule, ValidationResult
from mgvae.results.gates import worst
from tests.validation.simulated_patients import draw_patients, population_config
from validation import fidelity_gates, near_copies, twosample
from validation.attacks import scores
from validation.gates import assess, suite_gate

CLEAN = ValidationResult(passed=True, expectations=90, failed=(), rows=900)
NAMES = ["suite_violations", "broken_rules", "c2st_auc", "energy", "dependence", "missingness", "coverage", "precision"]
NAMES += ["effective_rows", "separation", "exact_copies", "near_copies", "quasi_identifiers", "parent_copies", "dcr_share"]
NAMES += ["membership_cases", "membership_parents", "attribute_inference", "linkage", "singling_out"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(twosample, "TREES", 10)
    monkeypatch.setattr(fidelity_gates, "REPEATS", 1)
    monkeypatch.setattr(scores, "TREES", 10)
    monkeypatch.setattr(near_copies, "QUERIES", 100)


def draw_tables(rng, *, majority=1500, cases=80, majority_holdout=500, cases_holdout=30):
    return {
        "majority_train": draw_patients(rng, majority, cases=False),
        "cases_train": draw_patients(rng, cases, cases=True),
        "majority_holdout": draw_patients(rng, majority_holdout, cases=False),
        "cases_holdout": draw_patients(rng, cases_holdout, cases=True),
    }


def gates_of(synthetic, tables, parents=None, *, seed=1, **settings):
    parents = np.arange(len(synthetic)) % len(tables["majority_train"]) if parents is None else parents
    found = assess(synthetic, parents, **tables, config=population_config(**settings), seed=seed, suite_result=CLEAN)
    assert [gate.name for gate in found] == NAMES
    return {gate.name: gate for gate in found}


def rows_of(frame, positions):
    return frame.iloc[positions].reset_index(drop=True)


def test_new_cases_of_the_same_population_pass_every_gate(rng):
    found = gates_of(draw_patients(rng, 900, cases=True), draw_tables(rng))
    assert "fail" not in {gate.verdict for gate in found.values()}
    sure = set(NAMES) - {"membership_cases", "attribute_inference", "linkage", "singling_out", "energy"}  # 30 cases held out
    assert {name: found[name].verdict for name in sure} == dict.fromkeys(sure, "pass")
    assert found["c2st_auc"].low < 0.5 < found["c2st_auc"].high
    assert found["dcr_share"].low < 0.5 < found["dcr_share"].high


def test_copies_of_training_cases_fail(rng):
    tables = draw_tables(rng, cases=80, cases_holdout=80)
    found = gates_of(rows_of(tables["cases_train"], rng.integers(0, 80, 900)), tables)
    assert found["exact_copies"].verdict == "fail"
    assert found["exact_copies"].value == 1
    assert found["dcr_share"].verdict == "warn"
    assert worst(gate.verdict for gate in found.values()) == "fail"


def test_a_single_copy_among_many_fails(rng):
    tables = draw_tables(rng)
    synthetic = pd.concat([draw_patients(rng, 900, cases=True), tables["cases_train"].iloc[[7]]], ignore_index=True)
    gate = gates_of(synthetic, tables)["exact_copies"]
    assert (gate.verdict, gate.value) == ("fail", pytest.approx(1 / 901))


def test_relabelled_majority_patients_fail(rng):
    tables = draw_tables(rng)
    parents = rng.permutation(1500)[:900]
    found = gates_of(rows_of(tables["majority_train"], parents), tables, parents)
    assert found["separation"].verdict == "fail"
    assert found["parent_copies"].verdict == "fail"
    assert found["exact_copies"].verdict == "fail"


def test_slightly_changed_parents_fail(rng):
    tables = draw_tables(rng)
    parents = rng.permutation(1500)[:900]
    synthetic = rows_of(tables["majority_train"], parents)
    synthetic["lab0"] += 0.1
    found = gates_of(synthetic, tables, parents)
    assert found["separation"].verdict == "fail"
    assert found["parent_copies"].verdict == "fail"


def test_distorted_cases_fail_the_two_sample_test(rng):
    synthetic = draw_patients(rng, 900, cases=True)
    synthetic["lab7"] = synthetic["lab7"].fillna(-40.0)  # never missing, and where it was, absurd
    synthetic["visits0"] += 3
    found = gates_of(synthetic, draw_tables(rng))
    assert found["c2st_auc"].verdict == "fail"
    assert found["c2st_auc"].low > found["c2st_auc"].real
    assert found["missingness"].verdict == "fail"
    assert found["separation"].verdict != "fail"


def test_unseparable_outcome_cannot_be_judged(rng):
    tables = draw_tables(rng)
    for name, size in (("cases_train", 80), ("cases_holdout", 30)):
        tables[name] = draw_patients(rng, size, cases=False)
    gate = gates_of(draw_patients(rng, 300, cases=False), tables)["separation"]
    assert (gate.verdict, gate.value) == ("cannot_tell", None)
    assert "Cannot be judged" in gate.detail


def test_thresholds_come_from_the_configuration(rng):
    tables, synthetic = draw_tables(rng), draw_patients(rng, 300, cases=True)
    strict = {"separation_warn": 3, "separation_fail": 2, "c2st_warn": 0.5, "dcr_low": 0.99, "dcr_high": 1.0}
    found = gates_of(synthetic, tables, gates=strict)
    assert found["separation"].verdict == "fail"
    assert found["separation"].threshold == 3
    assert found["dcr_share"].verdict == "warn"
    assert found["dcr_share"].threshold == (0.99, 1.0)


def test_a_broken_rule_of_the_dictionary_fails():
    failed = (
        FailedRule(column="age", rule="must be between 0 and 120 years", count=4),
        FailedRule(column="stage", rule="must be a column of the synthetic rows", count=None),
    )
    gate = suite_gate(ValidationResult(passed=False, expectations=90, failed=failed, rows=900))
    assert (gate.verdict, gate.value) == ("fail", pytest.approx(4 / 900))
    assert gate.low < gate.value < gate.high
    assert "age must be between 0 and 120 years" in gate.detail
    assert suite_gate(CLEAN).verdict == "pass"
    assert 0 < suite_gate(CLEAN).high < 0.005
    no_rows = FailedRule(column="(table)", rule="must have rows", count=None)
    nothing = ValidationResult(passed=False, expectations=1, failed=(no_rows,), rows=0)
    assert (suite_gate(nothing).verdict, suite_gate(nothing).value) == ("fail", None)


def test_five_cases(rng):
    tables = draw_tables(rng, cases=4, cases_holdout=1)
    found = gates_of(draw_patients(rng, 300, cases=True), tables)
    assert found["exact_copies"].verdict == "pass"
    assert (found["dcr_share"].value, found["dcr_share"].verdict) == (None, "cannot_tell")
    assert worst(gate.verdict for gate in found.values()) == "warn"


def test_no_holdout_cases(rng):
    found = gates_of(draw_patients(rng, 300, cases=True), draw_tables(rng, cases_holdout=0))
    assert "Too few hold-out cases" in found["c2st_auc"].detail
    assert found["separation"].value is not None


def test_two_columns(rng):
    tables = {name: frame[["stage", "visits0"]] for name, frame in draw_tables(rng).items()}
    found = gates_of(draw_patients(rng, 300, cases=True)[["stage", "visits0"]], tables)
    assert found["exact_copies"].verdict == "pass"
    assert found["parent_copies"].verdict != "fail"


def test_two_columns_of_fine_values(rng):
    """New cases meet old ones by chance here, and so do real ones."""
    tables = {name: frame[["lab0", "stage"]].round({"lab0": 1}) for name, frame in draw_tables(rng).items()}
    gate = gates_of(draw_patients(rng, 900, cases=True)[["lab0", "stage"]].round({"lab0": 1}), tables)["exact_copies"]
    assert gate.verdict == "pass"


@pytest.mark.parametrize("tables_without", ["synthetic", "everywhere"])
def test_a_wholly_missing_column(rng, tables_without):
    tables, synthetic = draw_tables(rng), draw_patients(rng, 300, cases=True)
    for frame in [synthetic, *(tables.values() if tables_without == "everywhere" else [])]:
        frame["lab0"] = np.nan
        frame["region"] = pd.Series(pd.Categorical([None] * len(frame), dtype=frame["region"].dtype))
    found = gates_of(synthetic, tables)
    assert found["c2st_auc"].value > 0.8 if tables_without == "synthetic" else found["c2st_auc"].value < 0.7


def test_infinite_synthetic_values_do_not_stop_the_other_gates(rng):
    synthetic = draw_patients(rng, 300, cases=True)
    synthetic.loc[3, "lab0"] = np.inf
    assert gates_of(synthetic, draw_tables(rng))["separation"].value is not None


def test_same_seed_same_answers(rng):
    tables, synthetic = draw_tables(rng, cases=20, cases_holdout=8), draw_patients(rng, 60, cases=True)
    assert gates_of(synthetic, tables, seed=3) == gates_of(synthetic, tables, seed=3)
    assert gates_of(synthetic, tables, seed=3) != gates_of(synthetic, tables, seed=4)


def test_report_form(rng):
    tables = draw_tables(rng, cases=20, cases_holdout=2)
    for gate in gates_of(draw_patients(rng, 100, cases=True), tables).values():
        record = gate.model_dump(mode="json")
        assert {"name", "value", "low", "high", "threshold", "verdict"} <= set(record)
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert record["value"] is None or record["low"] <= record["value"] <= record["high"]


def test_the_worst_verdict_counts():
    good = suite_gate(CLEAN)
    warned, failed = good.model_copy(update={"verdict": "warn"}), good.model_copy(update={"verdict": "fail"})
    assert [worst(gate.verdict for gate in gates) for gates in ([], [good], [good, warned], [warned, failed, good])] == [
        "pass",
        "pass",
        "warn",
        "fail",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tables, rows: rows.iloc[:0], "at least one synthetic row"),
        (lambda tables, rows: rows.drop(columns="lab0"), "synthetic has not"),
        (lambda tables, rows: rows.assign(stage=rows["stage"].cat.as_unordered()), "synthetic has not"),
    ],
)
def test_tables_that_do_not_agree_are_refused(rng, change, message):
    tables = draw_tables(rng)
    with pytest.raises(ShapeError, match=message):
        gates_of(change(tables, draw_patients(rng, 20, cases=True)), tables)


@pytest.mark.parametrize(
    ("parents", "message"), [(np.arange(3), "one majority row for each of 20"), (np.full(20, 1500), "1500")]
)
def test_parents_that_do_not_agree_are_refused(rng, parents, message):
    with pytest.raises(ShapeError, match=message):
        gates_of(draw_patients(rng, 20, cases=True), draw_tables(rng), parents)


@pytest.mark.parametrize(("rows", "verdict"), [(6, "pass"), (200, "fail")])
def test_a_rarely_measured_column_may_be_empty_only_where_rows_are_few(rng, rows, verdict):
    tables, synthetic = draw_tables(rng), draw_patients(rng, rows, cases=True)
    for part in (tables["cases_train"], tables["cases_holdout"]):
        part["lab0"] = part["lab0"].mask(np.arange(len(part)) % 8 > 0)  # 1 in 8 patients has it, less than the limit
    synthetic["lab0"] = np.nan
    found = gates_of(synthetic, tables, gates={"missing_warn": 0.2, "missing_fail": 0.2})["missingness"]
    assert found.verdict == verdict
    if verdict == "fail":
        assert found.detail.endswith("and 100 % in synthetic cases.")
