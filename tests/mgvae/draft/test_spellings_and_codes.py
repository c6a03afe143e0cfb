"""Numbers that carry something, numbers that are codes, and words for "missing" among levels."""

from dataclasses import replace

import numpy as np
import pytest

from mgvae.draft.columns import draft_column
from mgvae.draft.nulls import number_codes, text_codes
from mgvae.draft.scan import look_at
from mgvae.extract.read import read_extract
from tests.mgvae.draft.test_columns import column, said
from tests.mgvae.extract.test_csv_layout import study

VALUES = [round(40 + 37.3 * row % 2900, 1) for row in range(120)]


def spelt(form, values=VALUES):
    return [form(value) for value in values]


@pytest.mark.parametrize(
    ("form", "spell"),
    [
        ("1,234.5", lambda value: f"{value:,.1f}"),
        ("1.234,5", lambda value: f"{value:,.1f}".translate({44: ".", 46: ","})),
        ("1 234.5", lambda value: f"{value:,.1f}".replace(",", "\u202f")),
        ("1 234,5", lambda value: f"{value:,.1f}".replace(",", "\u00a0").replace(".", ",")),
        ("1'234.5", lambda value: f"{value:,.1f}".replace(",", "'")),
        ("1234,5", lambda value: f"{value:.1f}".replace(".", ",")),
        ("1234.5%", lambda value: f"{value}%"),
        ("1234.5 %", lambda value: f"{value} %"),
        ("1234.5 umol/l", lambda value: f"{value} umol/l"),
        ("1,234.5 mg", lambda value: f"{value:,.0f} mg"),
        ("$1,234.5", lambda value: f"${value:,.2f}"),
    ],
)
def test_a_column_that_agrees_is_read_by_its_format(form, spell):
    drafted = column("x", spelt(spell))
    assert (drafted.kind in ("continuous", "count"), drafted.format) == (True, form)
    assert said(drafted, "read by their format")
    low, high = drafted.range
    assert low < min(VALUES) < max(VALUES) < high < 3 * max(VALUES)


def test_the_unit_in_the_cells_is_the_unit():
    assert column("x", spelt(lambda value: f"{value} umol/l")).unit == "umol/l"
    assert column("x", spelt(lambda value: f"{value:,.1f}")).unit is None


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            [f"{value:.3f}".replace(".", ",") for value in (1.482, 2.25, 3.117, 8.6)] * 9,
            "thousands with a separator, or decimals",
        ),
        ([f"{row} %" for row in range(50)] + list(range(50)), "followed by different texts"),
        ([f"{row} mg" for row in range(50)] + [f"{row} g" for row in range(50)], "followed by different texts ('g', 'mg')"),
    ],
)
def test_a_column_that_does_not_agree_is_named(cells, words):
    drafted = column("x", cells)
    assert drafted.role == ("excluded",)
    assert said(drafted, words)


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["1,482", "2,250", "3,117", "8,600", "9,125", "837", "412"], "1,234.5"),
        (["1,482", "2,25", "3,117", "8,6", "9,125", "837", "412"], "1234,5"),
        (["0,482", "2,250", "3,117", "8,600", "9,125", "837", "412"], "1234,5"),
        (["1,482", "2,250", "3,117", "8,600", "9,125", "1837", "412"], None),  # neither: 1837 has no separator
    ],
)
def test_thousands_are_no_decimals(cells, form):
    assert column("x", cells * 9).format == form


def test_points_before_three_digits_beside_three_digits_are_thousands():
    cells = ["1.482", "2.250", "3.117", "8.600", "9.125", "837", "412", "999", "100", "640"]
    assert column("x", cells * 9).format == "1.234,5"
    assert column("x", [*cells, "0.482"] * 9).format is None
    assert column("x", [*cells, "2.25"] * 9).format is None


def test_few_values_with_a_unit_are_levels():
    drafted = column("dose", ["5 mg", "10 mg", "20 mg"] * 30)
    assert drafted.kind == "categorical"
    assert said(drafted, "format '1234.5 mg' read them as numbers")


