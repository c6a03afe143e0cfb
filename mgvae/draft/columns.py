"""Draft a column's entry from its values and its name, without the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.config.formats import NUMBER, NumberFormat, number_format
from mgvae.config.study import PARENT
from mgvae.draft import codes, names
from mgvae.draft.dates import all_dates, date_entry
from mgvae.draft.entry import Drafted, identifier, left_out
from mgvae.draft.nulls import number_codes, text_codes
from mgvae.draft.scan import Seen
from mgvae.draft.spellings import Numbers, grouped_by_points, is_spelt, numbers_spelt
from mgvae.draft.values import FEW, all_whole, of_levels, of_numbers, plain
from mgvae.extract.cells import INFINITE, ZEROS_AHEAD

MOST_LEVELS = 50
MOST_MISSING = 0.95
MOST_DISTINCT, MANY_DISTINCT = 0.5, 0.2  # share of the rows beyond which texts identify patients: ever, and if many
LONGEST = 80  # letters of a level
SURE = 100  # rows: so many distinct whole numbers are hardly measurements
STRAY = 5  # texts among numbers that may be codes


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
    drafted = _identifying(seen, known, counts) or _valued(seen.name, known, counts, seen.shared)
    if seen.alike:
        drafted = drafted.note(f"{seen.alike:,} values are written in ways that look alike, and are read as one each")
    if "identifier" in drafted.role:
        return replace(drafted, missing_codes=tuple(texts))
    if drafted.kind is None:
        return drafted
    if seen.name == PARENT:
        return drafted.excluded(f"synthetic rows carry the id of their parent as '{PARENT}'; rename the column to use it")
    return with_missing(seen, drafted.coded(texts))


def present(seen: Seen, drafted: Drafted) -> BoolArray:
    """Return bool ``(values,)``: which values of a column are no missing code."""
    texts = {code for code in drafted.missing_codes if isinstance(code, str)}
    numeric = [float(code) for code in drafted.missing_codes if not isinstance(code, str)]
    as_number = numbers_of(seen.values, drafted.format if drafted.kind in NUMERIC_KINDS else None)
    return np.array([value not in texts for value in seen.values], dtype=bool) & ~np.isin(as_number, numeric)


def numbers_of(values: tuple[str, ...], written: str | None = None) -> FloatArray:
    """Return the values as numbers, NaN where one is not.

    Args:
        values: ``(n,)``.
        written: the format of the numbers.
    """
    texts = values if written is None else [number_format(written).number(value) or "" for value in values]
    return np.array([float(value) if NUMBER.fullmatch(value) else np.nan for value in texts])


def with_missing(seen: Seen, drafted: Drafted) -> Drafted:
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
    dated = all_dates(known, counts)
    if names.personal(name) and not dated:
        return identifier(name, "by its name it identifies a person")
    if not numeric and (numbers_spelt(known) or date_entry(name, known, counts)):
        return None
    if dated or (numeric and not whole):
        return None
    if numeric and names.identifies(name) and any("e" in value.lower() for value in known):
        return identifier(name, "written as 1.23E+11, so its last digits are lost: export it as text", numeric=True)
    every = len(known) == rows
    if every and (names.identifies(name) or rows >= SURE or (whole and _consecutive(known))):
        return identifier(name, "likely an identifier: a different value in every row", numeric=numeric)
    if names.identifies(name) and (len(known) > MOST_LEVELS or len(known) > MOST_DISTINCT * rows):
        reason = "not in every row" if counts.sum() < rows and (counts == 1).all() else "values repeat"
        return identifier(name, f"likely an identifier by its name; {reason}", numeric=numeric)
    return None


def _valued(name: str, known: tuple[str, ...], counts: IntArray, shared: Sequence[float]) -> Drafted:
    dated = date_entry(name, known, counts)
    if dated is not None:
        return dated
    coded = _coded(name, known, counts)
    if coded is not None:
        return coded
    if _all_numbers(known) and not grouped_by_points(known):
        return _numeric(name, known, counts, shared)
    spelt = _points(known) if grouped_by_points(known) else numbers_spelt(known)
    if spelt is not None:
        return _spelt(name, known, spelt, counts, shared)
    return _with_strays(name, known, counts, shared) or _textual(name, known, counts)


def _coded(name: str, known: tuple[str, ...], counts: IntArray) -> Drafted | None:
    """Return the entry of codes that consist of digits; None where numbers measure or count."""
    if codes.long_keys(known):
        return _textual(name, known, counts).note("whole numbers too long to be exact, taken for keys")
    if codes.zeros_ahead(known):
        return _textual(name, known, counts)
    pointed = _all_numbers(known) and any("." in value for value in known) and not all_whole(numbers_of(known))
    if not pointed or not (names.code(name) or (len(known) <= MOST_LEVELS and codes.resemble(known, counts))):
        return None
    drafted = _textual(name, known, counts)
    found = number_codes(np.unique(numbers_of(known)), np.ones(len(known), dtype=np.int64) * len(known))
    missing = [value for value in known if float(value) in found]
    if drafted.categories:
        drafted = replace(drafted, categories=tuple(value for value in drafted.categories if value not in missing))
    return drafted.note("numbers with a point, taken for codes of categories; continuous if they are measured").coded(missing)


def _points(known: tuple[str, ...]) -> Numbers:
    form = NumberFormat(".", ",")
    values = tuple(form.number(value) or "" for value in known)
    return Numbers(
        values, form, "each point stands before three digits: taken for thousands; no format if it is the decimal point"
    )


def _spelt(name: str, known: tuple[str, ...], spelt: Numbers, counts: IntArray, shared: Sequence[float]) -> Drafted:
    """Return the entry of numbers in another spelling than plain."""
    if spelt.format is None:
        return left_out(name, spelt.note)
    if spelt.format.suffix and len(known) <= FEW:
        return _textual(name, known, counts).note(f"kind continuous and format '{spelt.format}' read them as numbers")
    drafted = _numeric(name, spelt.values, counts, shared)
    if drafted.kind not in ("continuous", "count"):
        return _textual(name, known, counts)
    return replace(drafted, format=str(spelt.format), unit=spelt.format.suffix.strip() or None).note(spelt.note)


def _numeric(name: str, known: tuple[str, ...], counts: IntArray, shared: Sequence[float] = ()) -> Drafted:
    table = pd.Series(counts).groupby(numbers_of(known)).sum()  # 1 and 1.0 are one number
    values, rows = table.index.to_numpy(), table.to_numpy()
    if not np.isfinite(values).all():
        return left_out(name, "numbers too large to be read")
    found = number_codes(values, rows, shared)
    rest = values[~np.isin(values, found)]
    if len(rest) < 2:
        return left_out(name, "the same value in every row where it is given")
    drafted = of_numbers(name, rest, most_levels=MOST_LEVELS)
    if names.subgroup(name) and drafted.categories:
        drafted = replace(drafted, role=("feature", "subgroup"))
    if codes.several_spellings(known):
        drafted = drafted.note("one number is written in two ways, as 1.2 and 1.20; categories, as text, if they are codes")
    return drafted.coded([plain(code) for code in found])


def _with_strays(name: str, known: tuple[str, ...], counts: IntArray, shared: Sequence[float]) -> Drafted | None:
    """Return the entry of numbers among a few texts, codes if they recur; else None."""
    number = np.array([_is_number(value) for value in known])
    other = np.array([is_spelt(value) for value in known])
    spelt = None if 2 * counts[number].sum() > counts.sum() else numbers_spelt([known[at] for at in np.flatnonzero(other)])
    number = number if spelt is None else other
    texts = tuple(value for value, is_number in zip(known, number, strict=True) if not is_number)
    if names.code(name) or codes.lettered(texts):
        return None
    strays, rows = int(counts[~number].sum()), int(counts.sum())
    endless = number.any() and not set(texts) - set(INFINITE)
    few = number.sum() <= MOST_LEVELS and rows - strays < MOST_MISSING * rows
    if not endless and (few or rows - strays < MOST_DISTINCT * rows):
        return None
    if (~number).sum() > STRAY or ((counts[~number] < 2).any() and not endless):
        return left_out(name, f"numbers, but {strays:,} cells hold other text: cells to fix, or codes to group into categories")
    numbers = tuple(np.array(known, dtype=object)[number])
    if spelt is None:
        drafted = _numeric(name, numbers, counts[number], shared)
    else:
        drafted = _spelt(name, numbers, spelt, counts[number], shared)
    if drafted.kind is None or (spelt is not None and drafted.kind not in NUMERIC_KINDS):
        return drafted if drafted.kind is None else None
    said = "infinite numbers" if endless else "texts among numbers"
    note = f"{len(texts)} {said} taken as missing: see missing_codes"
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


def _consecutive(values: tuple[str, ...]) -> bool:
    numbers = numbers_of(values)
    return bool(len(numbers) > 2 and numbers.max() - numbers.min() + 1 == len(numbers))
