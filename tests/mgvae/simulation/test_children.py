"""Simulated children: prevalence, published odds ratios, shared factors, records that miss for a reason."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mgvae.reproducibility import numpy_generator
from mgvae.simulation.associations import ASSOCIATIONS, FACTOR_EFFECTS
from mgvae.simulation.children import draw_children
from mgvae.simulation.code_book import CONDITIONS, FACTORS, SENSITIVITY, code_book
from mgvae.simulation.records import BLOCK, COLUMNS, blocks, draw_records, head


@pytest.fixture(scope="module")
def records():
    """Return the records of 12,000 children."""
    rng = numpy_generator(5, "records")
    return draw_records(draw_children(12_000, rng), rng)


@pytest.mark.parametrize("prevalence", [0.005, 0.02, 0.2])
def test_the_mean_risk_is_the_prevalence_and_events_follow_it(prevalence):
    n = 60_000
    children = draw_children(n, numpy_generator(1, "children"), prevalence=prevalence)
    risk = expit(children.log_odds)
    assert risk.mean() == pytest.approx(prevalence, rel=0.05)
    assert abs(children.event.sum() - risk.sum()) < 4 * np.sqrt((risk * (1 - risk)).sum())


def test_a_large_sample_returns_the_published_odds_ratios():
    children = draw_children(200_000, numpy_generator(2, "children"), prevalence=0.1)
    effects = {one.exposure: np.log(one.odds_ratio) for one in ASSOCIATIONS} | FACTOR_EFFECTS
    found = children.exposures | {name: children.factors[:, FACTORS.index(name)] for name in FACTOR_EFFECTS}
    X = np.column_stack([found[name] for name in effects])
    model = LogisticRegression(C=np.inf, max_iter=500, tol=1e-6).fit(X, children.event)
    p = model.predict_proba(X)[:, 1]
    design = np.column_stack([np.ones(len(X)), X])
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))))[1:]
    z = (model.coef_[0] - list(effects.values())) / errors
    assert np.abs(z).max() < 4
    precise = {name for name, error in zip(effects, errors, strict=True) if error < 0.1}
    assert {"male", "constipation", "sibling_autism", "paternal_decades", "epilepsy", *FACTOR_EFFECTS} <= precise


def test_each_association_has_a_source_and_an_exposure():
    children = draw_children(10, numpy_generator(0, "children"))
    names = [one.exposure for one in ASSOCIATIONS]
    assert len(names) == len(set(names))
    assert set(names) == set(children.exposures)
    assert set(FACTOR_EFFECTS) <= set(FACTORS)
    assert all(one.doi.startswith("10.") and one.source for one in ASSOCIATIONS)


def test_the_true_risk_ranks_as_well_as_the_best_published_models():
    children = draw_children(100_000, numpy_generator(3, "children"))
    assert 0.82 < roc_auc_score(children.event, children.log_odds) < 0.88


def test_siblings_share_a_family_and_its_parents():
    children = draw_children(BLOCK, numpy_generator(4, "children"))
    follows = np.flatnonzero(np.diff(children.family) == 0)
    assert len(follows) == pytest.approx(0.15 * BLOCK, rel=0.2)
    for name in ("maternal_age_years", "paternal_age_years", "maternal_bmi_kg_m2"):
        assert (children.measures[name][follows] == children.measures[name][follows + 1]).all()
    assert (children.measures["parity"][follows + 1] > 0).all()
    place = FACTORS.index("neurodevelopment")
    alike = np.corrcoef(children.factors[follows, place], children.factors[follows + 1, place])[0, 1]
    assert 0.1 < alike < 0.4


def test_two_thousand_predictors_of_which_most_are_rare(records):
    book = code_book()
    assert len(COLUMNS) + len(book.names) == 2000
    assert len(set(book.names)) == len(book.names) == len(book.labels)
    share = records.codes.mean(axis=0)
    assert np.isin(records.codes, (0, 1)).all()
    assert 0.002 < np.median(share) < 0.006
    assert share.max() < 0.5


def test_a_chapter_hangs_together_among_cases_and_others(records):
    """The mean correlation of codes is larger within a chapter than across, whatever the outcome."""
    names = code_book().names
    chapter = np.array([name.rpartition("_")[0] for name in names])
    common = (records.codes.mean(axis=0) > 0.01) & np.char.startswith(chapter.astype(str), "dx")
    for rows in (records.children.event == 0, records.children.event == 1):
        codes, group = records.codes[rows][:, common], chapter[common]
        seen = codes.std(axis=0) > 0
        related = np.corrcoef(codes[:, seen].T)
        same = (group[seen][:, None] == group[seen]) & ~np.eye(int(seen.sum()), dtype=bool)
        across = group[seen][:, None] != group[seen]
        assert related[same].mean() > related[across].mean() + 0.01


def test_the_code_of_a_condition_finds_most_who_have_it(records):
    names = code_book().names
    for name, condition in CONDITIONS.items():
        has = records.children.exposures[name] == 1
        coded = records.codes[:, names.index(condition.code)] == 1
        if has.sum() > 100:
            assert coded[has].mean() == pytest.approx(SENSITIVITY, abs=0.12)
        assert coded[~has].mean() < 0.002
        assert has.mean() == pytest.approx(condition.share, rel=0.5, abs=0.001)


def test_what_is_missing_is_missing_for_a_reason(records):
    measured = ~np.isnan(records.columns["ferritin_ug_l"])
    anaemic = records.children.factors[:, FACTORS.index("blood")] > 1
    assert measured[anaemic].mean() > 2 * measured[~anaemic].mean()
    poor = records.children.social > 1
    assert (
        np.isnan(records.columns["paternal_age_years"])[poor].mean()
        > 1.5 * np.isnan(records.columns["paternal_age_years"])[~poor].mean()
    )
    has = records.children.exposures["sibling_autism"] == 1
    recorded = ~np.isnan(records.columns["sibling_autism"])
    assert recorded[has].mean() > recorded[~has].mean() + 0.05
    pregnancy = [np.isnan(records.columns[name]) for name in ("caesarean", "folic_acid", "maternal_bmi_kg_m2")]
    assert all((one == pregnancy[0]).all() for one in pregnancy)  # one record of the mother


def test_a_child_is_the_same_whatever_n_is():
    (few,) = blocks(50, seed=9, prevalence=0.02)
    many, rest = blocks(BLOCK + 3, seed=9, prevalence=0.02)
    assert (len(few), len(many), len(rest)) == (50, BLOCK, 3)
    assert (head(many, 50).codes == few.codes).all()
    assert (many.children.log_odds[:50] == few.children.log_odds).all()
    for name in COLUMNS:
        same = head(many, 50).columns[name], few.columns[name]
        np.testing.assert_array_equal(*same)
    assert rest.special["subject_id"].tolist() == [BLOCK + 1, BLOCK + 2, BLOCK + 3]
    assert rest.special["family_id"].min() > many.special["family_id"].max()
    (other,) = blocks(50, seed=10, prevalence=0.02)
    assert (other.codes != few.codes).any()
