"""Reading: the same rows give the same typed table, whatever file they come in."""

import gzip
import hashlib
import math

import fsspec
import numpy as np
import pandas as pd
import pytest

from mgvae.config.dictionary import read_dictionary
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.extract.read import read_extract

COLUMNS = {
    "id": {"kind": "count", "role": "identifier"},
    "site": {"kind": "categorical", "categories": ["a", "b"], "role": ["identifier", "subgroup"]},
    "seen": {"kind": "date", "role": "excluded"},
    "born": {"kind": "date"},
    "age": {"kind": "count"},
    "lab": {"kind": "continuous", "missing_codes": [-9, "ND"]},
    "male": {"kind": "binary", "missing_codes": [9]},
    "stage": {"kind": "ordinal", "categories": ["I", "II", "III"], "missing_codes": ["?"]},
    "name": {"kind": "count", "role": "excluded"},
    "dead": {"kind": "binary", "role": "excluded"},
}
TEXT = """id,site,seen,born,age,lab,male,stage,name,dead,more
1,a,2020-03-01,1950-01-31,70,1.5,1,I,x,0,7
2,b,2020-03-02T23:59:00Z,,71,-9.0,1.0,II,y,1.0,7
3,,20200303,1951-02-01 08:00,, 2e0 ,True,III ,z,false,7
4,a,,31/01/1950,seventy,inf,9,?,w,,7
5,a,2020-03-05,2020-02-30,72,ND,,IV,v,2,7
"""


def study(extract, **changes):
    values = {
        "study": "s",
        "extract": str(extract),
        "subject_id": "id",
        "group": "site",
        "index_date": "seen",
        "outcome": {"column": "dead"},
        "columns": {"columns": COLUMNS},
    }
    return build(CohortConfig, values | changes, source="test")


def plain(series):
    return [None if pd.isna(value) else value for value in series]


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


def test_each_kind_is_typed_as_the_contract_says(csv):
    extract = read_extract(study(csv))
    frame = extract.frame
    assert list(frame) == ["id", "site", "seen", "born", "age", "lab", "male", "stage", "dead"]
    assert plain(frame["id"]) == ["1", "2", "3", "4", "5"]
    assert plain(frame["site"]) == ["a", "b", None, "a", "a"]
    assert frame["age"].dtype == frame["lab"].dtype == np.float64
    assert plain(frame["age"]) == [70, 71, None, None, 72]
    assert plain(frame["lab"]) == [1.5, None, 2.0, None, None]
    assert plain(frame["male"]) == ["1", "1", "1", None, None]
    assert plain(frame["stage"]) == ["I", "II", "III", None, "IV"]
    assert plain(frame["dead"]) == ["0", "1", "0", None, "2"]
    assert [str(day)[:10] for day in frame["seen"]] == ["2020-03-01", "2020-03-02", "2020-03-03", "NaT", "2020-03-05"]
    assert str(frame["born"].dtype) == "datetime64[us]"


def test_cells_that_cannot_be_read_are_marked(csv):
    unreadable = read_extract(study(csv)).unreadable
    assert list(unreadable) == ["seen", "born", "age", "lab"]
    assert {name: list(np.flatnonzero(unreadable[name])) for name in unreadable} == {
        "seen": [],
        "born": [3, 4],
        "age": [3],
        "lab": [3],
    }


def test_columns_are_accounted_for(csv):
    columns = COLUMNS | {"hdl": {"kind": "continuous"}}
    extract = read_extract(study(csv, columns={"columns": columns}))
    assert extract.absent == ("hdl",)
    assert extract.unlisted == ("more",)
    assert extract.files == 1
    assert extract.sha256 == hashlib.sha256(csv.read_bytes()).hexdigest()


def test_an_outcome_outside_the_dictionary_is_kept_as_text(csv):
    columns = {name: entry for name, entry in COLUMNS.items() if name != "dead"}
    extract = read_extract(study(csv, columns={"columns": columns}))
    assert plain(extract.frame["dead"]) == ["0", "1", "0", None, "2"]
    assert extract.unlisted == ("more",)


def _parquet(frame, path):
    frame.to_parquet(path, index=False)


def _tsv(frame, path):
    frame.to_csv(path, index=False, sep="\t")


