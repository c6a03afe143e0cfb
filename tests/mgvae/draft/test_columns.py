"""What a column is taken for, one column at a time."""

import pandas as pd
import pytest

from mgvae.draft.columns import draft_column
from mgvae.draft.ranges import with_range
from mgvae.draft.scan import Seen


def column(name, cells, stored="text"):
    """Return the entry of a column with these cells; an empty text is an empty cell."""
    codes, values = pd.factorize(pd.Series(cells, dtype=object).replace("", None).map(str, na_action="ignore"), sort=True)
    seen = Seen(name, tuple(values), codes, stored)
    return with_range(seen, draft_column(seen))


def said(drafted, words):
    return any(words in note for note in drafted.notes)


@pytest.mark.parametrize(
    ("name", "cells", "kind", "categories"),
    [
        ("smoker", [0, 1], "binary", (0, 1)),
        ("smoker", ["yes", "no"], "binary", ("no", "yes")),
        ("smoker", ["True", "False"], "binary", ("False", "True")),
        ("sex", ["m", "f"], "binary", ("f", "m")),
        ("sex", [1, 2], "binary", (1, 2)),
        ("smoker", ["1", "0", "9"], "binary", (0, 1)),
        ("age", ["[0-10)", "[10-20)", "[100-110)", "[90-100)"], "ordinal", ("[0-10)", "[10-20)", "[90-100)", "[100-110)")),
        ("age", ["<18", "18-64", "65+"], "ordinal", ("<18", "18-64", "65+")),
        ("nyha", ["IV", "II", "I", "III"], "ordinal", ("I", "II", "III", "IV")),
        ("tumour", ["Stage 2", "stage i", "stage iii"], "categorical", ("Stage 2", "stage i", "stage iii")),
        ("pain", ["severe", "None", "mild"], "ordinal", ("None", "mild", "severe")),
        ("ward", ["a", "b", "c"], "categorical", ("a", "b", "c")),
        ("admission_type_id", [1, 2, 3], "categorical", (1, 2, 3)),
        ("code", ["010", "10", "7"], "categorical", ("010", "10", "7")),
        ("visits", [0, 1, 2, 3, 17], "count", ()),
        ("base_excess", [-3, 0, 2, 5], "continuous", ()),
        ("crp", ["0.5", "1e1", "7"], "continuous", ()),
    ],
)
def test_kind_and_levels(name, cells, kind, categories):
    drafted = column(name, cells * 30)
    assert (drafted.kind, drafted.categories) == (kind, categories)
    assert drafted.predicts


def test_ranked_levels_and_few_whole_numbers_are_for_review():
    assert said(column("age", ["[0-10)", "[10-20)", "[20-30)"] * 9), "check their order")
    assert said(column("karnof", [70, 80, 90] * 9), "a count, or codes of categories")
    assert said(column("site_code", [1, 2, 3] * 9), "taken for codes of categories because of the name")


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([""] * 90, "every cell is missing"),
        (["?", "NA", ""] * 30, "every cell is missing"),
        (["x"] * 90, "the same value in every row"),
        (["5", "?"] * 45, "the same value in every row"),
        ([f"d{row % 60}" for row in range(600)], "60 different texts in 600 rows; group them"),
        ([f"he said that it was {row // 2}" for row in range(90)], "45 different texts in 90 rows"),
        (["east"] * 500 + ["west"] * 400 + [f"other: {row}" for row in range(15)], "17 different texts in 915 rows"),
        (["a long story " * 9, "x", "y"] * 30, "3 different texts in 90 rows"),
        (["1,512", "2,250", "3,001", "8,999"] * 30, "thousands with a separator, or decimals"),
        ([*("12 %", "13 %") * 9, *map(str, range(20))], "followed by different texts"),
        (["31/01/2020", "01/02/2020", "29.02.2020"] * 30, "dates that are not ISO"),
        ([*map(str, range(80)), "see notes", "see letter"], "2 cells hold other text"),
    ],
)
def test_what_cannot_be_used_is_excluded_with_the_reason(cells, why):
    drafted = column("x", cells)
    assert drafted.role == ("excluded",)
    assert said(drafted, why)
    assert not drafted.categories


def test_mostly_missing_is_excluded():
    drafted = column("weight", ["a", "b"] * 2 + ["?"] * 96)
    assert drafted.role == ("excluded",)
    assert said(drafted, "missing in 96 % of rows")
    assert column("weight", ["a", "b"] * 3 + ["?"] * 94).max_missing == 0.95


@pytest.mark.parametrize(("missing", "ceiling"), [(0, 0.05), (10, 0.2), (30, 0.45), (90, 0.95)])
def test_the_ceiling_on_missing_cells_lies_above_todays_share(missing, ceiling):
    cells = ["3.5", "4.5", "6"] * 34
    assert column("x", [""] * missing + cells[: 100 - missing]).max_missing == ceiling


def test_codes_are_kept_in_their_own_spelling_and_are_for_review():
    drafted = column("lab", ["1.5", "2.5", "3", "?", "N/A", "-9"] * 9)
    assert set(drafted.missing_codes) == {"?", "N/A", -9}
    assert said(drafted, "'?', 'N/A'")
    assert said(drafted, "-9")


def test_texts_that_recur_among_numbers_are_taken_for_codes():
    drafted = column("lab", [*map(str, range(90)), "<5", "<5", "haemolysed", "haemolysed"])
    assert drafted.kind == "count"
    assert set(drafted.missing_codes) == {"<5", "haemolysed"}
    assert said(drafted, "texts among numbers")


def test_unknown_is_a_level_and_mentioned():
    drafted = column("smoker", ["yes", "no", "unknown"] * 9)
    assert drafted.categories == ("no", "unknown", "yes")
    assert said(drafted, "'unknown' kept as a level")
    assert said(column("smoker", ["yes", "Yes", "no"] * 9), "capital letters")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("patient_nbr", range(7, 307)),
        ("MRN", [f"{row:08}" for row in range(300)]),
        ("x", [f"person {row}" for row in range(300)]),
        ("x", range(1000, 1040)),  # a number for each row
        ("x", [row * row for row in range(200)]),
        ("patient_nbr", [row // 2 * 3 for row in range(300)]),
        ("case.id", [row // 4 for row in range(800)]),
        ("surname", ["Zebra", "Horse"] * 30),
        ("email", [f"{row % 5}@example.org" for row in range(60)]),
    ],
)
def test_identifiers_are_kept_out_and_none_of_their_values_is_named(name, cells):
    drafted = column(name, list(cells))
    assert drafted.role == ("identifier",)
    assert not drafted.categories
    assert drafted.notes
    assert not any(str(cell) in note.split() for cell in cells for note in drafted.notes)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("age", [18 + row % 80 for row in range(300)]),
        ("income", [row * row % 97 for row in range(300)]),
        ("bmi", [20 + row / 7 for row in range(300)]),
        ("discharge_type_id", [row % 26 for row in range(300)]),
    ],
)
def test_measurements_are_no_identifiers(name, cells):
    assert column(name, cells).predicts


def test_dates_wait_for_an_index_date():
    drafted = column("admitted", [f"2020-01-{day:02}" for day in range(1, 29)])
    assert (drafted.kind, drafted.role) == ("date", ("excluded",))
    assert said(drafted, "index_date")
    assert column("day", [f"202001{day:02}" for day in range(1, 29)]).kind == "date"
    assert column("x", ["2020-02-30", "2020-02-31"] * 9).kind != "date"
