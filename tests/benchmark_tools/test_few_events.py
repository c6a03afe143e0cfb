"""The benchmark of few events: blocks, the hindsight choice, and means over cohorts, on invented numbers."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from mgvae.classifiers.ensemble import EnsembleModel
from mgvae.classifiers.factory import make
from mgvae.reproducibility import derive, numpy_generator
from tests.benchmarks.few_events import blocks as module
from tests.benchmarks.few_events.blocks import MODELS, Block, Scores, blocks, compute, measure, read
from tests.benchmarks.few_events.table import gains, table
from tests.benchmarks.oversamplers.cohorts import Table

ROWS, EVERY = 400, 8  # rows; one in eight has the event


@pytest.fixture
def cohort():
    """Return 200 families of two; ``x`` is the row's number."""
    event = np.arange(ROWS) % EVERY == 0
    return Table("invented", pd.DataFrame({"x": np.arange(float(ROWS))}), event, np.arange(ROWS) // 2)


@pytest.fixture
def seen(monkeypatch):
    """Let every model predict from ``x`` alone; return what each fit was given, in order."""
    calls = []

    def predictions(features, event, test, seed):
        calls.append((features["x"].to_numpy(int), event, test["x"].to_numpy(int)))
        return {name: 0.01 + 0.9 * (test["x"].to_numpy() * (place + 3) % 97) / 97 for place, name in enumerate(MODELS)}

    monkeypatch.setattr(module, "_predictions", predictions)
    return calls


@pytest.mark.parametrize("events", [3, 10, 15])
def test_half_is_cut_to_few_events_and_the_other_half_is_left_as_it_is(cohort, seen, events):
    scores = measure(cohort, Block("invented", events, 0))
    rows, event, held = seen[0]
    assert event.sum() == events
    assert (event == cohort.event[rows]).all()
    assert len(np.unique(cohort.group[held])) == 100
    other = np.setdiff1d(np.arange(ROWS), held)
    assert not np.isin(cohort.group[other], cohort.group[held]).any()  # families stay together
    assert set(rows) == set(other[~cohort.event[other]]) | set(rows[event == 1])  # all of the half's majority learns
    own = scores["logistic_regression"]
    p = 0.01 + 0.9 * (held * 3 % 97) / 97
    assert own.auroc == pytest.approx(roc_auc_score(cohort.event[held], p))
    assert own.auprc == pytest.approx(average_precision_score(cohort.event[held], p))


def test_recalibration_is_learned_without_the_other_half(cohort, seen):
    measure(cohort, Block("invented", 12, 1))
    rows, _, held = seen[0]
    inner = seen[1:]
    assert len(inner) == module.INNER_FOLDS
    assert sorted(np.concatenate([part[2] for part in inner])) == sorted(rows)  # each row is predicted once
    for kept, _, left_out in inner:
        assert not np.isin(cohort.group[kept], cohort.group[left_out]).any()
        assert not np.isin(kept, held).any()


def test_a_half_with_too_few_events_is_no_block(cohort, seen):
    assert measure(cohort, Block("invented", 51, 0)) is None
    assert not seen


def test_blocks_differ_by_repeat_and_come_again_by_key(cohort, seen):
    for repeat in (0, 1, 0):
        measure(cohort, Block("invented", 10, repeat))
    first, second, again = (seen[place][0].tolist() for place in (0, 5, 10))
    assert first == again != second


def test_each_repeat_holds_every_cohort_before_the_next():
    found = [block.key for block in blocks(["a", "b"], [10, 20], 2)]
    assert found[:4] == ["a/10/0", "b/10/0", "a/20/0", "b/20/0"]
    assert found[4:] == ["a/10/1", "b/10/1", "a/20/1", "b/20/1"]


def scores(**auroc):
    """Return scores of all models; AUPRC is half of AUROC, the Brier score 1 less it."""
    return {name: Scores(value, value / 2, 1 - value, 1.0) for name, value in {**dict.fromkeys(MODELS, 0.5), **auroc}.items()}


def test_the_reference_is_the_better_of_the_two_in_each_block():
    results = {
        "a/10/0": scores(logistic_regression=0.7, hist_gradient_boosting=0.6, ensemble=0.75),
        "a/10/1": scores(logistic_regression=0.6, hist_gradient_boosting=0.8, ensemble=0.75),
    }
    frame = gains(results).set_index(["model", "repeat"])
    assert frame.loc[("ensemble", 0), "auroc"] == pytest.approx(0.05)
    assert frame.loc[("ensemble", 1), "auroc"] == pytest.approx(-0.05)
    assert frame.loc[("ensemble", 0), "auprc"] == pytest.approx(100 * (0.75 / 0.7 - 1))
    assert frame.loc[("ensemble", 1), "brier"] == pytest.approx(100 * 0.25 / 0.2)
    assert frame.loc[("random_forest", 0), "auroc"] == pytest.approx(-0.2)  # no reference, however good


def test_each_measure_has_a_reference_of_its_own():
    block = scores(logistic_regression=0.7, hist_gradient_boosting=0.6)
    block["hist_gradient_boosting"] = Scores(0.6, 0.4, 0.1, 1.0)  # worse ranks, better precision and Brier score
    row = gains({"a/10/0": block}).set_index("model").loc["logistic_regression"]
    assert (row["auroc"], row["auprc"]) == (0.0, pytest.approx(100 * (0.35 / 0.4 - 1)))
    assert row["brier"] == pytest.approx(300.0)


def test_cohorts_weigh_alike_however_many_blocks_they_have():
    results = {f"a/10/{repeat}": scores(ensemble=0.6) for repeat in range(3)} | {"b/10/0": scores(ensemble=0.9)}
    line = next(line for line in table(results).splitlines() if line.startswith("ensemble  "))
    assert line.split()[1:] == ["0.2500", "±", "1.9059"]  # the mean of 0.1 and 0.4; a standard error of 0.15 times 12.706


def test_a_cohorts_mean_counts_blocks_of_few_events_alone():
    results = {"a/10/0": scores(ensemble=0.6), "a/40/0": scores(ensemble=0.8), "a/100/0": scores(ensemble=0.5)}
    lines = table(results).splitlines()
    assert lines[0].startswith("Blocks: 1 with 10 events, 1 with 40 events, 1 with 100 events.")
    assert [line for line in lines if line.startswith("ensemble  ")][-1].split() == ["ensemble", "0.2"]


def test_a_block_that_cannot_be_is_counted_nowhere():
    assert table({"a/100/0": None}) == "No block has been measured yet."
    assert "1 with 10 events." in table({"a/100/0": None, "a/10/0": scores()})


def test_a_stopped_benchmark_goes_on_where_it_was(cohort, seen, tmp_path):
    path = tmp_path / "results" / "blocks.jsonl"
    wanted = list(blocks(["invented"], [10, 60], 1))
    compute({"invented": cohort}, wanted[:1], path, minutes=1)
    fits = len(seen)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "invented/60/0", "sco')  # the end of a process that was killed
    assert list(read(path)) == ["invented/10/0"]
    compute({"invented": cohort}, wanted, path, minutes=1)
    assert len(seen) == fits
    found = read(path)
    assert found["invented/60/0"] is None
    assert asdict(found["invented/10/0"]["ensemble"]).keys() == {"auroc", "auprc", "brier", "slope"}


def test_no_block_is_begun_after_the_time(cohort, seen, tmp_path):
    compute({"invented": cohort}, blocks(["invented"], [10], 1), tmp_path / "blocks.jsonl", minutes=-1)
    assert not seen


def test_averages_of_fitted_models_are_those_of_the_classifier():
    draws = numpy_generator(0, "rows")
    x = pd.DataFrame(draws.normal(size=(300, 3)), columns=["a", "b", "c"])
    event = (draws.random(300) < 1 / (1 + np.exp(2 - x["a"]))).to_numpy(np.int64)
    found = module._predictions(x, event, x, 5)
    members = [make(name, derive(5, name)) for name in ("logistic_regression", "hist_gradient_boosting", "random_forest")]
    assert np.allclose(found["ensemble"], EnsembleModel(members).fit(x, event).predict_proba(x))
    assert set(found) == set(MODELS)
