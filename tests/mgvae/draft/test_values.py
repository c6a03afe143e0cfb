"""Codes for "missing": found where they stand out, and left alone where they are ordinary values."""

import numpy as np
import pytest

from mgvae.draft.nulls import number_codes, text_codes


def codes(values, counts=None):
    found = np.array(sorted(values), dtype=float)
    return number_codes(found, np.array(counts if counts is not None else [50] * len(found)))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 2, 3, -9], [-9]),
        ([0.5, 1.25, 40, -9, -99], [-99, -9]),
        ([0, 1, -1], [-1]),
        ([0.5, 1.5, 2, -1], []),  # a change of -1 may well be one
        ([-2, -1, 0, 1, 2], []),
        ([-3.5, -2, 4, 12, -999], [-999]),
        ([-9, -7.5, 0, 3], []),
        ([18, 40, 70, 98, 999], [999]),
        ([18, 40, 70, 98, 99], []),
        ([1, 2, 3, 99], [99]),
        ([1, 2, 3, 98, 99], [98, 99]),
        ([0, 1, 9], [9]),
        (list(range(10)), []),
        ([0, 1, 2, 3, 4, 5, 9], []),
        ([1.5, 20, 37.2, 999.9], [999.9]),
        ([0, 1, 2, 3, -9, 99], [-9, 99]),
        ([120, 900, 9999, 12000], []),
        ([0, 99], []),  # two values are two values
        ([-1, 1], []),
        ([5, 10, 500], []),
    ],
)
def test_numbers(values, expected):
    assert codes(values) == expected


def test_a_rare_high_value_of_two_digits_may_be_true():
    assert codes([0, 1, 2, 3, 9], [500, 80, 10, 3, 1]) == []
    assert codes([0, 1, 2, 3, 9], [500, 80, 10, 3, 25]) == [9]


def test_numbers_at_the_ends_of_what_can_be():
    assert codes([-1e308, 0, 1e308]) == []


def test_texts():
    assert text_codes(("?", "NA", "n/a", "NULL", ".", "#NUM!", "unknown", "None", "Norm", "0")) == [
        *("?", "NA", "n/a", "NULL", ".", "#NUM!")
    ]