FORMATS = {
    "t.csv": lambda frame, path: frame.to_csv(path, index=False),
    "crlf.csv": lambda frame, path: frame.to_csv(path, index=False, lineterminator="\r\n"),
    "bom.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-8-sig"),
    "quoted.csv": lambda frame, path: frame.to_csv(path, index=False, quoting=1),
    "blank.csv": lambda frame, path: path.write_text(frame.to_csv(index=False).replace("\n", "\n\n")),
    "t.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "t.csv.bz2": lambda frame, path: frame.to_csv(path, index=False),
    "t.tsv": _tsv,
    "t.parquet": _parquet,
}


@pytest.fixture
def table():
    draw = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "id": range(1, n + 1),
            "site": draw.choice(["a", "b"], n),
            "seen": "2020-03-01",
            "born": "1950-01-31",
            "age": pd.array(draw.integers(0, 99, n), dtype="Int32"),
            "lab": draw.normal(size=n),
            "male": pd.array(draw.integers(0, 2, n), dtype="Int8"),
            "stage": draw.choice(["I", "II", "III"], n),
            "name": 0,
            "dead": draw.choice([True, False], n),
        }
    )
    frame.loc[::7, ["age", "lab", "male", "stage"]] = pd.NA
    return frame


@pytest.fixture
def expected(table, tmp_path):
    path = tmp_path / "expected.csv"
    table.to_csv(path, index=False)
    return read_extract(study(path)).frame


@pytest.mark.parametrize("name", list(FORMATS))
def test_formats_agree(name, table, expected, tmp_path):
    FORMATS[name](table, tmp_path / name)
    extract = read_extract(study(tmp_path / name))
    pd.testing.assert_frame_equal(extract.frame, expected)
    assert not extract.unreadable.to_numpy().any()


def test_parquet_types_do_not_matter(table, expected, tmp_path):
    other = table.assign(
        site=table["site"].astype("category"),
        seen=pd.to_datetime(table["seen"]).dt.tz_localize("Asia/Tokyo"),
        born=pd.to_datetime(table["born"]).dt.date,
        age=table["age"].astype(float),
        male=table["male"].map({0: "false", 1: "TRUE"}),
    )
    other.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_extract(study(tmp_path / "t.parquet")).frame, expected)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("place", ["folder", "glob", "memory"])
def test_parts_agree_with_one_file(suffix, place, table, expected, tmp_path):
    root = f"memory://{tmp_path.name}" if place == "memory" else str(tmp_path / "parts")
    fs, path = fsspec.core.url_to_fs(root)
    fs.makedirs(f"{path}/_temporary", exist_ok=True)
    fs.pipe_file(f"{path}/_SUCCESS", b"")
    fs.pipe_file(f"{path}/_temporary/half{suffix}", b"half")
    fs.pipe_file(f"{path}/notes.txt", b"no part")
    hashed = hashlib.sha256()
    for number, start in enumerate(range(0, len(table), 120)):
        part = table.iloc[start : start + 120].drop(columns="more", errors="ignore")
        content = part.to_parquet(index=False) if suffix == ".parquet" else part.to_csv(index=False).encode()
        fs.pipe_file(f"{path}/part-{number}{suffix}", content)
        hashed.update(content)
    extract = read_extract(study(f"{root}/part-*{suffix}" if place == "glob" else root))
    pd.testing.assert_frame_equal(extract.frame, expected)
    assert extract.files == 3
    assert extract.sha256 == hashed.hexdigest()


def test_folder_names_carry_columns(table, expected, tmp_path):
    for site, part in table.groupby("site"):
        (tmp_path / "parts" / f"site={site}").mkdir(parents=True)
        part.drop(columns="site").to_parquet(tmp_path / "parts" / f"site={site}" / "0.parquet", index=False)
    frame = read_extract(study(tmp_path / "parts")).frame
    in_order = expected.sort_values("site", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, in_order)


def test_text_levels_are_not_numbers(tmp_path):
    columns = COLUMNS | {"stage": {"kind": "categorical", "categories": ["010", "10", "x"]}}
    path = tmp_path / "t.csv"
    path.write_text("id,site,seen,stage,dead\n1,a,2020-01-01,010,0\n2,a,2020-01-01,10,1\n3,a,2020-01-01,10.0,1\n")
    frame = read_extract(study(path, columns={"columns": columns})).frame
    assert plain(frame["stage"]) == ["010", "10", "10.0"]


