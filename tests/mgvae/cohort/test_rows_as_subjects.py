"""An extract without a subject id: each row is a subject of its own, named by its number in the extract."""

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import build_cohort
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.errors import ConfigError, ExtractError
from mgvae.extract.read import read_extract
from tests.mgvae.extract.test_read import study
from validation.checks import validate

COLUMNS = {"a": {"kind": "continuous"}, "dead": {"kind": "binary", "role": "excluded"}}


def table(n=40):
    return pd.DataFrame({"a": np.arange(n) % 7 + 0.5, "dead": np.where(np.arange(n) % 4 == 0, 1, 0).astype(float)})


def config(path="t.csv", **changes):
    values = {"subject_id": None, "group": None, "index_date": None, "columns": {"columns": COLUMNS}}
    return study(path, **values | changes)


def test_subjects_are_the_numbers_of_their_rows_in_the_extract():
    frame = table()
    frame.loc[2, "dead"] = np.nan  # not eligible, and still counted
    cohort = build_cohort(config(), frame.assign(dead=frame["dead"].map({0.0: "0", 1.0: "1"})))
    assert cohort.subject.tolist() == [str(number) for number in range(1, 41) if number != 3]
    assert len(set(cohort.group)) == len(cohort)


def test_such_an_extract_is_read_and_passes(tmp_path):
    table().astype({"dead": int}).to_csv(tmp_path / "t.csv", index=False)
    wanted = config(tmp_path / "t.csv")
    extract = read_extract(wanted)
    assert list(extract.frame) == ["a", "dead"]
    assert validate(extract.frame, extract.unreadable, wanted).passed


def test_it_must_be_said():
    values = {key: value for key, value in config().model_dump().items() if key != "subject_id"}
    with pytest.raises(ConfigError, match="subject_id: this key is required"):
        build(CohortConfig, values, source="cohort.yaml")


def test_a_first_line_that_is_a_row_is_not_quoted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("417,1,1,?,male\n418,0,1,2,male\n")
    with pytest.raises(ExtractError, match="the first line must name the columns; most of its 5 fields") as caught:
        read_extract(study(path))
    assert "417" not in str(caught.value)
