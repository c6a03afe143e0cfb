"""Dates are taken for dates however they are written, and those that stand for "missing" for missing."""

import datetime

import numpy as np
import pandas as pd
import pytest

from mgvae.extract.days import as_days, stands_for_nothing
from tests.mgvae.draft.test_columns import column, said

FIRST = datetime.date(2020, 1, 1)
DAYS = [FIRST + datetime.timedelta(days=7 * week) for week in range(60)]


def texts(days=DAYS, form="%Y-%m-%d"):
    return [day.strftime(form) for day in days] * 3


@pytest.mark.parametrize(
    "cells",
    [
        texts(),
        texts(form="%Y-%m-%d 08:30:00.123+01"),
        texts(form="%Y-%m-%dT08:30Z"),
        texts(form="%Y%m%d"),
        [f"{cell}.0" for cell in texts(form="%Y%m%d")],
        [*texts(), ""],
    ],
)
def test_iso_dates(cells):
    drafted = column("admitted", cells)
    assert (drafted.kind, drafted.role, drafted.format, drafted.missing_codes) == ("date", ("excluded",), None, ())


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("DD.MM.YYYY", "%d.%m.%Y"),
        ("DD/MM/YYYY", "%d/%m/%Y"),
        ("MM/DD/YYYY", "%m/%d/%Y"),
        ("DD/MM/YYYY", "%d/%m/%Y 08:30"),
        ("YYYY/MM/DD", "%Y/%m/%d"),
        ("DDMMMYYYY", "%d%b%Y"),
        ("DDMMMYYYY", "%d%b%Y:08:30:00"),
        ("DD-MMM-YYYY", "%d-%b-%Y"),
        ("MMM DD, YYYY", "%B %d, %Y"),
        ("DDMMYYYY", "%d%m%Y"),
    ],
)
def test_other_spellings_are_read_by_their_format(form, written):
    drafted = column("admitted", texts(form=written))
    assert (drafted.kind, drafted.format) == ("date", form)
    assert said(drafted, f"written as {form}")


@pytest.mark.parametrize(
    "cells",
    [
        texts(form="%d.%m.%y"),  # the century is not told
        texts(form="%b-%y"),
        ["sty-91", "lut-91", "mar-92", "kwi-92"] * 30,
        ["janv. 2020", "févr. 2021", "déc. 2021"] * 30,
        ["2020-01", "2021-02", "2022-12"] * 30,
        [f"{day}th January 2021" for day in range(4, 20)] * 30,
        [f"Mon, {day:02} Jan 2021 10:00:00 GMT" for day in range(1, 20)] * 30,
        [f"2021-W{week:02}" for week in range(1, 50)] * 30,
        ["31/01/2020", "01/02/2020", "29.02.2020"] * 30,
    ],
)
def test_what_is_no_whole_day_is_named(cells):
    drafted = column("x", cells)
    assert drafted.role == ("excluded",)
    assert said(drafted, "dates that are not ISO")


def test_an_order_of_day_and_month_that_the_days_do_not_tell_is_asked_about():
    drafted = column("x", ["01/02/2020", "03/04/2020", "12/11/2020"] * 30)
    assert said(drafted, "DD/MM/YYYY or MM/DD/YYYY")
    assert drafted.kind is None
    assert column("x", ["01.02.2020", "03.04.2020", "12.11.2020"] * 30).format == "DD.MM.YYYY"
    assert column("x", ["01/01/2020", "03/03/2020", "12/12/2020"] * 30).kind == "date"  # the same day in either order


@pytest.mark.parametrize(
    "sentinel",
    [
        "9999-12-31",
        "0001-01-01",
        "1900-01-01",
        "infinity",
        "-infinity",
        "0000-00-00",
        "0001-01-01 BC",
        "10000-01-01",
        "unclear",
    ],
)
@pytest.mark.parametrize("share", [1, 12])
def test_what_stands_for_missing_among_dates(sentinel, share):
    cells = texts() + [sentinel] * (2 * share)
    drafted = column("last_visit", cells)
    assert drafted.kind == "date"
    assert drafted.missing_codes == (sentinel,)
    assert said(drafted, "taken for missing")