@pytest.mark.parametrize(
    ("levels", "cells", "read"),
    [
        ("[no, yes]", ["no", "yes", "No"], ["no", "yes", "No"]),  # levels of the dictionary are matched as they are spelt
        ("[NO, SE, DK]", ["NO", "DK", "no"], ["NO", "DK", "no"]),
        ("[010, 10, 1e]", ["010", "10", "10.0"], ["010", "10", "10"]),
        ("[1900-01-01, 12:30]", ["1900-01-01", "12:30", ""], ["1900-01-01", "12:30", None]),
        ("[false, true]", ["false", "TRUE", "yes"], ["0", "1", "yes"]),
        ("[9007199254740993, 9007199254740992]", ["9007199254740993", "9007199254740992.0", "3"], None),
    ],
)
def test_levels_of_a_dictionary_file_match_the_text_of_the_cells(levels, cells, read, tmp_path):
    (tmp_path / "d.yaml").write_text(f"columns:\n  x:\n    kind: categorical\n    categories: {levels}\n")
    columns = COLUMNS | read_dictionary(tmp_path / "d.yaml").model_dump(exclude_unset=True)["columns"]
    path = tmp_path / "t.csv"
    path.write_text("id,site,seen,x,dead\n" + "".join(f"{n},a,2020-01-01,{cell},{n % 2}\n" for n, cell in enumerate(cells)))
    expected = read or ["9007199254740993", "9007199254740992", "3"]
    assert plain(read_extract(study(path, columns={"columns": columns})).frame["x"]) == expected


def test_a_missing_code_with_zeros_ahead_is_text_and_no_number(tmp_path):
    (tmp_path / "d.yaml").write_text("columns:\n  x:\n    kind: count\n    missing_codes: [010, -9]\n")
    columns = COLUMNS | read_dictionary(tmp_path / "d.yaml").model_dump(exclude_unset=True)["columns"]
    path = tmp_path / "t.csv"
    path.write_text(
        "id,site,seen,x,dead\n1,a,2020-01-01,010,0\n2,a,2020-01-01,10,1\n3,a,2020-01-01,-9.0,1\n4,a,2020-01-01,8,1\n"
    )
    assert plain(read_extract(study(path, columns={"columns": columns})).frame["x"]) == [None, 10.0, None, 8.0]


def test_large_identifiers_keep_every_digit(tmp_path):
    ids = pd.array([2**53 + 1, 2**53 + 2, None], dtype="Int64")
    pd.DataFrame({"id": ids, "age": 1, "dead": 0}).to_parquet(tmp_path / "t.parquet")
    frame = read_extract(study(tmp_path / "t.parquet")).frame
    assert plain(frame["id"]) == ["9007199254740993", "9007199254740994", None]


def test_numbers_are_read_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).normal(size=2000) * 10.0 ** np.random.default_rng(1).integers(-20, 20, 2000)
    pd.DataFrame({"id": range(2000), "lab": [repr(float(v)) for v in values], "dead": 0}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert (read_extract(study(tmp_path / "t.csv")).frame["lab"].to_numpy() == values).all()


def test_infinite_cells_of_parquet_are_unreadable(tmp_path):
    pd.DataFrame({"id": range(4), "lab": [1.0, math.inf, math.nan, -9.0], "dead": 0}).to_parquet(tmp_path / "t.parquet")
    extract = read_extract(study(tmp_path / "t.parquet"))
    assert list(extract.unreadable["lab"]) == [False, True, False, False]
    assert plain(extract.frame["lab"]) == [1.0, None, None, None]


def test_quoted_cells_may_hold_commas_quotes_and_line_breaks(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,"stage ",dead\n1,"I, or\nII",0\n2,"5"" tall",1\n3,6" tall,1\n')
    assert plain(read_extract(study(path)).frame["stage"]) == ["I, or\nII", '5" tall', '6" tall']


def test_many_blocks_are_one_table(tmp_path, monkeypatch):
    monkeypatch.setattr("mgvae.extract.csv_file.BLOCK", 64)
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("id,stage,dead\n" + "".join(f"{i},é,{i % 2}\n" for i in range(500)))
    frame = read_extract(study(path)).frame
    assert plain(frame["id"]) == [str(i) for i in range(500)]
    assert set(frame["stage"]) == {"é"}
