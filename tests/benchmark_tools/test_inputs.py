"""The benchmark of inputs: it calls right what is, and notices what is not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.inputs import __main__ as benchmark
from tests.benchmarks.inputs.folders import DRAFTED, INPUTS, VALIDATED, judge_folder
from tests.benchmarks.inputs.judge import judge
from tests.benchmarks.inputs.truth import cohort
from tests.benchmarks.inputs.variants import Variant, variants

PLAIN = {"number": "plain", "date": "iso", "null": "", "key": "short", "alike": "as they are"}


@pytest.fixture
def variant(tmp_path):
    made = cohort(np.random.default_rng(0), **PLAIN)
    made.written.to_csv(tmp_path / "t.csv", index=False)
    return Variant("plain", tmp_path / "t.csv", made, {})


def test_a_plain_table_is_right(variant, tmp_path):
    assert judge(variant, tmp_path / "s").verdict == "right"


@pytest.mark.parametrize(
    "fault",
    [
        {"age": lambda cells: cells + 1},
        {"platelets": lambda cells: cells.fillna(0.0)},
        {"ward": lambda cells: cells.where(cells != "B", "A")},
        {"phecode": lambda cells: cells.replace("250.10", "250.1")},
        {"admitted": lambda cells: cells + pd.Timedelta(days=1)},
        {"patient_id": lambda cells: cells.str.lstrip("1")},
        {"died": lambda cells: 1 - cells},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_another_value_is_wrong(fault, variant, tmp_path):
    changed = variant.cohort.truth.assign(**{name: change(variant.cohort.truth[name]) for name, change in fault.items()})
    other = dataclasses.replace(variant, cohort=dataclasses.replace(variant.cohort, truth=changed))
    assert judge(other, tmp_path / "s").verdict == "wrong"


def test_a_row_too_many_is_wrong_and_a_refusal_is_clear(variant, tmp_path):
    text = variant.path.read_text()
    variant.path.write_text(text + text.splitlines()[-1] + "\n")
    assert judge(variant, tmp_path / "s").verdict == "wrong"
    variant.path.write_text(text + "1,2\n")
    assert judge(variant, tmp_path / "s").verdict == "clear"


def test_an_error_that_nobody_foresaw_is_a_crash(variant, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.benchmarks.inputs.judge.read_extract", lambda config: 1 / 0)
    assert judge(variant, tmp_path / "s").verdict == "crash"


def test_generated_variants_are_read(tmp_path):
    found = [judge(one, tmp_path / f"s{place}") for place, one in enumerate(variants(tmp_path, seed=7, number=12))]
    assert {one.verdict for one in found} <= {"right", "clear"}
    assert [one.verdict for one in found].count("right") > 6


def test_the_exit_code_says_whether_all_is_well(monkeypatch, capsys, variant, tmp_path):
    verdicts = iter(("right", "wrong"))
    monkeypatch.setattr(benchmark, "judged", lambda *_, **__: [benchmark.Judged("x", next(verdicts), "why")])
    monkeypatch.setattr("sys.argv", ["inputs"])
    benchmark.main()
    assert "1 right, 0 clear, 0 wrong, 0 crash of 1" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        benchmark.main()
    assert "wrong  x: why" in capsys.readouterr().out


@pytest.mark.skipif(not INPUTS.is_dir(), reason="the reported inputs are not here")
@pytest.mark.parametrize("name", [*DRAFTED, *VALIDATED, "names-beyond-ascii"])
def test_a_reported_input(name, tmp_path):
    found = judge_folder(INPUTS / name, tmp_path / "s")
    assert found.verdict in ("right", "clear"), found.why
