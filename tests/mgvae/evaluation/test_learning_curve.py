"""The learning curve: which rows are left out, and what is the same at every point."""

from __future__ import annotations

import numpy as np
import pytest

from mgvae.config.study import CohortConfig
from mgvae.evaluation.cells import Run
from mgvae.evaluation.cross_validation import cross_validate
from mgvae.evaluation.learning_curve import METRICS, _fold_seed, learning_curve, stacked, thinned
from mgvae.evaluation.parallel import ProcessPool
from mgvae.results.evaluation import ModelName
from mgvae.results.numbers import Estimate
from tests.mgvae.evaluation.simulated_cohort import chain, simulated, with_events

LR = "logistic_regression"
PLAIN = {LR: {"recalibrated": {"auroc": Estimate(value=0.8, low=0.75, high=0.85)}}}


@pytest.fixture(scope="module")
def rows():
    return simulated(1500, prevalence=0.08, group_size=2)


def config(**settings):
    return CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": {"id": {"role": "identifier"}, "severity": {"kind": "continuous"}}},
            "evaluation": {"arms": ["none", "threshold", "mgvae"], "classifiers": [LR], "bootstrap": 50},
            "learning_curve": {"repeats": 2, **settings},
        }
    )


def curve(rows, settings, *, reference=("none", LR), recommended=("none", LR), **options):
    models = {
        name: ModelName(arm=arm, classifier=classifier)
        for name, (arm, classifier) in {"reference": reference, "recommended": recommended}.items()
    }
    return learning_curve(rows, settings, plain=PLAIN, **models, **options)


def test_thinned_rows_are_nested_whole_groups_at_natural_prevalence(rows):
    parts = thinned(rows, config(), repeats=2)
    assert [(round(part.share, 3), part.repeat) for part in parts] == [
        (0.333, 0),
        (0.333, 1),
        (0.667, 0),
        (0.667, 1),
        (1, 0),
        (1, 1),
    ]
    for part in parts:
        pairs = part.usable.reshape(-1, 2)
        assert (pairs[:, 0] == pairs[:, 1]).all()
        assert part.usable.mean() == pytest.approx(part.share, abs=0.02)
        assert rows.event[part.usable].mean() == pytest.approx(rows.prevalence, rel=0.05)
    third, two_thirds = parts[0].usable, parts[2].usable
    assert not (third & ~two_thirds).any()
    assert not np.array_equal(third, parts[1].usable)


def test_with_all_rows_it_is_the_cross_validation(rows):
    settings = config()
    (line,) = curve(rows, settings).lines
    points = {round(point.share, 3): point for point in line.points}
    assert list(points) == [0.333, 0.667, 1.0]
    assert set(points[1.0].scores) == set(METRICS)
    assert points[1.0].n == pytest.approx(0.8 * len(rows))
    assert points[1.0].events == pytest.approx(0.8 * rows.event.sum())
    assert points[0.333].events == pytest.approx(0.8 * rows.event.sum() / 3, rel=0.06)
    losses = []
    for repeat in range(2):
        found = cross_validate(rows, chain("none"), n_folds=5, repeats=1, seed=_fold_seed(settings, repeat))
        risk = found.probability["none", LR, "recalibrated"][0]
        losses.append(-np.mean(np.log(np.where(rows.event == 1, risk, 1 - risk))))
    assert points[1.0].scores["log_loss"].value == pytest.approx(np.mean(losses), rel=1e-6)
    gained = points[1.0].scores["auroc"].value - points[0.667].scores["auroc"].value
    assert line.gain["auroc"].value == pytest.approx(gained)
    assert line.gain["auroc"].low < line.gain["auroc"].value < line.gain["auroc"].high


