"""Draft a column's entry from its values and its name, without the outcome."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.draft import names
from mgvae.draft.entry import Drafted, identifier, left_out
from mgvae.draft.scan import Seen
from mgvae.draft.values import FEW, all_whole, number_codes, of_levels, of_numbers, plain, text_codes
from mgvae.extract.cells import DAY, NUMBER, ZEROS_AHEAD

MOST_LEVELS = 50
MOST_MISSING = 0.95
MOST_DISTINCT, MANY_DISTINCT = 0.5, 0.2  # share of the rows beyond which texts identify patients: ever, and if many
LONGEST = 80  # letters of a level
SURE = 100  # rows: so many distinct whole numbers are hardly measurements
STRAY = 5  # texts among numbers that may be codes
OTHER_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?:[T ].*)?|\d{4}[./]\d{1,2}[./]\d{1,2}(?:[T ].*)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def draft_column(seen: Seen) -> Drafted:
    """Return a column's entry in the drafted dictionary, without looking at others."""
    if seen.stored == "other":
        return left_out(seen.name, "holds lists, bytes, times of day or parts of differing types, which no kind of column has")
    texts = text_codes(seen.values)
    kept = [place for place, value in enumerate(seen.values) if value not in texts]
    known = tuple(seen.values[place] for place in kept)
    counts = seen.counts[kept]
    if len(known) < 2:
        reason = "every cell is missing" if not known else "the same value in every row where it is given"
        return left_out(seen.name, reason)
    drafted = _identifying(seen, known, counts) or _valued(seen.name, known, counts)
    if "identifier" in drafted.role:
        return replace(drafted, missing_codes=tuple(texts))
    if drafted.kind is None:
        return drafted
    return _with_missing(seen, drafted.coded(texts))


def present(seen: Seen, drafted: Drafted) -> BoolArray:
    """Return bool ``(values,)``: which values of a column are no missing code."""
    texts = {code for code in drafted.missing_codes if isinstance(code, str)}
    numeric = [float(code) for code in drafted.missing_codes if not isinstance(code, str)]
    as_number = numbers_of(seen.values)
    return np.array([value not in texts for value in seen.values], dtype=bool) & ~np.isin(as_number, numeric)


def numbers_of(values: tuple[str, ...]) -> FloatArray:
    """Return the values as numbers, NaN where one is not."""
    return np.array([float(value) if NUMBER.fullmatch(value) else np.nan for value in values])


def _with_missing(seen: Seen, drafted: Drafted) -> Drafted:
    """Return the entry with a ceiling on missing cells, above today's share."""
    share = float(1 - np.isin(seen.codes, np.flatnonzero(present(seen, drafted))).mean())
    if share > MOST_MISSING:
        return drafted.excluded(f"missing in {100 * share:.3g} % of rows")
    ceiling = min(MOST_MISSING, np.ceil(20 * (1.25 * share + 0.05) - 1e-9) / 20)
    return replace(drafted, max_missing=round(float(ceiling), 2)) if drafted.predicts else drafted


def _identifying(seen: Seen, known: tuple[str, ...], counts: IntArray) -> Drafted | None:
    """Return the entry of an identifier; None where the column does not look like one."""
    name, rows, numeric = seen.name, len(seen), _all_numbers(known)
    whole = numeric and all_whole(numbers_of(known))
    if names.personal(name) and not _all_dates(known):
        return identifier(name, "by its name it identifies a person")
    if _all_dates(known) or (numeric and not whole):
        return None
    every = len(known) == rows
    if every and (names.identifies(name) or rows >= SURE or (whole and _consecutive(known))):
        return identifier(name, "likely an identifier: a different value in every row", numeric=numeric)
    if names.identifies(name) and (len(known) > MOST_LEVELS or len(known) > MOST_DISTINCT * rows):
        reason = "not in every row" if counts.sum() < rows and (counts == 1).all() else "values repeat"
        return identifier(name, f"likely an identifier by its name; {reason}", numeric=numeric)
    return None


def _valued(name: str, known: tuple[str, ...], counts: IntArray) -> Drafted:
    if _all_dates(known):
        return Drafted(name, "date", ("excluded",), notes=("a date; usable as a feature once cohort.yaml has an index_date",))
    if _all_numbers(known):
        return _numeric(name, known, counts)
    if _mostly(known, OTHER_DATE):
        return left_out(name, "dates that are not ISO (2024-02-29), or not all of them; write them so to use them")
    if _mostly(known, DECIMAL_COMMA, NUMBER):
        return left_out(name, "numbers with a decimal comma; write a decimal point to use them")
    return _with_strays(name, known, counts) or _textual(name, known, counts)