@pytest.mark.parametrize(("cells", "code"), [(texts(form="%Y%m%d"), "99991231"), (texts(form="%Y%m%d"), "0")])
def test_what_stands_for_missing_among_eight_digits(cells, code):
    drafted = column("seen", cells + [code] * 20)
    assert (drafted.kind, drafted.missing_codes) == ("date", (code,))


def test_a_sentinel_in_another_spelling():
    drafted = column("seen", texts(form="%d.%m.%Y") + ["31.12.9999"] * 9)
    assert (drafted.format, drafted.missing_codes) == ("DD.MM.YYYY", ("31.12.9999",))
    drafted = column("seen", texts(form="%B %d, %Y") + ["0001-01-01"] * 9)  # a default of the data base
    assert (drafted.format, drafted.missing_codes) == ("MMM DD, YYYY", ("0001-01-01",))


def test_eight_digits_that_are_no_days_are_numbers():
    assert column("x", [12345678 + 7919 * row for row in range(60)] * 2).kind == "count"


def days(*texts, times=1):
    return as_days(pd.Series(list(texts) * times, dtype="str"))


def test_days_that_stand_for_nothing():
    body = pd.Series(pd.to_datetime([str(day) for day in DAYS])).astype("datetime64[us]")

    def found(*odd):
        return [str(day) for day in stands_for_nothing(pd.concat([body, days(*odd)]))]

    assert found() == []
    assert found("1849-12-31", "1850-01-01") == ["1849-12-31"]
    assert found("2250-12-31", "2251-01-01") == ["2251-01-01"]
    assert found("1900-01-01") == []  # once, it may be a mistake
    assert found("1900-01-01", "1900-01-01") == ["1900-01-01"]
    assert found("1901-05-17", "1901-05-17") == []
    assert found("2019-12-31", "2019-12-31") == []
    assert found("1900-01-01", "1900-01-01", "2099-12-31", "2099-12-31") == ["1900-01-01", "2099-12-31"]


def test_a_date_of_birth_may_be_long_ago_unless_it_is_frequent():
    born = [datetime.date(1905 + year, 1 + year % 12, 1) for year in range(100)]
    series = days(*map(str, born))
    assert stands_for_nothing(pd.concat([series, days("1900-01-01", times=3)])) == ()
    assert stands_for_nothing(pd.concat([series, days("1900-01-01", times=6)])) == (datetime.date(1900, 1, 1),)


def test_no_days_no_sentinels():
    assert stands_for_nothing(days("", "")) == ()
    assert stands_for_nothing(days("2020-01-01", "2020-01-02")) == ()


def test_a_day_is_one_that_python_can_read():
    read = days("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2020-02-30", "2020-01-01T25:00", "2020-01-01T24:00")
    assert read.isna().tolist() == [True, False, False, True, True, True, False]
    assert np.array(read.dropna().dt.date.tolist()).min() == datetime.date(1, 1, 1)


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("seen", [202101 + month % 12 + 100 * (month % 3) for month in range(90)], "likely a year and a month"),
        ("admission_date", [43831 + row % 300 for row in range(900)], "a number counted from an origin"),
        ("seen_at", [1_577_836_800 + 86_400 * (row % 300) for row in range(900)], "a number counted from an origin"),
        ("seen", [f"{row % 24:02}:{row % 60:02}" for row in range(900)], "times of day"),
    ],
)
def test_dates_and_times_that_cannot_be_used_are_named(name, cells, words):
    drafted = column(name, cells)
    assert drafted.role == ("excluded",)
    assert said(drafted, words)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("cost", [43831 + row % 300 for row in range(900)]),
        ("days_since_admission_date", [43831 + row % 300 for row in range(900)]),
        ("steps", [202113 + row for row in range(90)] * 2),
    ],
)
def test_other_numbers_are_no_dates(name, cells):
    assert column(name, cells).kind == "count"
