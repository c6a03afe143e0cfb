"""Whatever a Parquet file stores its cells as, the same values are read, exactly."""

import datetime
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgvae.config.dictionary import canonical
from mgvae.draft.columns import draft_column
from mgvae.draft.scan import look_at
from mgvae.extract.read import read_extract
from tests.mgvae.extract.test_csv_layout import study

N = 600
KEYS = [10**17 + row for row in range(N)]


def written(tmp_path, **columns):
    died = pa.array([int(row % 9 == 0) for row in range(N)])
    pq.write_table(pa.table({**columns, "died": died}), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def ids(tmp_path, cells):
    path = written(tmp_path, id=cells, age=pa.array(np.arange(N) % 60))
    frame = read_extract(study(path, columns={"id": {"role": "identifier"}, "age": {"kind": "count"}})).frame
    drafted = draft_column(look_at(str(path)).columns[0])
    assert drafted.role == ("identifier",)
    return frame["id"].tolist()


@pytest.mark.parametrize(
    "stored", [pa.decimal128(38, 0), pa.decimal128(38, 2), pa.decimal256(40, 0), pa.int64(), pa.uint64(), pa.string()], ids=str
)
def test_long_keys_are_exact_in_every_type(stored, tmp_path):
    cells = pa.array([str(key) for key in KEYS]) if stored == pa.string() else pa.array(KEYS).cast(stored)
    assert ids(tmp_path, cells) == [str(key) for key in KEYS]


def test_a_uuid_is_its_usual_text(tmp_path):
    keys = [uuid.UUID(int=row) for row in range(N)]
    for stored in (pa.uuid(), pa.binary(16)):
        cells = pa.array([key.bytes for key in keys], pa.binary(16))
        cells = pa.ExtensionArray.from_storage(stored, cells) if stored == pa.uuid() else cells
        assert ids(tmp_path, cells) == [str(key) for key in keys]


@pytest.mark.parametrize("stored", [pa.binary(), pa.large_binary(), pa.binary(6), pa.large_string(), pa.string_view()], ids=str)
def test_text_of_a_writer_that_did_not_say_so(stored, tmp_path):
    texts = [f"p-{row:04}" for row in range(N)]
    cells = pa.array([text.encode() for text in texts]) if "binary" in str(stored) else pa.array(texts)
    assert ids(tmp_path, cells.cast(stored)) == texts


def test_bytes_that_are_no_text_are_distinct(tmp_path):
    assert len(set(ids(tmp_path, pa.array([bytes([255, row % 256, row // 256]) for row in range(N)])))) == N


def test_identifiers_that_only_look_alike_are_two(tmp_path):
    cells = [f"a {row}" for row in range(N - 1)]
    assert len(set(ids(tmp_path, pa.array([*cells, "a  1"])))) == N


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("100000000000000001"), "100000000000000001"),
        (Decimal("1.0"), "1"),
        (Decimal("1E+20"), "100000000000000000000"),
        (Decimal("250.10"), "250.1"),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("NaN"), "nan"),
    ],
)
def test_the_canonical_text_of_a_decimal_keeps_every_digit(value, text):
    assert canonical(value) == text


@pytest.mark.parametrize(
    "stored",
    [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("us"), pa.timestamp("s", tz="America/Lima")],
    ids=str,
)
def test_days_beyond_the_calendar_are_no_crash(stored, tmp_path):
    day = {"date32[day]": 1, "date64[ms]": 86_400_000}.get(str(stored)) or {"s": 1, "ms": 10**3, "us": 10**6}[
        stored.unit
    ] * 86_400
    most = 2**31 - 1 if stored == pa.date32() else (2**63 - 1) // max(day, 86_400_000)
    numbers = [18_000 + row for row in range(N)]
    numbers[:4] = [most, -most, 2_932_897, -719_163 if stored.id == pa.date32().id else -719_200]
    whole = pa.array([number * day for number in numbers], pa.int32() if stored == pa.date32() else pa.int64())
    path = written(tmp_path, id=pa.array(range(N)), age=pa.array(np.arange(N) % 60), seen=whole.cast(stored))
    drafted = draft_column(look_at(str(path)).columns[2])
    assert drafted.kind == "date"
    assert drafted.missing_codes == ("-infinity", "infinity")
    columns = {"id": {"role": "identifier"}, "age": {"kind": "count"}, "seen": {"kind": "date", "role": "excluded"}}
    config = study(path, columns=columns, index_date="seen")
    assert read_extract(config).unreadable["seen"].sum() == 4
    columns["seen"]["missing_codes"] = drafted.missing_codes
    extract = read_extract(study(path, columns=columns, index_date="seen"))
    assert not extract.unreadable["seen"].any()
    assert extract.frame["seen"].isna().sum() == 4


def test_a_missing_code_that_is_a_day_is_compared_as_a_day(tmp_path):
    codes = {"missing_codes": ["9999-12-31", "00010101"]}
    columns = {"id": {"role": "identifier"}, "age": {"kind": "count"}, "seen": {"kind": "date", "role": "excluded", **codes}}
    cells = ["9999-12-31 00:00:00", "99991231", "0001-01-01T00:00:00Z", "2020-01-01", "20200102.0"]
    (tmp_path / "t.csv").write_text("id,age,seen,died\n" + "".join(f"{row},30,{cell},0\n" for row, cell in enumerate(cells)))
    extract = read_extract(study(tmp_path / "t.csv", columns=columns, index_date="seen"))
    assert extract.frame["seen"].isna().tolist() == [True, True, True, False, False]
    assert not extract.unreadable["seen"].any()
    days = [datetime.datetime(9999, 12, 31), datetime.datetime(2020, 1, 1, 8, 30)] * 2
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": range(4), "age": 30, "seen": pd.Series(days, dtype="datetime64[us]"), "died": 0}).to_parquet(path)
    extract = read_extract(study(path, columns=columns, index_date="seen"))
    assert extract.frame["seen"].isna().tolist() == [True, False] * 2


def test_infinite_numbers_may_be_named_as_missing(tmp_path):
    cells = [1.5, np.inf, -np.inf, 2.5] * (N // 4)
    path = written(tmp_path, id=pa.array(range(N)), bmi=pa.array(cells))
    columns = {"id": {"role": "identifier"}, "bmi": {"kind": "continuous"}}
    assert read_extract(study(path, columns=columns)).unreadable["bmi"].sum() == N // 2
    columns["bmi"]["missing_codes"] = draft_column(look_at(str(path)).columns[1]).missing_codes
    assert set(columns["bmi"]["missing_codes"]) == {"inf", "-inf"}
    assert not read_extract(study(path, columns=columns)).unreadable["bmi"].any()


@pytest.mark.parametrize(
    ("form", "cells", "numbers"),
    [
        ("1,234.5", ["1,482", "837", "1.482", "1,48"], [1482, 837, 1.482, None]),
        ("1234,5", ["1,482", "837", "1.482", ""], [1.482, 837, None, None]),
        ("1234.5 %", ["56 %", "57%", "58", "x"], [56, 57, None, None]),
    ],
)
def test_numbers_are_read_by_their_format(form, cells, numbers, tmp_path):
    rows = "".join(f'{row},"{cell}",0\n' for row, cell in enumerate(cells))
    (tmp_path / "t.csv").write_text("id,x,died\n" + rows)
    columns = {"id": {"role": "identifier"}, "x": {"kind": "continuous", "format": form}}
    extract = read_extract(study(tmp_path / "t.csv", columns=columns))
    assert [None if pd.isna(value) else value for value in extract.frame["x"]] == numbers
    assert extract.unreadable["x"].tolist() == [
        number is None and cell != "" for cell, number in zip(cells, numbers, strict=True)
    ]
