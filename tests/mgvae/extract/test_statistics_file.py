"""Tables of SPSS, SAS and Stata are the table that a CSV file would be, with the texts of their value labels."""

import datetime

import numpy as np
import pandas as pd
import pytest

from mgvae.draft.scan import look_at
from mgvae.errors import ExtractError
from mgvae.extract import bounds
from mgvae.extract.parts import find_parts
from mgvae.extract.read import read_extract
from mgvae.extract.statistics_file import statistics_header
from tests.mgvae.extract.test_csv_layout import study

pyreadstat = pytest.importorskip("pyreadstat")

ROWS = 90
LABELS = {"sex": {1.0: "female", 2.0: "male"}, "grade": {9.0: "not known"}, "died": {0.0: "no", 1.0: "yes"}}
COLUMNS = {
    "id": {"kind": "count", "role": "identifier"},
    "age": {"kind": "count"},
    "grade": {"kind": "count", "missing_codes": [9]},
    "ward": {"kind": "categorical", "categories": ["Zoë", "B"]},
    "seen": {"kind": "date", "role": "excluded"},
}


@pytest.fixture
def table():
    row = np.arange(ROWS)
    return pd.DataFrame(
        {
            "id": row + 1.0,
            "age": np.where(row % 10 == 3, np.nan, 20.0 + row % 60),
            "sex": 1.0 + row % 2,
            "grade": np.where(row % 7 == 0, 9.0, row % 3),
            "ward": np.where(row % 3 == 0, "Zoë", "B"),
            "seen": [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in row],
            "died": (row % 9 == 0) * 1.0,
        }
    )


def write(table, path):
    labels = {"variable_value_labels": LABELS}
    if path.suffix == ".sav":
        pyreadstat.write_sav(table, str(path), **labels)
    elif path.suffix == ".dta":
        pyreadstat.write_dta(table, str(path), **labels)
    else:
        pyreadstat.write_xport(table, str(path), file_format_version=8)
    return path


def config(path, event):
    sex = {"kind": "binary", "categories": ["female", "male"] if event == "yes" else [1, 2]}
    return study(path, columns=COLUMNS | {"sex": sex}, outcome={"column": "died", "event": event}, index_date="seen")


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xpt"])
def test_the_same_table_as_in_a_csv_file(suffix, table, tmp_path):
    texts = table if suffix == ".xpt" else table.assign(**{name: table[name].map(LABELS[name]) for name in ("sex", "died")})
    texts.to_csv(tmp_path / "t.csv", index=False)
    extract = read_extract(config(write(table, tmp_path / f"t{suffix}"), 1 if suffix == ".xpt" else "yes"))
    expected = read_extract(config(tmp_path / "t.csv", 1 if suffix == ".xpt" else "yes"))
    pd.testing.assert_frame_equal(extract.frame, expected.frame)
    assert not extract.unreadable.to_numpy().any()
    assert {name: extract.stored[name] for name in ("age", "ward", "seen")} == {"age": "number", "ward": "text", "seen": "date"}


def test_a_draft_has_the_labels(table, tmp_path):
    seen = {column.name: column for column in look_at(str(write(table, tmp_path / "t.sav"))).columns}
    assert seen["sex"].values == ("female", "male")
    assert seen["grade"].values == ("0", "1", "2", "9")  # one label does not make levels


def test_values_that_the_file_declares_as_missing_are_missing(table, tmp_path):
    pyreadstat.write_sav(table, str(tmp_path / "t.sav"), missing_ranges={"grade": [9]})
    assert read_extract(config(tmp_path / "t.sav", 1)).frame["grade"].max() == 2


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xpt", ".sas7bdat"])
def test_a_damaged_table(suffix, table, tmp_path):
    path = write(table, tmp_path / "t.sav").rename(tmp_path / f"t{suffix}")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ExtractError, match=r"it is damaged, cut off or of another kind|is cut off|rows, as its header says"):
        read_extract(config(path, 1))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_table_that_is_cut_off(share, table, tmp_path):
    path = write(table, tmp_path / "t.dta")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ExtractError, match=r"damaged, cut off|is cut off|rows, as its header says"):
        read_extract(config(path, 1))


def test_without_the_package_it_says_which(table, tmp_path, monkeypatch):
    path = write(table, tmp_path / "t.sav")
    monkeypatch.setitem(__import__("sys").modules, "pyreadstat", None)
    with pytest.raises(ExtractError, match=r"need the package pyreadstat; it is not installed. Install it with pip"):
        read_extract(config(path, 1))


def test_a_table_that_unpacks_beyond_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", 1_000_000)
    monkeypatch.setattr(bounds, "MOST_TIMES", 100)
    path = tmp_path / "t.sav"
    for rows, whole in ((4_000, True), (6_000, False)):
        pyreadstat.write_sav(pd.DataFrame({"a": np.zeros(rows), "t": ["x" * 200] * rows}), str(path), compress=True)
        one = find_parts(str(path))[0]
        if whole:
            assert statistics_header(one) == ["a", "t"]
        else:
            with pytest.raises(ExtractError, match=r"must unpack to at most .*; it is larger. .* save it in several files"):
                statistics_header(one)