@pytest.mark.parametrize(
    ("name", "cells", "levels"),
    [
        ("phecode", ["250.1", "250.10", "401.9"], ("250.1", "250.10", "401.9")),
        ("icd9_code", ["428.0", "250.00", "414.01"], ("250.00", "414.01", "428.0")),
        ("icd9_code", ["008.45", "250.00", "V58.11"], ("008.45", "250.00", "V58.11")),
        ("x", ["428.0", "250.00", "414.01"], ("250.00", "414.01", "428.0")),  # by their structure
        ("x", ["250.1", "250.10", "250.2"], ("250.1", "250.10", "250.2")),  # by their spelling
    ],
)
def test_codes_with_a_point_are_levels(name, cells, levels):
    drafted = column(name, cells * 60)
    assert (drafted.kind, drafted.categories) == ("categorical", levels)
    assert all(isinstance(level, str) for level in drafted.categories)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("temperature", [f"{36 + row / 10:.1f}" for row in range(40)]),
        ("lactate", ["0.5", "1.0", "1.5", "2.0", "4.0"]),
        ("dose", ["0.125", "0.25", "0.5", "12.5", "100"]),
        ("creatinine", [f"{50 + 1.7 * row:.1f}" for row in range(60)]),
        ("titre", ["1", "1.0", "2", "2.0", "3.5"]),
    ],
)
def test_measurements_are_no_codes(name, cells):
    assert column(name, cells * 60).kind == "continuous"


def test_a_missing_code_among_codes():
    drafted = column("icd9_code", ["428.0", "250.00", "414.01", "-9"] * 60)
    assert drafted.categories == ("250.00", "414.01", "428.0")
    assert drafted.missing_codes == ("-9",)


def test_long_keys_are_exact_texts():
    keys = [str(900_000_000_000_000_000 + row) for row in range(30)]
    drafted = column("attending", keys * 20)
    assert (drafted.kind, drafted.categories) == ("categorical", tuple(keys))
    assert column("patient_id", [str(10**18 + row) for row in range(600)]).role == ("identifier",)
    amounts = [10 ** (1 + row % 20) for row in range(100)]
    assert column("copies", amounts).kind == "continuous"


@pytest.mark.parametrize(
    "word",
    [
        *("\\N", "NaT", "<NA>", "(null)", "[NULL]", "NULL", "null", "#N/A", "#N/A N/A", "<missing>", "(blank)", "n/a", "N.A."),
        *("--", ".", "?", "??", "None)", "<none>", "'null'", "nan", "-nan", "1.#QNAN", "-1.#IND", "undefined", "[]", '""'),
    ],
)
def test_words_for_missing_among_levels(word):
    drafted = column("ward", ["A", "B", "C", word] * 30)
    assert drafted.missing_codes == (word,) if word != "None)" else not drafted.missing_codes
    assert word == "None)" or said(drafted, "taken for missing")


@pytest.mark.parametrize("word", ["None", "unknown", "nil", "no", "0", "miss", "A?", "Nate", "N", "+"])
def test_words_that_are_levels(word):
    assert text_codes(["A", "B", word]) == []


def test_a_minus_beside_a_plus_is_a_result():
    assert text_codes(["+", "-"]) == []
    assert text_codes(["+", "++", "-"]) == []
    assert text_codes(["A", "-"]) == ["-"]


@pytest.mark.parametrize(
    ("values", "counts", "shared", "found"),
    [
        ([-1, 0.5, 1.5, 2], [9, 5, 5, 5], (), []),
        ([-1, 0.5, 1.5, 2], [9, 5, 5, 5], (-1,), [-1]),
        ([-1, 0.5, 1.5, 2], [1, 5, 5, 5], (-1,), []),  # once
        ([-2.5, -1, 0.5, 1.5], [5, 90, 5, 5], (-1,), []),  # within the others
        ([-1, -0.5, 0.5, 1.5], [14, 5, 5, 5], (-1,), []),
        ([-1, -0.5, 0.5, 1.5], [15, 5, 5, 5], (-1,), [-1]),  # three times as often as any other
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], [5] * 8 + [14], (9,), []),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], [5] * 8 + [15], (9,), [9]),
    ],
)
def test_codes_of_other_columns_are_looked_for(values, counts, shared, found):
    assert number_codes(np.array(values, dtype=float), np.array(counts), shared) == found


