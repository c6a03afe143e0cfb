import numpy as np
import pytest

from validation.separation import separation

SIZES = {"majority": 1500, "cases": 60, "majority_holdout": 700, "cases_holdout": 25}


def draw(rng, n, *, cases, strength=1.0):
    points = rng.normal(size=(n, 8))
    points[:, :2] += strength * cases
    return points


def real_tables(rng, *, strength=1.0, **sizes):
    return {name: draw(rng, n, cases=name.startswith("cases"), strength=strength) for name, n in (SIZES | sizes).items()}


def test_new_cases_keep_all_separation(rng):
    tables = real_tables(rng)
    found = separation(draw(rng, 1000, cases=True), **tables, seed=1)
    assert found.kept.low < 1 < found.kept.high
    assert found.kept.low > 0.6
    assert found.real.low > 0.7


def test_majority_patients_keep_none(rng):
    tables = real_tables(rng)
    for synthetic in (tables["majority"][:800], draw(rng, 800, cases=False)):
        found = separation(synthetic, **tables, seed=1)
        assert found.kept.high < 0.3
        assert found.synthetic == pytest.approx(0.5, abs=0.05)


def test_half_way_translations_lie_between(rng):
    found = separation(draw(rng, 2000, cases=True, strength=0.5), **real_tables(rng), seed=1)
    assert 0.3 < found.kept.value < 0.8


def test_a_difference_in_spread_alone_is_seen(rng):
    tables = real_tables(rng, strength=0.0)
    for name in ("cases", "cases_holdout"):
        tables[name] *= 2
    found = separation(2 * draw(rng, 500, cases=False), **tables, seed=1)
    assert found.real.low > 0.7
    assert found.kept.low > 0.7


def test_without_a_difference_nothing_is_judged(rng):
    found = separation(draw(rng, 500, cases=True, strength=0.0), **real_tables(rng, strength=0.0), seed=1)
    assert found.kept is None
    assert found.real.low < 0.5 < found.real.high


def test_repeating_the_training_cases_is_not_flattered(rng):
    """In 40 dimensions of noise a discriminant knows its own 10 cases by heart; copies must still score as strangers do."""
    aucs = []
    for seed in range(20):
        tables = {name: rng.normal(size=(n, 40)) for name, n in (SIZES | {"cases": 10, "majority": 600}).items()}
        copies = tables["cases"][rng.integers(0, 10, 300)]
        aucs.append(separation(copies, **tables, seed=seed).synthetic)
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.06)


def test_interval_covers_the_truth_and_is_unbiased(rng):
    kept = [
        separation(draw(rng, 200, cases=True), **real_tables(rng, majority=300, majority_holdout=200), seed=seed).kept
        for seed in range(100)
    ]
    assert sum(found.low <= 1 <= found.high for found in kept) >= 90
    assert np.mean([found.value for found in kept]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("cases", [3, 5])
def test_a_handful_of_cases(rng, cases):
    found = separation(draw(rng, 200, cases=True), **real_tables(rng, cases=cases, cases_holdout=0), seed=1)
    assert 0 <= found.real.low <= found.real.high <= 1


@pytest.mark.parametrize("sizes", [{"cases": 2}, {"majority_holdout": 1}, {"majority": 1}])
def test_too_few_rows_are_not_judged(rng, sizes):
    assert separation(draw(rng, 50, cases=True), **real_tables(rng, **sizes), seed=1) is None


def test_constant_coordinates_do_no_harm(rng):
    tables = {name: np.concatenate([rows, np.zeros((len(rows), 3))], axis=1) for name, rows in real_tables(rng).items()}
    synthetic = np.concatenate([draw(rng, 300, cases=True), np.zeros((300, 3))], axis=1)
    assert separation(synthetic, **tables, seed=1).kept.high > 0.9