def _numeric(name: str, known: tuple[str, ...], counts: IntArray) -> Drafted:
    table = pd.Series(counts).groupby(numbers_of(known)).sum()  # 1 and 1.0 are one number
    values, rows = table.index.to_numpy(), table.to_numpy()
    if not np.isfinite(values).all():
        return left_out(name, "numbers too large to be read")
    found = number_codes(values, rows)
    rest = values[~np.isin(values, found)]
    if len(rest) < 2:
        return left_out(name, "the same value in every row where it is given")
    drafted = of_numbers(name, rest, most_levels=MOST_LEVELS)
    if names.subgroup(name) and drafted.categories:
        drafted = replace(drafted, role=("feature", "subgroup"))
    return drafted.coded([plain(code) for code in found])


def _with_strays(name: str, known: tuple[str, ...], counts: IntArray) -> Drafted | None:
    """Return the entry of numbers among a few texts, codes if they recur; else None."""
    number = np.array([_is_number(value) for value in known])
    if number.sum() <= MOST_LEVELS and counts[number].sum() < MOST_MISSING * counts.sum():
        return None
    if counts[number].sum() < MOST_DISTINCT * counts.sum():
        return None
    strays = int(counts[~number].sum())
    if (~number).sum() > STRAY or (counts[~number] < 2).any():
        return left_out(name, f"numbers, but {strays:,} cells hold other text: cells to fix, or codes to group into categories")
    texts = tuple(value for value, is_number in zip(known, number, strict=True) if not is_number)
    drafted = _numeric(name, tuple(np.array(known, dtype=object)[number]), counts[number])
    if drafted.kind is None:
        return drafted
    note = f"texts among numbers taken as missing: {', '.join(map(repr, texts))}"
    return replace(drafted, missing_codes=(*drafted.missing_codes, *texts)).note(note)


def _textual(name: str, known: tuple[str, ...], counts: IntArray) -> Drafted:
    rows = int(counts.sum())
    if len(known) > MOST_LEVELS or _identifies_patients(known, counts):
        return left_out(name, f"{len(known):,} different texts in {rows:,} rows; group them into categories to use them")
    drafted = of_levels(name, known)
    return replace(drafted, role=("feature", "subgroup")) if names.subgroup(name) else drafted


def _identifies_patients(known: tuple[str, ...], counts: IntArray) -> bool:
    """Return whether texts identify patients, so that none of them may be named."""
    rows, several = counts.sum(), len(known) > FEW
    distinct = len(known) > 2 and len(known) > MOST_DISTINCT * rows
    return bool(
        distinct
        or max(map(len, known)) > LONGEST
        or (several and (len(known) > MANY_DISTINCT * rows or 2 * (counts == 1).sum() > len(known)))
    )


def _all_numbers(values: tuple[str, ...]) -> bool:
    return all(_is_number(value) for value in values)


def _is_number(value: str) -> bool:
    """Return whether a text is a number; ``010`` is rather a code."""
    return NUMBER.fullmatch(value) is not None and ZEROS_AHEAD.fullmatch(value) is None


def _all_dates(values: tuple[str, ...]) -> bool:
    if not all(re.fullmatch(DAY, value) for value in values):
        return False
    days = pd.to_datetime(pd.Series(values).str.slice(0, 10).str.replace("-", ""), format="%Y%m%d", errors="coerce")
    return bool(days.notna().all() and days.dt.year.between(1850, 2150).all())


def _mostly(values: tuple[str, ...], *patterns: re.Pattern[str]) -> bool:
    """Return whether nearly all values fit a pattern, and at least one fits the first."""
    fits = [any(pattern.fullmatch(value) for pattern in patterns) for value in values]
    return bool(np.mean(fits) > MOST_MISSING) and any(patterns[0].fullmatch(value) for value in values)


def _consecutive(values: tuple[str, ...]) -> bool:
    numbers = numbers_of(values)
    return bool(len(numbers) > 2 and numbers.max() - numbers.min() + 1 == len(numbers))
