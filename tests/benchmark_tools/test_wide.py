"""The benchmark of wide tables: blocks that keep groups apart, results that are resumed, and the table of differences."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mgvae import MGVAEOverSampler
from mgvae.classifiers import scored_ridge
from mgvae.classifiers.ensemble import with_guide
from mgvae.classifiers.factory import AVERAGED, make
from mgvae.reproducibility import derive
from tests.benchmarks.oversamplers.cohorts import DATA
from tests.benchmarks.wide import __main__ as command
from tests.benchmarks.wide import blocks as work
from tests.benchmarks.wide.blocks import RIDGE, Caps, measure, members, parts, wanted, with_cases
from tests.benchmarks.wide.printing import table
from tests.benchmarks.wide.results import FILE, Block, Line, Measured, append, read
from tests.benchmarks.wide.tables import BINARY, load, simulated

CAPS = Caps(majority=300, tested=400)


@pytest.fixture(scope="module")
def children():
    """Return 1,500 simulated children."""
    return simulated(1500)


def measured(auroc, auprc=0.2):
    return Measured(auroc=auroc, auprc=auprc, seconds=1.0, learned=10, tested=10, test_events=2)


def test_simulated_rows_are_typed_as_a_cohort_is(children):
    rows = children.rows(np.arange(100, 160))
    assert rows.features.shape == (60, 2000)
    assert rows.features["dx_k59"].dtype == BINARY == rows.features["male"].dtype
    assert (rows.features["dx_k59"] == "1").to_numpy().tolist() == (
        children.codes[100:160, children.code_names.index("dx_k59")] == 1
    ).tolist()
    assert rows.features["maternal_education"].cat.ordered
    assert rows.features["gestation_weeks"].dtype == "float64"
    assert rows.features["caesarean"].isna().any()
    assert rows.event.tolist() == children.event[100:160].tolist()


@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets that do not ship are not here")
def test_codes_of_diabetes130_are_columns():
    found = load("diabetes130", DATA)
    assert (len(found.event), int(found.event.sum())) == (71_518, 1_077)  # as the source states them
    assert found.codes.shape[1] > 600
    names = list(found.code_names)
    diabetes, kidney = (found.codes[:, names.index(name)] == 1 for name in ("icd9 250", "icd9 250.4"))
    assert diabetes[kidney].all()
    assert kidney.sum() < diabetes.sum()
    assert {"insulin steady", "insulin up", "insulin down"} <= set(names)
    assert found.codes.sum(axis=0).min() == 5
    assert not {"diag_1", "insulin", "discharge_disposition_id"} & set(found.others)


def test_a_block_learns_from_one_half_and_is_judged_on_the_other(children):
    for events, seed in ((8, 0), (8, 1), (12, 0)):
        learned, tested = parts(children, Block(table="autism", events=events, seed=seed), CAPS)
        assert children.event[learned].sum() == events
        assert len(learned) == events + CAPS.majority
        assert len(tested) == CAPS.tested
        assert not set(children.group[learned]) & set(children.group[tested])
    again, _ = parts(children, Block(table="autism", events=12, seed=0), CAPS)
    assert (again == learned).all()
    other, _ = parts(children, Block(table="autism", events=12, seed=1), CAPS)
    assert set(other) != set(learned)


def test_more_events_than_there_are(children):
    with pytest.raises(ValueError, match="must have 400 events; got"):
        parts(children, Block(table="autism", events=400, seed=0), CAPS)


def test_blocks_take_turns():
    found = list(wanted(("a", "b"), (20, 50), seeds=2))
    assert [(one.table, one.events, one.seed) for one in found][:5] == [
        ("a", 20, 0),
        ("a", 50, 0),
        ("b", 20, 0),
        ("b", 50, 0),
        ("a", 20, 1),
    ]
    assert len(found) == 8


def test_a_method_is_measured_on_rows_that_it_has_not_seen(children):
    block = Block(table="autism", events=10, seed=0)
    ((name, found),) = measure(children, block, ["logistic_regression"], CAPS)
    assert name == "logistic_regression"
    assert (found.learned, found.tested) == (310, 400)
    assert 0.3 < found.auroc < 0.95  # 1 on rows that it has seen
    assert found.test_events == children.event[parts(children, block, CAPS)[1]].sum()


def test_a_stopped_benchmark_goes_on(tmp_path, monkeypatch):
    calls = []

    def scored(table, block, methods, caps):
        calls.append((block.events, tuple(methods)))
        yield from ((name, measured(0.7)) for name in methods)

    monkeypatch.setattr(command, "load", lambda name, data: name)
    monkeypatch.setattr(command, "measure", scored)
    blocks = list(wanted(("autism",), (20, 50), seeds=1))
    command.run(blocks, ["a"], tmp_path, minutes=0, caps=CAPS)
    assert calls == []  # no time left
    command.run(blocks[:1], ["a"], tmp_path, minutes=1, caps=CAPS)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"block": {"table": "aut')  # cut off
        file.write("\n")
    command.run(blocks, ["a", "b"], tmp_path, minutes=1, caps=CAPS)
    assert calls == [(20, ("a",)), (20, ("b",)), (50, ("a", "b"))]
    command.run(blocks, ["a", "b"], tmp_path, minutes=1, caps=CAPS)
    assert len(calls) == 3
    assert {block.events: set(found) for block, found in read(tmp_path, rows="300/400").items()} == {
        20: {"a", "b"},
        50: {"a", "b"},
    }
    assert read(tmp_path, rows="20000/20000") == {}


def test_differences_from_the_better_rival(tmp_path):
    for seed, (own, linear, trees) in enumerate([(0.80, 0.75, 0.70), (0.70, 0.60, 0.71)]):
        methods = {
            "logistic_regression": measured(linear),
            "hist_gradient_boosting": measured(trees),
            "own": measured(own, 0.3),
        }
        append(tmp_path, Line(block=Block(table="t", events=20, seed=seed), rows="all", methods=methods))
    append(tmp_path, Line(block=Block(table="t", events=20, seed=2), rows="all", methods={"own": measured(0.9)}))  # no rival
    text = table(read(tmp_path, rows="all"), ("own",))
    assert "| t, 20 | own | 3 | 0.800 | 0.267 | +0.020 ± 0.030 | +50 ± 0 % | 1/2 | 1.0 |" in text
    assert "| - |" in table({Block(table="t", events=1, seed=0): {"own": measured(0.5)}}, ("own",))


def test_an_ensemble_of_members_measured_before_is_that_of_the_library(children, monkeypatch):
    block = Block(table="autism", events=10, seed=0)
    few = replace(children, code_names=children.code_names[:40], codes=children.codes[:, :40])
    monkeypatch.setattr(scored_ridge, "WIDE", 10)
    together = dict(measure(few, block, [RIDGE, *AVERAGED, "majority_guided", "ensemble", "guided_ensemble"], CAPS))
    learned, tested = (few.rows(at) for at in parts(few, block, CAPS))
    for name in ("ensemble", "guided_ensemble"):
        ensemble = make("ensemble", derive(0, "wide"))
        model = with_guide(ensemble, derive(0, "wide")) if name != "ensemble" else ensemble
        probability = model.fit(learned.features, learned.event).predict_proba(tested.features)
        assert together[name].auroc == pytest.approx(roc_auc_score(tested.event, probability), abs=1e-12)
        assert together[name].seconds > sum(together[member].seconds for member in AVERAGED[1:])
    assert members("guided_logistic_regression") == ("scored_ridge", "majority_guided")
    assert members("majority_guided") == ()
    assert together["ensemble"].auroc != together["guided_ensemble"].auroc


def test_rows_of_the_sampler_are_cases_of_their_own(children, monkeypatch):
    few = replace(children, code_names=children.code_names[:10], codes=children.codes[:, :10])
    monkeypatch.setattr(work, "MGVAEOverSampler", partial(MGVAEOverSampler, epochs=1, finetune_epochs=1, device="cpu"))
    rows = few.rows(parts(few, Block(table="autism", events=12, seed=0), CAPS)[0])
    more = with_cases(rows, seed=1)
    assert more.features.iloc[: len(rows)].equals(rows.features)
    assert more.event[len(rows) :].tolist() == [1] * (60 - 12)  # a fifth of 300
    assert len(set(more.group[len(rows) :]) - set(rows.group)) == 48
