"""Parse cells as numbers, levels, dates or identifiers by the data dictionary."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from mgvae.arrays import BoolArray, FloatArray
from mgvae.config.dictionary import NUMERIC_KINDS, Column, Level, canonical
from mgvae.config.formats import NUMBER, date_format, number_format, plain_text
from mgvae.extract.days import as_days, readable, respelt

Kind = Literal["boolean", "number", "date", "text", "other"]
WHOLE = re.compile(r"([+-]?\d+)\.0+", re.ASCII)
INTEGER = re.compile(r"([+-]?\d{1,4000})(\.0*)?", re.ASCII)  # Python reads no longer one
ZEROS_AHEAD = re.compile(r"[+-]?0\d.*")
INFINITE = {"inf": math.inf, "-inf": -math.inf}
UUID = pa.binary(16)
BOOLEANS = {"true": "1", "false": "0"}


def numbers(cells: Any, column: Column) -> tuple[pd.Series, BoolArray]:
    """Return float64 values, and where a cell is neither missing nor a finite number.

    Args:
        cells: Arrow array of any type; text is read as a decimal number with a point, or as ``column.format`` says.
        column: its entry in the dictionary; of its missing codes, numbers compare as numbers, but ``010`` as text alone.
    """
    cells = _plain_storage(cells)
    codes = [canonical(code) for code in column.missing_codes]
    if stored_kind(cells.type) in ("boolean", "number"):
        values = compute.cast(cells, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        missing = np.isnan(values)
    elif column.format is None and (plain := _plain_numbers(cells, codes)) is not None:
        values, missing = plain, np.isnan(plain)
    else:
        text = _text(cells)
        missing = (text.isna() | text.isin(codes)).to_numpy(bool)
        values = _numbers_of(text.mask(missing), column.format)
    missing = missing | np.isin(values, [number for code in codes if (number := _code_number(code)) is not None])
    bad = ~missing & ~np.isfinite(values)
    return pd.Series(np.where(missing | bad, np.nan, values)), bad


def _plain_numbers(cells: Any, codes: Sequence[str]) -> FloatArray | None:
    """Return text cells as numbers, NaN where empty or in ``codes``; None where one is no finite number that Arrow can read."""
    text = compute.utf8_trim_whitespace(compute.cast(cells, pa.string(), safe=False))
    missing = compute.is_in(text, value_set=pa.array(["", *codes], pa.string()))
    text = compute.if_else(missing, pa.scalar(None, pa.string()), text)
    try:
        found = compute.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None
    return found.to_numpy(zero_copy_only=False) if compute.all(compute.is_finite(found), min_count=0).as_py() else None


def _numbers_of(text: pd.Series, written: str | None) -> FloatArray:
    if written is not None:
        text = respelt(text, number_format(written).number)
    return pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)


def _code_number(code: str) -> float | None:
    if NUMBER.fullmatch(code):
        return None if ZEROS_AHEAD.fullmatch(code) else float(code)
    return INFINITE.get(code)


def dates(cells: Any, column: Column) -> tuple[pd.Series, BoolArray]:
    """Return datetime64 days, and where a cell is neither missing nor a date.

    Args:
        cells: Arrow array: dates, timestamps (the day on the clock of their zone), or text such as ``2024-02-29``, with or
            without a time, or written as ``column.format`` says. Other orders of day, month and year are ambiguous.
        column: its entry in the dictionary; a missing code that is a day is compared as a day, at whatever time.
    """
    cells = _plain_storage(cells)
    codes = [canonical(code) for code in column.missing_codes]
    written = None if column.format is None else date_format(column.format)
    if pa.types.is_timestamp(cells.type) and cells.type.tz is not None:
        cells = compute.local_timestamp(cells)
    if pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type):
        cells, written = compute.cast(cells, pa.date32(), safe=False), None
    text = _text(cells)
    missing = text.isna() | text.isin(codes)
    coded = [as_days(pd.Series(codes, dtype="str"), way).dropna() for way in {None, written}]
    values = as_days(text.mask(missing), written)
    missing |= values.isin(pd.concat(coded))
    return values.mask(missing), (~missing & values.isna()).to_numpy(bool)


def levels(cells: Any, known: Sequence[Level], missing_codes: Sequence[Level] = ()) -> pd.Series:
    """Return levels as text in their canonical spelling; missing is NaN.

    Levels that are not known stay as they are.

    Args:
        cells: Arrow array of any type.
        known: the levels. Where one is a number, cells that equal it as a number, and no other level as text, are that level;
            where all are, ``true`` and ``false`` are 1 and 0 as well.
        missing_codes: values that mean "missing".
    """
    numeric = [level for level in known if not isinstance(level, str)]
    texts = {canonical(level) for level in known if isinstance(level, str)}
    targets, whole = {canonical(level) for level in numeric}, len(numeric) == len(known) > 0

    def spell(text: str) -> str:
        number = _canonical_number(text) if NUMBER.fullmatch(text) else text
        if whole:
            return BOOLEANS.get(text.lower(), number)
        return number if number in targets and text not in texts else text

    return _spelled(cells, spell, missing_codes)


def identifiers(cells: Any, column: Column) -> pd.Series:
    """Return identifiers as text, in numeric kinds ``12`` for 12.0; missing is NaN.

    Every other difference is kept, of letters that look alike too.
    """

    def spell(text: str) -> str:
        match = WHOLE.fullmatch(text) if column.kind in NUMERIC_KINDS else None
        return match.group(1) if match else text

    return _spelled(cells, spell, column.missing_codes, exact=True)


def oddly_spelt(cells: Any) -> set[str]:
    """Return the distinct texts whose letters or blanks are not spelt in the one normal way."""
    cells = _plain_storage(cells)
    if stored_kind(cells.type) != "text":
        return set()
    odd = compute.or_(compute.invert(compute.string_is_ascii(cells)), compute.match_substring(cells, "  "))
    texts = (text.strip() for text in cells.filter(odd).unique().to_pylist() if text is not None)
    return {text for text in texts if text != canonical(text)}


def _spelled(cells: Any, spell: Callable[[str], str], missing_codes: Iterable[Level], *, exact: bool = False) -> pd.Series:
    codes = {canonical(code) for code in missing_codes}
    numeric = {canonical(code) for code in missing_codes if not isinstance(code, str)}

    def spell_cell(value: object) -> str | None:
        text = _plain(value)
        if text is None or text in codes or (NUMBER.fullmatch(text) and _canonical_number(text) in numeric):
            return None
        return spell(value.strip() if exact and isinstance(value, str) else text)

    encoded = _plain_storage(cells).dictionary_encode()
    spelled = pd.array([spell_cell(value) for value in encoded.dictionary.to_pylist()], dtype="str")
    places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Series(spelled.take(places, allow_fill=True)) if len(spelled) else pd.Series([np.nan] * len(places), dtype="str")


def _canonical_number(text: str) -> str:
    """Return the canonical spelling of a number; a whole one keeps every digit."""
    whole = INTEGER.fullmatch(text)
    return str(int(whole.group(1))) if whole else canonical(float(text))


def _plain(value: object) -> str | None:
    """Return the canonical text of a cell, None where it is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return canonical(value) or None


