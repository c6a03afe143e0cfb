"""--as-of: what is never dated later predicts, what is dated later does not."""

import numpy as np
import pandas as pd
import pytest

from mgvae.config.study import load_config
from mgvae.config.yaml_reader import parse_yaml
from mgvae.draft.draft import draft
from mgvae.draft.yaml_text import COHORT, DICTIONARY, cohort_text, dictionary_text
from mgvae.errors import ConfigError

N = 200


@pytest.fixture
def extract(tmp_path):
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(np.arange(N) % 180, unit="D")
    earlier, later = day - pd.Timedelta(days=30), day + pd.to_timedelta(np.where(np.arange(N) == 7, 1, 0), unit="D")
    frame = pd.DataFrame(
        {
            "admitted": day.strftime("%Y-%m-%d %H:%M:%S"),
            "first_seen": earlier.strftime("%d.%m.%Y"),
            "same_day": day.strftime("%Y-%m-%d"),
            "scanned": later.strftime("%Y-%m-%d"),
            "death_date": day.strftime("%Y-%m-%d"),
            "age": np.arange(N) % 60 + 18,
            "died": (np.arange(N) % 9 == 0).astype(int),
        }
    )
    frame.loc[3, "first_seen"] = ""
    frame.to_csv(tmp_path / "e.csv", index=False)
    return tmp_path / "e.csv"


def test_dates_never_later_become_predictors(extract):
    made = draft(str(extract), outcome="died", as_of="admitted")
    assert made.predictors == ("first_seen", "same_day", "age")
    notes = {column.name: " ".join(column.notes) for column in made.columns}
    assert "dated later than 'admitted' in 1 rows" in notes["scanned"]
    assert "never later than 'admitted'" in notes["first_seen"]
    (extract.parent / DICTIONARY).write_text(dictionary_text(made))
    (extract.parent / COHORT).write_text(cohort_text(made, str(extract), extract.parent))
    config = load_config(extract.parent / COHORT)
    assert config.index_date == "admitted"
    assert config.reviews.unconfirmed


def test_without_it_all_dates_wait(extract):
    made = draft(str(extract), outcome="died")
    assert made.predictors == ("age",)
    assert "# index_date: admitted" in cohort_text(made, str(extract), extract.parent)


@pytest.mark.parametrize("name", ["age", "admited"])
def test_it_must_be_a_date(extract, name):
    with pytest.raises(ConfigError, match=rf"--as-of {name}: must be a column of dates; .* are: admitted, first_seen"):
        draft(str(extract), outcome="died", as_of=name)


def test_all_predictors_stand_in_one_question(extract):
    made = draft(str(extract), outcome="died", as_of="admitted")
    text = cohort_text(made, str(extract), extract.parent)
    at = text.index("confirm that each predictor is known at the index date")
    assert text[at:].splitlines()[1] == "#   first_seen, same_day, age"
    assert "outcome" in parse_yaml(text, source="draft")
