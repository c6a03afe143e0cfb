"""What a text file may hold: a small file that unpacks without end is refused soon, and a table is read as before."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc

import pytest

from mgvae.draft.scan import look_at
from mgvae.errors import ExtractError
from mgvae.extract import bounds
from mgvae.extract.csv_file import csv_batches, csv_header
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
