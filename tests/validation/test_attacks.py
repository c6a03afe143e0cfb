"""What the gates must stop, and what they must let pass."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from tests.validation.offered import COHORTS, case_like, changed, mixed, noisy, offers, shuffled
from tests.validation.simulated_patients import draw_patients
from validation import near_copies
from validation.attack_gates import membership_gates
from validation.attacks import scores
from validation.attacks.disclosure import Rate, attribute_inference, excess_risk, linkage, singling_out, success_rate
from validation.attacks.membership import aucs, membership
from validation.copy_gates import copies_gate, near_copies_gate
from validation.fidelity_gates import dependence_gate, two_sample_gate, variety_gate
from validation.support import effective_number, expected_coverage


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(scores, "TREES", 10)
    monkeypatch.setattr(near_copies, "QUERIES", 200)


@pytest.fixture(params=list(COHORTS))
def patients(request):
    return COHORTS[request.param]()


@pytest.mark.parametrize("noise", [0.001, 0.05, 0.2])
def test_training_cases_with_noise_fail(patients, noise, rng):
    tables = patients.tables(noisy(patients.cases, 600, noise, rng))
    assert near_copies_gate(tables, config=patients.config, seed=1).verdict == "fail"
    cases, _ = membership_gates(tables, config=patients.config, seed=1)
    assert (cases.verdict, cases.low > 0.6) == ("fail", True)


@pytest.mark.parametrize("noise", [0.01, 0.1])
@pytest.mark.parametrize("kind", ["cases", "majority"])
def test_a_tenth_of_near_copies_fails(patients, kind, noise, rng):
    tables = patients.tables(mixed(patients, kind, noise, rng))
    assert near_copies_gate(tables, config=patients.config, seed=1).verdict == "fail"


def test_copies_of_majority_patients_under_other_parents_fail(patients):
    tables = patients.tables(case_like(patients, 400))
    assert copies_gate(tables).verdict == "fail"
    assert near_copies_gate(tables, config=patients.config, seed=1).verdict == "fail"


def test_shuffled_columns_fail(patients, rng):
    gate = dependence_gate(patients.tables(shuffled(patients.cases, 600, rng)), config=patients.config)
    assert (gate.verdict, gate.high < 0.8) == ("fail", True)


def test_one_row_600_times_fails(patients):
    tables = patients.tables(patients.cases.iloc[[1] * 600])
    gate = variety_gate(tables, config=patients.config)
    assert (gate.verdict, gate.value) == ("fail", 1)
    assert copies_gate(tables).verdict == "fail"


def test_broken_dependence_is_seen_in_a_hundred_cases(rng):
    patients = COHORTS["nafld"]()
    few = patients.cases.iloc[:100]
    other = type(patients)(patients.config, patients.majority, few, patients.majority_holdout, patients.cases_holdout)
    gate = two_sample_gate(other.tables(shuffled(few, 600, rng)), config=patients.config, seed=1)
    assert (gate.verdict, gate.low > max(0.85, gate.real)) == ("fail", True)


def embedded(rng, n, width=8):
    return rng.normal(size=(n, width))


def test_who_was_not_trained_on_cannot_be_told(rng):
    found = [membership(embedded(rng, 60), embedded(rng, 30), embedded(rng, 300), seed=seed) for seed in range(12)]
    assert sum(one.strongest.low > 0.5 for one in found) <= 1
    assert np.mean([one.strongest.value for one in found]) == pytest.approx(np.mean([one.by_chance for one in found]), abs=0.05)


def test_a_canary_inserted_more_often_is_found_more_surely(rng):
    """The share of 12 outlying canaries whose density ratio lies above that of nine in ten other patients."""
    canaries, others, fresh = embedded(rng, 12), embedded(rng, 200), embedded(rng, 400)
    caught = []
    for times in (0, 1, 4, 16):
        copies = np.repeat(canaries, times, axis=0) + 0.5 * rng.normal(size=(12 * times, 8))
        found = scores.attack_scores(np.concatenate([canaries, others]), np.concatenate([fresh, copies]), seed=1)[3]
        caught.append(float((found[:12] > np.quantile(found[12:], 0.9)).mean()))
    assert caught == sorted(caught)
    assert caught[0] < 0.4
    assert caught[-1] > caught[0] + 0.4


def test_each_attack_finds_copies(rng):
    members, others = embedded(rng, 80), embedded(rng, 80)
    found = membership(members, others, members + 0.01 * embedded(rng, 80), seed=1)
    assert min(attack.auc.value for attack in found.attacks) > 0.9
    assert found.outlying.strongest.value > 0.9
    assert found.best.caught.low > 0.5


def test_the_interval_allows_for_the_choice_of_an_attack(rng):
    found = membership(embedded(rng, 60), embedded(rng, 40), embedded(rng, 200), seed=1)
    assert found.strongest.low < found.best.auc.low


def test_auc_by_ranks():
    score, member = np.array([[1.0, 2.0, 2.0, 3.0]]), np.array([[False], [True], [False], [True]])
    assert aucs(score, member)[0, 0] == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(("successes", "value", "reach"), [(850, 0.849, 0.022), (0, 0.002, 0.002), (1000, 0.998, 0.002)])
def test_worked_rates_of_giomi_and_colleagues(successes, value, reach):
    found = success_rate(successes, 1000)
    assert (round(found.value, 3), round(found.reach, 3)) == (value, reach)


@pytest.mark.parametrize(
    ("attack", "control", "value", "reach"),
    [(Rate(0.9, 0.0), Rate(0.8, 0.0), 0.5, 0.0), (Rate(0.9, 0.02), Rate(0.85, 0.02), 0.333, 0.16)],
)
def test_worked_risks_of_giomi_and_colleagues(attack, control, value, reach):
    found = excess_risk(attack, control)
    assert (round(found.value, 3), round(found.high - found.value, 3)) == (value, reach)


def test_copies_disclose_and_other_patients_do_not(rng):
    patients = COHORTS["simulated"]()
    for made, leaks in ((patients.cases, True), (draw_patients(rng, 100, cases=True), False)):
        tables = patients.tables(made)
        rows = [tables.near[name] for name in ("synthetic", "cases", "cases_holdout")]
        frames = tables.synthetic, tables.cases, tables.cases_holdout
        found = [attribute_inference(*rows, tables.owners, frames, seed=1), linkage(*rows, tables.owners, seed=1)]
        assert [one.risk.low > 0.09 for one in found] == [leaks, leaks]
        assert (singling_out(*frames, seed=1).risk.low > 0.0) == leaks


def test_few_patients_are_not_singled_out_by_chance(rng):
    """500 predicates on 14 patients are not 500 independent trials."""
    alarms = 0
    for seed in range(40):
        made, members, others = (draw_patients(rng, n, cases=True) for n in (12, 14, 8))
        alarms += singling_out(made, members, others, seed=seed).risk.low > 0
    assert alarms <= 3


def test_effective_number_of_rows():
    assert effective_number(np.zeros((50, 2))).value == 1
    assert effective_number(np.repeat(np.arange(100.0), 100)[:, None]).value == pytest.approx(101, rel=0.02)
    assert effective_number(np.arange(100.0)[:, None]).value == np.inf


def test_expected_coverage_by_simulation(rng):
    found = []
    for _ in range(60):
        real, made = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
        radius = np.sort(np.linalg.norm(real[:, None] - real, axis=2), axis=1)[:, 5]
        found.append((np.linalg.norm(real[:, None] - made, axis=2).min(axis=1) <= radius).mean())
    assert np.mean(found) == pytest.approx(expected_coverage(30, 30), abs=0.01)


def test_all_offers_can_be_made():
    for cohort in COHORTS.values():
        patients = cohort()
        assert len(offers(patients, 1)) == 15
        assert "a column's levels permuted" in changed(patients, 1)


@pytest.mark.parametrize("shape", [(5, 2000), (300, 7), (2, 2)])
def test_the_sum_of_exponentials_is_scipys_to_the_last_bit(shape):
    values = -np.random.default_rng(0).exponential(size=shape).round(1) * 40  # some of the largest are alike
    values[:, 1] = -np.inf
    np.testing.assert_array_equal(scores.log_sum_exp(values), logsumexp(values, axis=1))
