"""Tests of tests.benchmarks.bench: what fell is named, exponents are those of the law, and the history is by machine."""

import json

import numpy as np
import pytest

from tests.benchmarks import bench, complexity


@pytest.mark.parametrize(("now", "named"), [(10.0, False), (8.5, False), (8.49, True), (20.0, False)])
def test_a_ratio_that_fell_by_more_than_15_percent_is_named(now, named):
    found = bench.falls({"SMOTENC": 10.0, "gone": 3.0}, {"SMOTENC": now, "new": 1.0})
    assert bool(found) == named
    assert all("SMOTENC" in sentence for sentence in found)


def test_exponents_are_those_of_the_law():
    table = [{"rows": n, "columns": c, "part": 3e-6 * n**1.05 * c**1.3} for n in (1e3, 1e4, 1e5) for c in (50, 200)]
    assert complexity.exponents(table, "part") == {"rows": 1.05, "columns": 1.3}


def test_tables_too_large_for_the_memory_are_left_out():
    assert (1_000_000, 200) in complexity.sizes(full=True)
    assert (1_000_000, 1_000) not in complexity.sizes(full=True)
    assert len(complexity.sizes(full=False)) == 9


def test_each_part_of_a_study_is_measured():
    table = complexity.mixed(60, 45, 0)
    assert table.shape == (60, 45)
    assert table.columns.is_unique
    assert set(complexity.parts_of_a_study(table, 0)) == {"encode", "epoch", "decode", "classifiers"}


def test_the_last_result_of_the_same_machine_counts(tmp_path):
    history = tmp_path / "bench.jsonl"
    assert bench.last_kept(history, "here") == {}
    lines = [("here", 1.0), ("here", 2.0), ("elsewhere", 3.0)]
    history.write_text("".join(json.dumps({"machine": where, "ratios": {"x": ratio}}) + "\n" for where, ratio in lines))
    assert bench.last_kept(history, "here") == {"x": 2.0}


def test_the_fewest_seconds_count_and_a_way_may_say_its_own():
    said = iter([5.0, 3.0, 4.0])
    assert bench.fewest_seconds({"one": lambda: next(said)}, 3) == {"one": 3.0}


@pytest.mark.parametrize(("keep", "ratio", "code", "lines"), [([], 1.0, 0, 2), ([], 0.5, 1, 1), (["--keep"], 0.5, 1, 2)])
def test_a_fall_is_kept_only_where_asked_for(keep, ratio, code, lines, tmp_path, monkeypatch, capsys):
    history = tmp_path / "bench.jsonl"
    history.write_text(json.dumps({"machine": bench.machine(), "ratios": {"SMOTENC": 1.0}}) + "\n")
    monkeypatch.setattr(bench, "measured_ratios", lambda seed, rounds: {"SMOTENC": ratio})
    table = [{"rows": n, "columns": c, "encode": n * c * 1e-6} for n in (10, 100) for c in (2, 4)]
    monkeypatch.setattr(bench, "complexity", lambda seed, full: table)
    monkeypatch.setattr("sys.argv", ["bench", "--history", str(history), *keep])
    assert bench.main() == code
    assert len(history.read_text().splitlines()) == lines
    assert ("SLOWER: SMOTENC" in capsys.readouterr().out) == bool(code)
    kept = json.loads(history.read_text().splitlines()[-1])
    assert kept["machine"] == bench.machine()


def test_the_plain_pipelines_predict_the_same_rows_as_the_evaluation():
    features, event = bench.simulated(400, seed=1)
    rows = bench.Rows(features, event.astype(np.int64), np.arange(400))
    fits = bench.plan_folds(rows, n_folds=2, repeats=1, seed=0).fits
    found = bench.plain_folds(rows, fits)
    assert {name: [len(one) for one in both] for name, both in found.items()} == {
        name: [len(fit.predicted)] * 2 for name, fit in fits.items()
    }
