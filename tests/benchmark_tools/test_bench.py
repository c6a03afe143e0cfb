"""Tests of tests.benchmarks.bench: what fell is named, exponents are those of the law, and the history is by machine."""

import json

import numpy as np
import pytest

from tests.benchmarks import bench, complexity, published_objective


@pytest.mark.parametrize(("now", "named"), [(10.0, False), (8.5, False), (8.49, True), (20.0, False)])
def test_a_ratio_that_fell_by_more_than_15_percent_is_named(now, named):
    found = bench.falls({"SMOTENC": 10.0, "gone": 3.0}, {"SMOTENC": now, "new": 1.0})
    assert bool(found) == named
    assert all("SMOTENC" in sentence for sentence in found)


def test_exponents_are_those_of_the_law():
    table = [{"rows": n, "columns": c, "part": 3e-6 * n**1.05 * c**1.3} for n in (1e3, 1e4, 1e5) for c in (50, 200)]
    assert complexity.exponents(table, "part") == {"rows": 1.05, "columns": 1.3}


def test_tables_too_large_for_the_memory_are_left_out_and_named(capsys):
    full = complexity.sizes(full=True)
    assert (len(full), full[0], full[-1]) == (8, (10_000, 50), (1_000_000, 200))
    assert "1,000,000 x 1,000 is left out" in capsys.readouterr().out
    assert len(complexity.sizes(full=False)) == 9
    assert capsys.readouterr().out == ""


def test_a_table_that_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    kept, measured = tmp_path / "lines", []
    monkeypatch.setattr(complexity, "GRID", ((10, 20), (3, 5)))
    monkeypatch.setattr(complexity, "mixed", lambda rows, columns, seed: measured.append((rows, columns)))
    monkeypatch.setattr(complexity, "parts_of_a_study", lambda table, seed: {"encode": 1.5})
    kept.write_text(json.dumps({"rows": 10, "columns": 5, "encode": 2.0}) + "\n")
    found = complexity.complexity(0, full=False, kept=kept)
    assert measured[1:] == [(10, 3), (20, 3), (20, 5)]
    assert [line["encode"] for line in found] == [1.5, 2.0, 1.5, 1.5]
    assert sorted(map(json.loads, kept.read_text().splitlines()), key=lambda line: line["rows"] * line["columns"]) == found


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


def test_both_sides_of_the_published_objective_make_steps_and_reach_an_elbo(monkeypatch):
    monkeypatch.setattr(published_objective, "ROWS", 700)
    monkeypatch.setattr(published_objective, "EXEMPLARS", 50)
    assert all(step() is None for step in bench.training_steps(0).values())
    task = published_objective.make_task(published_objective.generated(0)[0], 2, 0)
    plain = published_objective.reference(task, 5e-3, 1, 0.5)
    ours = published_objective.contender(task, *published_objective.ways(task)[published_objective.OURS], 0.1)
    assert (plain.epoch, ours.epoch) == (0.5 * task.steps, 0.1 * task.steps)
    assert [len(plain.moments), len(ours.moments)] == [1, 2]
    start = task.evaluate(task.fresh())
    assert all(moment.elbo > start and moment.seconds > 0 for moment in (*plain.moments, *ours.moments))
    assert ours.reached(ours.moments[0].elbo) == (ours.moments[0].seconds, ours.epoch)
    assert ours.reached(float("inf")) is None