def test_spellings_that_look_alike_are_joined_and_noted(tmp_path):
    wards = ["Café", "Cafe\u0301", "ICU", "IC\u200bU", "Ward  2", "Ward\u00a02"]
    rows = "".join(f"{row},{wards[row % 6]},{int(row % 9 == 0)}\n" for row in range(120))
    (tmp_path / "t.csv").write_text("id,ward,died\n" + rows, encoding="utf-8")
    seen = look_at(str(tmp_path / "t.csv")).columns[1]
    assert seen.values == ("Café", "ICU", "Ward 2")
    assert seen.alike == 3


def test_a_code_of_several_columns_is_found_in_all(tmp_path):
    lines = ["id,beds,calls,ph,change,died"]
    for row in range(200):
        coded = row % 5 < 4
        ph = "-1" if coded else f"{7 + row % 40 / 100:.2f}"
        lines.append(f"{row},{-1 if coded else row % 7},{-1 if coded else row % 9},{ph},{row % 30 - 15.5},{int(row % 9 == 0)}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    look = look_at(str(tmp_path / "t.csv"))
    drafted = {seen.name: draft_column(seen) for seen in look.columns}
    assert drafted["ph"].missing_codes == drafted["beds"].missing_codes == drafted["calls"].missing_codes == (-1,)
    assert drafted["change"].missing_codes == ()
    assert draft_column(replace(look.columns[3], shared=())).missing_codes == ()


@pytest.mark.parametrize("stray", ["<5", "haemolysed", "not done"])
@pytest.mark.parametrize(
    ("form", "spell"),
    [("1,234.5", "{:,.1f}".format), ("1234.5 %", "{:.1f} %".format), ("1234,5", lambda x: f"{x:.1f}".replace(".", ","))],
)
def test_texts_that_recur_among_numbers_in_another_spelling(stray, form, spell):
    drafted = column("x", spelt(spell) * 2 + [stray] * 9)
    assert (drafted.format, drafted.missing_codes) == (form, (stray,))


def test_a_true_minus_is_a_minus(tmp_path):
    cells = [f"{row - 60.5:.1f}".replace("-", "\u2212") for row in range(120)]
    (tmp_path / "t.csv").write_text("id,x,died\n" + "".join(f"{row},{cell},{row % 2}\n" for row, cell in enumerate(cells)))
    drafted = draft_column(look_at(str(tmp_path / "t.csv")).columns[1])
    assert (drafted.kind, drafted.missing_codes) == ("continuous", ())
    columns = {"id": {"role": "identifier"}, "x": {"kind": "continuous"}}
    assert read_extract(study(tmp_path / "t.csv", columns=columns)).frame["x"].tolist() == [row - 60.5 for row in range(120)]


def test_identifiers_in_scientific_notation_have_lost_digits():
    assert said(column("patient_id", [f"1.{row:05}E+11" for row in range(300)]), "its last digits are lost")


@pytest.mark.parametrize("digits", ["\uff10", "\u0660", "\u0966"])  # full-width, Arabic, Devanagari
def test_digits_of_other_scripts_are_digits(digits, tmp_path):
    cells = ["".join(chr(ord(digits) + int(place)) for place in str(20 + row)) for row in range(60)]
    (tmp_path / "t.csv").write_text("id,x,died\n" + "".join(f"{row},{cell},{row % 2}\n" for row, cell in enumerate(cells)))
    assert draft_column(look_at(str(tmp_path / "t.csv")).columns[1]).kind == "count"
    columns = {"id": {"role": "identifier"}, "x": {"kind": "count"}}
    assert read_extract(study(tmp_path / "t.csv", columns=columns)).frame["x"].tolist() == [20 + row for row in range(60)]


@pytest.mark.parametrize(("level", "doubted"), [("-999", True), ("999", True), ("unknown", True), ("nil", True), ("9", False)])
def test_levels_that_may_mean_missing_are_asked_about(level, doubted):
    drafted = column("ward", ["A", "B", "C", level] * 30)
    assert level in drafted.categories
    assert said(drafted, "kept as a level; a missing code if it means that") == doubted
