"""The table of what a draft of raw cohorts should propose: who judges it, and the cohorts whose columns tell all of it."""

import pandas as pd
import pytest

from mgvae.draft.draft import draft
from tests.benchmarks.drafts import DATA, EXPECTED, RAW, Expected, drafted, judged

TABLE = pd.DataFrame(
    {
        "age": [row % 60 + 20 for row in range(200)],
        "time": [row % 97 for row in range(200)],
        "died": [int(row % 9 == 0) for row in range(200)],
    }
)


def test_hits_and_misses(tmp_path):
    TABLE.to_csv(tmp_path / "e.csv", index=False)
    made = draft(str(tmp_path / "e.csv"))
    right = Expected(("died",), None, None, ("time",), ("age",), event=1)
    assert all(hit for _, hit in judged(made, right))
    wrong = Expected(("age",), "age", "age", ("age", "nowhere"), ("time", "nowhere"), event=0)
    assert not any(hit for text, hit in judged(made, wrong) if "little else" not in text)


def test_each_cohort_has_a_table_and_a_reader():
    assert list(EXPECTED) == list(RAW)


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "nafld").is_dir(), reason="the data sets for measuring are not here")
@pytest.mark.parametrize("name", ["nafld_long", "aids_actg320", "crash2", "diabetes130"])
def test_cohorts_whose_columns_tell_it_all(name, tmp_path):
    assert [text for text, hit in judged(drafted(name, DATA, tmp_path), EXPECTED[name]) if not hit] == []
