"""What a file may hold: a small file that unpacks without end is refused soon, and a table is read as before."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgvae.draft.scan import look_at
from mgvae.errors import ExtractError
from mgvae.extract import bounds, parquet_file
from mgvae.extract.csv_file import csv_batches, csv_header
from mgvae.extract.parquet_file import parquet_batches, parquet_header
from mgvae.extract.parts import find_parts

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def part(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return find_parts(str(path))[0]


def read(one):
    names, _ = csv_header(one)
    return sum(batch.num_rows for batch in csv_batches(one, names, names))


@pytest.mark.parametrize("suffix", ["", *PACK])
@pytest.mark.parametrize("where", ["header", "row", "quoted"])
def test_a_cell_without_end_is_refused_soon(suffix, where, tmp_path):
    endless = b"x" * 40_000_000
    content = {"header": endless, "row": b"a,b\n1," + endless + b"\n", "quoted": b'a,b\n1,"' + endless + b'"\n'}[where]
    one = part(tmp_path, PACK[suffix](content) if suffix else content, f"t.csv{suffix}")
    del endless, content
    tracemalloc.start()
    for attempt in (lambda: read(one), lambda: look_at(one.path)):
        with pytest.raises(ExtractError, match="every cell must have at most 131,072 bytes; the one at byte"):
            attempt()
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("suffix", list(PACK))
def test_a_file_that_unpacks_beyond_measure_is_refused(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", 100_000)
    content = b"a,b\n" + b"1,2\n" * 2_000_000
    packed = PACK[suffix](content)
    assert len(packed) * bounds.MOST_TIMES < len(content)
    with pytest.raises(ExtractError, match=r"must unpack to at most .* 200 times the compressed file; it is larger"):
        read(part(tmp_path, packed, f"t.csv{suffix}"))
    assert read(part(tmp_path, content)) == 2_000_000  # what is not compressed has its size on the disk


def test_the_bound_is_exact(tmp_path, monkeypatch):
    content = b"a,b\n" + b"1,2\n" * 1000
    for most, whole in ((len(content), True), (len(content) - 1, False)):
        monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", most)
        monkeypatch.setattr(bounds, "MOST_TIMES", 1)
        one = part(tmp_path, gzip.compress(content), "t.csv.gz")
        if whole:
            assert read(one) == 1000
        else:
            with pytest.raises(ExtractError, match="must unpack to at most"):
                read(one)


def parquet(tmp_path, table, **options):
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, compression="zstd", **options)
    return find_parts(str(path))[0]


def read_parquet(one):
    names = parquet_header(one)
    return sum(batch.num_rows for batch in parquet_batches(one, names))


LONG = "x" * 300_000
CELL, SIZE = "every cell must have at most 131,072 bytes; one of column 2 has more", "must unpack to at most"
BOMBS = {
    "one text": (pa.array(["1", LONG]), CELL),
    "one text, large type": (pa.array(["1", LONG], pa.large_string()), CELL),
    "one text, views": (pa.array(["1", LONG], pa.string_view()), CELL),
    "bytes": (pa.array([b"1", LONG.encode()]), CELL),
    "one category": (pa.array(["1", LONG]).dictionary_encode(), CELL),
    "texts": (pa.array(["x" * 1000] * 2000), SIZE),
    "categories": (pa.array(["x" * 1000] * 2000).dictionary_encode(), SIZE),
    "numbers": (pa.array(np.zeros(500_000, np.int8)), SIZE),
    "bytes of one length": (pa.array([b"x" * 1000] * 2000, pa.binary(1000)), SIZE),
    "decimals": (pa.array([Decimal(1)] * 100_000, pa.decimal128(30)), SIZE),
    "a list": (pa.array([[0] * 300_000]), SIZE),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_parquet_file_that_unpacks_beyond_measure_is_refused(bomb, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", 1_000_000)
    cells, words = BOMBS[bomb]
    one = parquet(tmp_path, pa.table({"first": np.zeros(len(cells), np.int8), "bomb": cells}))
    assert one.fs.info(one.path)["size"] * bounds.MOST_TIMES < 1_000_000
    for attempt in (lambda: read_parquet(one), lambda: look_at(one.path)):
        with pytest.raises(ExtractError, match=words):
            attempt()


@pytest.mark.parametrize("bomb", ["texts", "categories", "bytes of one length"])
def test_what_unpacks_beyond_measure_is_not_unpacked(bomb, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", 1_000_000)
    monkeypatch.setattr(parquet_file, "_declared", lambda *_: 0)  # as a file that lies of its size
    one = parquet(tmp_path, pa.table({"bomb": BOMBS[bomb][0]}))
    with pytest.raises(ExtractError, match=SIZE):
        read_parquet(one)


def test_the_bound_of_a_parquet_file_is_exact(tmp_path, monkeypatch):
    one = parquet(tmp_path, pa.table({"a": ["yes"] * 1000, "n": np.zeros(1000)}))
    unpacked = 1000 * (3 + 8 + 8) + 1000 // 8  # a bit says of each number that it is there
    monkeypatch.setattr(bounds, "MOST_TIMES", 0)
    for most, whole in ((unpacked, True), (unpacked - 1, False)):
        monkeypatch.setattr(bounds, "ALWAYS_ALLOWED", most)
        if whole:
            assert read_parquet(one) == 1000
        else:
            with pytest.raises(ExtractError, match="must unpack to at most"):
                read_parquet(one)


def test_parquet_is_read_as_it_was_written(tmp_path):
    texts = ["a", None, "x" * bounds.LONGEST_CELL, "", "b"] * 2
    columns = {"kept": pa.array(texts).dictionary_encode(), "n": pa.array(range(10)), "day.x": pa.array([None] * 10)}
    columns |= {"text": pa.array([f"p{number}" for number in range(10)]), "list": pa.array([[1], None] * 5)}
    one = parquet(tmp_path, pa.table({**columns}), row_group_size=3)
    found = [batch.to_pydict() for batch in parquet_batches(one, ["text", "kept", "n", "day.x", "list"])]
    read = {name: [cell for batch in found for cell in batch[name]] for name in columns}
    assert read == {name: column.to_pylist() for name, column in columns.items()}
    assert sum(batch.num_rows for batch in parquet_batches(one, [])) == 10


@pytest.mark.parametrize("separator", [",", ";", "\t", "^"])
def test_a_long_cell_and_a_wide_table_are_read(separator, tmp_path):
    wide = separator.join(f"c{number}" for number in range(60_000)).encode()
    rows = b"\n".join([wide, *[separator.join(["1"] * 60_000).encode()] * 3]) + b"\n"
    assert read(part(tmp_path, rows).laid_out(separator, None)) == 3
    cell = b"x" * 130_000
    long = b"a" + separator.encode() + b"b\n" + b"1" + separator.encode() + cell + b"\n"
    assert read(part(tmp_path, long).laid_out(separator, None)) == 1


@pytest.mark.parametrize(
    "extract", ["zip://a.csv::none.zip", "simplecache::file:///none.csv", "a::b", "::", "zip://x.csv::" * 400 + "a.zip"]
)
def test_a_chain_of_addresses_is_one_clear_error(extract):
    with pytest.raises(ExtractError, match="must be one path or URL; it is a chain"):
        find_parts(extract)


@pytest.mark.parametrize("extract", ["reference://a.csv", "generic://a", "jupyter://a/b.csv"])
def test_an_address_that_its_package_refuses_is_one_clear_error(extract):
    with pytest.raises(ExtractError, match=r"cannot be used|could not be reached"):
        find_parts(extract)