def test_every_row_is_tested_in_the_same_fold_at_every_share(rows):
    settings, folds = config(), []
    for part in thinned(rows, settings, repeats=1):
        found = cross_validate(rows, chain("none"), n_folds=5, repeats=1, seed=_fold_seed(settings, 0), usable=part.usable)
        assert np.isfinite(found.probability["none", LR, "recalibrated"]).all()
        folds.append(found.fold)
    assert np.array_equal(folds[0], folds[2])


def test_rows_that_are_left_out_teach_nothing(rows):
    settings = config(shares=[0.4], repeats=1)
    (part, _) = thinned(rows, settings, repeats=1)
    other = rows.take(np.arange(len(rows)))
    other.features.loc[~part.usable, "severity"] = 99.0
    plain, changed = (
        cross_validate(one, chain("none"), n_folds=5, repeats=1, seed=3, usable=part.usable) for one in (rows, other)
    )
    key = ("none", LR, "recalibrated")
    assert np.array_equal(plain.probability[key][:, part.usable], changed.probability[key][:, part.usable])


def test_stacked_repeats_keep_their_places(rows):
    both = [cross_validate(rows, chain("none"), n_folds=5, repeats=1, seed=seed) for seed in (1, 2)]
    found = stacked(both)
    assert found.repeats == 2
    key = ("none", LR, "raw")
    assert np.array_equal(found.probability[key][1], both[1].probability[key][0])
    assert np.array_equal(found.fold[0], both[0].fold[0])


def test_more_events_help_where_few_are(rows):
    few = simulated(600, prevalence=0.05, strength=2.0)
    (line,) = curve(few, config(shares=[0.2])).lines
    assert line.gain["log_loss"].value < 0 < line.gain["auroc"].value


@pytest.mark.slow
def test_the_recommended_model_has_a_line_of_its_own_and_a_generator_one_repeat(rows, generator):
    found = curve(rows, config(shares=[0.5]), recommended=("mgvae", LR))
    assert [(line.arm, line.repeats) for line in found.lines] == [("none", 2), ("mgvae", 1)]
    assert len(generator.given) == (5 + 10) + (5 + 9)  # all rows together bring enough events without every pair of folds
    same = curve(rows, config(shares=[0.5]), recommended=("threshold", LR))
    assert [line.arm for line in same.lines] == ["none"]  # it has the fits of no correction


def test_a_share_that_leaves_too_few_events_is_left_out_and_said(rows):
    few = with_events(rows, 6)
    found = curve(few, config(shares=[0.1, 0.5], repeats=1))
    assert [round(point.share, 1) for point in found.lines[0].points] in ([1.0], [0.5, 1.0])
    assert found.remarks[0].startswith("With 10% of the fitting rows: ")


def test_the_sample_size_is_that_of_the_regression(rows):
    size = curve(rows, config(shares=[], repeats=1)).sample_size
    assert (size.n, size.events) == (len(rows), rows.event.sum())
    assert size.auroc == PLAIN[LR]["recalibrated"]["auroc"]


@pytest.mark.slow
def test_the_result_does_not_depend_on_workers_and_progress_counts_to_the_end(rows):
    settings, steps = config(shares=[0.5]), []
    alone = curve(rows, settings, run=Run(on_done=lambda done, total: steps.append((done, total))))
    total = 2 * (5 + 10) + 2 * (5 + 9)
    assert steps == [(done, total) for done in range(1, total + 1)]
    assert alone.lines[0].gain
    with ProcessPool(1) as pool:
        assert curve(rows, settings, run=Run(executor=pool)) == alone


def test_kept_cells_of_two_points_are_not_mixed_up(rows):
    class Cells(dict):
        def load(self, name):
            return self.get(name)

        def save(self, name, outcome, seconds):
            assert name not in self
            self[name] = outcome

    cells, settings = Cells(), config(shares=[0.5])
    first = curve(rows, settings, run=Run(kept=cells))
    assert len(cells) == 2 * (5 + 10) + 2 * (5 + 9)
    assert curve(rows, settings, run=Run(kept=cells)) == first
