"""Numbers in text read alike by Arrow and by the slower way that reads every spelling."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.dictionary import Column
from mgvae.extract import cells

SPELLINGS = [
    "1",
    "-2",
    "+4",
    "5.",
    "0.5",
    ".5",
    "1e5",
    "1E-3",
    "NA",
    "-9",
    "010",
    "10",
    "1,5",
    "abc",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "1e400",
    "1e-400",
    "true",
    "0x1F",
    "1_000",
    "1d5",
    "-",
    "--",
    "1e",
    "e5",
    "12345678901234567890",
    "9007199254740993",
    "0.1234567890123456",
    "-0",
    "１２",
]
TEXTS = st.one_of(st.sampled_from([*SPELLINGS, "", " 3 ", "\u00a07", "1 000", None]), st.floats(width=64).map(repr))
CODES = st.lists(st.sampled_from(["NA", -9, "010", 10, "inf"]), max_size=2, unique=True)


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), codes=CODES)
def test_numbers_in_text_are_the_same_by_both_ways(texts, codes):
    read, column = pa.array(texts, pa.string()), Column(kind="continuous", missing_codes=tuple(codes))
    values, bad = cells.numbers(read, column)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "_plain_numbers", lambda *_: None)
        expected, expected_bad = cells.numbers(read, column)
    pd.testing.assert_series_equal(values, expected, check_exact=True)
    assert bad.tolist() == expected_bad.tolist()


@pytest.mark.parametrize(
    ("texts", "codes", "values"),
    [
        (["1.5", "-9", "", None], ["-9"], [1.5, None, None, None]),
        ([], [], []),
        ([None], [], [None]),
        (["1.5", "few"], [], None),
        (["1.5", "inf"], [], None),
        (["1.5", "nan"], [], None),
    ],
)
def test_plain_numbers_are_read_by_arrow_and_other_texts_are_not(texts, codes, values):
    found = cells._plain_numbers(pa.array(texts, pa.string()), codes)
    assert (found is None) if values is None else pd.Series(found, dtype=float).equals(pd.Series(values, dtype=float))