def _text(cells: Any) -> pd.Series:
    text = compute.cast(cells, pa.string(), safe=False)
    if compute.any(compute.invert(compute.string_is_ascii(text))).as_py():
        series = respelt(pd.Series(pd.array(text.to_pandas(), dtype="str")), plain_text)
    else:
        series = pd.Series(pd.array(compute.utf8_trim_whitespace(text).to_pandas(), dtype="str"))
    return series.mask(series == "")


def _plain_storage(cells: Any) -> Any:
    """Return cells without dictionary encoding; values of no kind become a fixed text."""
    types = pa.types
    if types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if isinstance(cells.type, pa.BaseExtensionType):
        cells = cells.storage
    if types.is_null(cells.type):
        return cells.cast(pa.string())
    if _bytes(cells.type):
        spell = _uuid if cells.type == UUID else _text_of
        return pa.array([None if value is None else spell(value) for value in cells.to_pylist()], pa.string())
    if types.is_string_view(cells.type):
        return cells.cast(pa.string())
    kind = stored_kind(cells.type)
    if kind == "date":
        return readable(cells)
    if kind != "other":
        return cells
    return pa.array(["(not a plain value)" if valid else None for valid in cells.is_valid().to_pylist()], pa.string())


def _bytes(stored: Any) -> bool:
    """Return whether an Arrow type is bytes: a UUID, or text whose writer did not say so."""
    types = pa.types
    return bool(types.is_binary(stored) or types.is_large_binary(stored) or types.is_fixed_size_binary(stored))


def _uuid(value: bytes) -> str:
    return str(uuid.UUID(bytes=value))


def _text_of(value: bytes) -> str:
    """Return bytes as the text that they are, else in hex."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


def stored_kind(stored: Any) -> Kind:
    """Return what the values of an Arrow type are; null is other."""
    types = pa.types
    if types.is_dictionary(stored):
        return stored_kind(stored.value_type)
    if isinstance(stored, pa.BaseExtensionType):
        return stored_kind(stored.storage_type)
    if _bytes(stored):
        return "text"
    if types.is_boolean(stored):
        return "boolean"
    if types.is_integer(stored) or types.is_floating(stored) or types.is_decimal(stored):
        return "number"
    if types.is_date(stored) or types.is_timestamp(stored):
        return "date"
    return "text" if types.is_string(stored) or types.is_large_string(stored) or types.is_string_view(stored) else "other"
