"""How cells are written: a format reads back what it wrote, and nothing else."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.dictionary import Column, canonical
from mgvae.config.formats import date_format, number_format, plain_text
from mgvae.config.strict import build
from mgvae.errors import ConfigError

NUMBERS = ("1234.5", "1,234.5", "1 234.5", "1'234.5", "1234,5", "1.234,5", "1 234,5", "1234.5 %", "1,234.5 umol/l", "$1,234.5")


@given(st.decimals(-(10**7), 10**7, places=2), st.sampled_from(NUMBERS))
def test_a_number_comes_back_from_its_format(value, text):
    form = number_format(text)
    whole, _, part = f"{abs(value):,.2f}".partition(".")
    written = f"{'-' if value < 0 else ''}{whole.replace(',', form.group)}{form.point}{part}"
    assert float(form.number(f"{form.prefix}{written}{form.suffix}")) == float(value)
    assert number_format(str(form)) == form


@pytest.mark.parametrize(
    ("form", "cell", "number"),
    [
        ("1,234.5", "1,482", "1482"),
        ("1,234.5", "1482", "1482"),  # who leaves the separator out means the same
        ("1,234.5", "1,48", None),
        ("1,234.5", "14,82,000", None),
        ("1234,5", "1,482", "1.482"),
        ("1234,5", "1.482", None),
        ("1 234,5", "1\u202f482,5", "1482.5"),
        ("1 234,5", "1\u00a0482,5", "1482.5"),
        ("1'234.5", "1\u2019234", "1234"),
        ("1234.5 %", "12%", "12"),
        ("1234.5 %", "12\u00a0%", "12"),
        ("1234.5 %", "12", None),  # without its sign it may be a share
        ("1234.5 umol/l", "88 mg/dl", None),
        ("1234.5 x10^9/l", "4.5 x10^9/l", "4.5"),
    ],
)
def test_cells_of_numbers(form, cell, number):
    assert number_format(form).number(cell) == number


@pytest.mark.parametrize("text", ["1234", "1,234,5", "0.5", "", "abc", "1234.50", "< 1234.5", "1.234.5"])
def test_what_is_no_format_of_numbers(text):
    with pytest.raises(ValueError, match=r"is how the column writes 1234\.5"):
        number_format(text)


FORMS = {
    "DD.MM.YYYY": "%d.%m.%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MMM-YYYY": "%d-%b-%Y",
    "DDMMMYYYY": "%d%b%Y",
    "MMM DD, YYYY": "%B %d, %Y",
    "YYYY/MM/DD": "%Y/%m/%d",
    "DDMMYYYY": "%d%m%Y",
}


@given(st.dates(datetime.date(1850, 1, 1), datetime.date(2250, 1, 1)), st.sampled_from(list(FORMS)))
def test_a_day_comes_back_from_its_format(day, form):
    written = day.strftime(FORMS[form]).replace(day.strftime("%Y"), f"{day.year:04}")
    assert date_format(form).day(written) == str(day)
    assert date_format(form).day(written.upper() + " 08:30:00") == str(day)


@pytest.mark.parametrize("cell", ["31.12", "31.12.20", "2020-12-31", "Mon 31.12.2020", "31.12.2020 at noon", ""])
def test_what_is_no_day_in_a_format(cell):
    assert date_format("DD.MM.YYYY").day(cell) is None


@pytest.mark.parametrize("text", ["DD.MM.YY", "DD.MM", "DD.DD.YYYY", "DD.MM.YYYY hh", "", "dd.mm.yyyy", "MM.MMM.YYYY"])
def test_what_is_no_format_of_dates(text):
    with pytest.raises(ValueError, match="a date's format has YYYY, DD and MM"):
        date_format(text)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "binary", "format": "1,234.5"}, "a format belongs to continuous, count and date columns"),
        ({"kind": "count", "format": "DD.MM.YYYY"}, "is how the column writes 1234.5"),
        ({"kind": "date", "format": "1,234.5"}, "a date's format has YYYY"),
    ],
)
def test_a_format_fits_its_kind(entry, words):
    with pytest.raises(ConfigError, match=words):
        build(Column, entry, source="test")


@given(st.text())
def test_plain_text_is_plain_again(text):
    assert plain_text(plain_text(text)) == plain_text(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [("Café", "Cafe\u0301"), ("Ward\u00a02", "Ward 2"), ("Ward  2", "Ward 2"), ("\u200bICU\ufeff", "ICU"), ("a\u2009b", "a b")],
)
def test_texts_that_look_alike_are_one_level(first, second):
    assert canonical(first) == canonical(second)


@pytest.mark.parametrize(("first", "second"), [("no", "No"), ("010", "10"), ("a b", "ab"), ("a\nb", "a b"), ("ß", "ss")])
def test_texts_that_do_not_look_alike_are_two(first, second):
    assert canonical(first) != canonical(second)
