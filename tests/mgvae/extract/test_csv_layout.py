"""Where a header begins, and how a file is laid out: whatever stands around the same rows, the same table is read."""

import gzip
import itertools
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.draft.scan import look_at
from mgvae.errors import ConfigError, ExtractError
from mgvae.extract.csv_layout import _to_last_row, found_encoding, header_start
from mgvae.extract.formats import header
from mgvae.extract.parts import find_parts
from mgvae.extract.read import read_extract

ROWS = "".join(f"{row},{20 + row % 60},{'Zoë' if row % 2 else 'Ward 2'},{int(row % 9 == 0)}\n" for row in range(1, 60))
HEADER = "id,age,ward,died\n"
COLUMNS = {
    "id": {"role": "identifier"},
    "age": {"kind": "count"},
    "ward": {"kind": "categorical", "categories": ["Zoë", "Ward 2"]},
}


def study(path, columns=None, **changes):
    values = {"study": "s", "extract": str(path), "subject_id": "id", "outcome": {"column": "died"}}
    return build(CohortConfig, values | {"columns": {"columns": columns or COLUMNS}} | changes, source="test")


def read(tmp_path, content, name="t.csv", **changes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_extract(study(path, **changes)).frame


@pytest.fixture
def expected(tmp_path):
    return read(tmp_path, HEADER + ROWS, name="expected.csv")


BEFORE = ("", "\n", "\n\n", "  \n", ",,,\n", "\t\n;;;\n", '"","",""\n', "\u00a0\n", "sep=,\n", "\nsep=,\n\n")


@pytest.mark.parametrize(("before", "bom", "end"), [*itertools.product(BEFORE, ("", "\ufeff"), ("\n", "\r\n"))])
def test_nothing_before_the_header_is_a_row(before, bom, end, expected, tmp_path):
    content = (bom + before + HEADER + ROWS).replace("\n", end)
    pd.testing.assert_frame_equal(read(tmp_path, content), expected)
    assert look_at(str(tmp_path / "t.csv")).rows == len(expected)


AFTER = ("\n", "\n\n", "   \n", ",,,\n,,,\n", ",,,", " \n,,,\n\t\n", "\r\n")


@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("size", [1, 7, 1 << 22])
def test_nothing_below_the_last_row_is_a_row(after, size, expected, monkeypatch, tmp_path):
    monkeypatch.setattr("mgvae.extract.csv_layout.BLOCK", size)
    pd.testing.assert_frame_equal(read(tmp_path, HEADER + ROWS + after), expected)


@given(text=st.text("1, \t\r\n", max_size=30), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_the_last_row_ends_at_the_same_byte_whatever_the_blocks(text, sizes):
    content = text.encode()
    filled = len(content.rstrip(b" \t\r\n,"))
    end = re.search(rb"[\r\n]", content[filled:])
    expected = b"" if not filled else content if end is None else content[: filled + end.end()]
    starts = [0, *itertools.accumulate(sizes)]
    blocks = [content[start : start + size] for start, size in zip(starts, [*sizes, 99], strict=True)]
    assert b"".join(_to_last_row(iter(blocks), ",")) == expected


def test_no_more_than_a_block_of_a_long_line_is_kept():
    """What was kept of a line of a thousand columns once grew, and was copied with each block."""
    passed = []

    def blocks():
        for number in range(200):
            yield b"12,34,\n" if number % 50 == 49 else b"12,34,5"
            assert sum(passed) >= 7 * number

    for piece in _to_last_row(blocks(), ","):
        passed.append(len(piece))
    assert sum(passed) == 200 * 7


def test_empty_cells_at_the_end_are_cells(tmp_path):
    assert read(tmp_path, HEADER + '1,30,B,0\n2,31,"\n\n",1\n3,,,\n')["id"].tolist() == ["1", "2", "3"]
    assert read(tmp_path, HEADER + "1,30,B,0\n \n2,31,B,1\n")["id"].tolist() == ["1", "2"]


def test_the_header_begins_where_the_first_field_is(monkeypatch, expected, tmp_path):
    assert header_start(b"\n\n ,id\n") == 2
    assert header_start(b"\n\n") is None
    assert header_start(b"\r\rid\r") == 2
    for size in (1, 3, 64):  # whatever the blocks
        monkeypatch.setattr("mgvae.extract.csv_layout.BLOCK", size)
        pd.testing.assert_frame_equal(read(tmp_path, "\n \n\n" + HEADER + ROWS), expected)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16", "utf-16-le", "utf-32", "mac-roman"])
@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_named_layout_is_read(encoding, separator, suffix, expected, tmp_path):
    content = (HEADER + ROWS).replace(",", separator).encode(encoding)
    frame = read(
        tmp_path, gzip.compress(content) if suffix else content, f"t.csv{suffix}", encoding=encoding, separator=separator
    )
    pd.testing.assert_frame_equal(frame, expected)


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        *[("utf-8", None), ("utf-8-sig", None), ("latin-1", "cp1252"), ("cp1252", "cp1252"), ("utf-16", "utf-16")],
        *[("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("utf-32", "utf-32")],
    ],
)
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_draft_finds_the_layout(encoding, found, separator, tmp_path):
    (tmp_path / "t.csv").write_bytes((HEADER + ROWS).replace(",", separator).encode(encoding))
    look = look_at(str(tmp_path / "t.csv"))
    assert (look.encoding, look.separator) == (found, None if separator == "," else separator)
    assert [column.name for column in look.columns] == ["id", "age", "ward", "died"]
    assert look.columns[2].values == ("Ward 2", "Zoë")


def test_a_damaged_file_is_not_taken_for_another_encoding(tmp_path):
    (tmp_path / "t.csv").write_bytes((HEADER + ROWS).encode() + b"99,30,\xff,1\n")
    assert found_encoding(find_parts(str(tmp_path / "t.csv"))[0]) is None
    with pytest.raises(ExtractError, match=r"must be UTF-8 text; byte \d+ \(line 61\) is not"):
        look_at(str(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"separator": "::"}, "separator: must be the one character between columns"),
        ({"separator": "."}, "separator: must be the one character"),
        ({"encoding": "utf-9"}, "encoding: must be an encoding of text"),
        ({"encoding": "rot13"}, "encoding: must be an encoding of text"),
    ],
)
def test_a_layout_that_cannot_be(changes, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        study(tmp_path / "t.csv", **changes)


@pytest.mark.parametrize("word", ["tab", "\\t", "\t"])
def test_a_tab_may_be_written_as_a_word(word, tmp_path):
    assert study(tmp_path / "t.csv", separator=word).separator == "\t"


def test_separators_inside_quoted_names_separate_nothing(tmp_path):
    text = 'id,"Age (years; 90 = 90 or more; 999 = unknown)","Ward (a; b; c)",died\n' + ROWS
    (tmp_path / "t.csv").write_text(text)
    look = look_at(str(tmp_path / "t.csv"))
    assert look.separator is None
    assert look.columns[1].name == "Age (years; 90 = 90 or more; 999 = unknown)"
    (tmp_path / "u.csv").write_text('id;"Age, in years, at entry, or later";ward;died\n' + ROWS.replace(",", ";"))
    assert look_at(str(tmp_path / "u.csv")).separator == ";"


def test_blanks_before_quotes_belong_to_no_cell(tmp_path):
    lines = (HEADER + ROWS).replace("Ward 2", "Ward, 2").splitlines()
    split = [line.replace("Ward, 2", "Ward# 2").split(",") for line in lines]
    text = "".join(", ".join(f'"{field}"' for field in fields).replace("#", ",") + "\n" for fields in split)
    frame = read(tmp_path, text)
    assert set(frame["ward"]) == {"Zoë", "Ward, 2"}
    assert frame["age"].notna().all()
    pd.testing.assert_frame_equal(read(tmp_path, text + "\n  \n"), frame)
    assert read(tmp_path, HEADER + '1,30, 6" tall,0\n2,31, b,1\n')["ward"].tolist() == ['6" tall', "b"]


def test_names_that_are_codes_head_columns(tmp_path):
    names = ["id", "401.9", "250.00", "428.0", "died"]
    (tmp_path / "t.csv").write_text(",".join(names) + "\n" + "".join(f"{row},0,1,0,{row % 2}\n" for row in range(40)))
    assert [column.name for column in look_at(str(tmp_path / "t.csv")).columns] == names
    (tmp_path / "u.csv").write_text("".join(f"{row},40{row},0,1,female,2\n" for row in range(40)))
    with pytest.raises(ExtractError, match="the first line must name the columns"):
        look_at(str(tmp_path / "u.csv"))


def test_names_that_look_alike_are_one(tmp_path):
    text = "id,age\u00a0 in  years,Cafe\u0301,died\n" + ROWS
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    columns = {"id": {"role": "identifier"}, "age in years": {"kind": "count"}, "Café": {"role": "excluded"}}
    assert read(tmp_path, text, columns=columns)["age in years"].notna().all()
    pd.DataFrame({"id": [1], "age\u00a0 in  years": [3], "died": [0]}).to_parquet(tmp_path / "t.parquet")
    assert read_extract(study(tmp_path / "t.parquet", columns=columns)).frame["age in years"].tolist() == [3]
    (tmp_path / "u.csv").write_text("id,Café,Cafe\u0301,died\n" + ROWS, encoding="utf-8")
    with pytest.raises(ExtractError, match=r"named more than once: Café \(letters and blanks that look alike"):
        header(find_parts(str(tmp_path / "u.csv"))[0], {"Café"})


def test_a_question_mark_in_a_local_name_is_part_of_it(expected, tmp_path):
    pd.testing.assert_frame_equal(read(tmp_path, HEADER + ROWS, name="who? what.csv"), expected)
    with gzip.open(tmp_path / "a?b.csv.gz", "wt") as file:
        file.write(HEADER + ROWS)
    pd.testing.assert_frame_equal(read_extract(study(tmp_path / "a?b.csv.gz")).frame, expected)


def test_a_row_that_holds_nothing_is_none(expected, tmp_path):
    lines = (HEADER + ROWS).splitlines()
    text = "\n".join([*lines[:20], ",,,", *lines[20:]]) + "\n"
    pd.testing.assert_frame_equal(read(tmp_path, text), expected)
    assert look_at(str(tmp_path / "t.csv")).rows == len(expected)
    assert len(read(tmp_path, "\n".join([*lines[:20], "99,,,", *lines[20:]]) + "\n")) == len(expected) + 1


def test_files_that_were_joined_with_their_headers_are_refused(tmp_path):
    with pytest.raises(ExtractError, match="only the first line must name the columns; 1 rows repeat the header"):
        read(tmp_path, HEADER + ROWS + HEADER + ROWS)
    one = read(tmp_path, HEADER + ROWS + "ward,30,ward,1\n")  # a level may be called like its column
    assert one["ward"].tolist()[-1] == "ward"


def test_a_name_in_two_lines_is_one_line(tmp_path):
    frame = read(tmp_path, 'id,"age\n  in years",ward,died\n' + ROWS, columns=COLUMNS | {"age in years": {"kind": "count"}})
    assert frame["age in years"].notna().all()


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("Export of ward 3\n", "the first line is not the header: remove what stands before"),
        ("# one\n# two\n", "the first line is not the header: remove what stands before"),
        ("Export; of ward 3\n", "the first line is not the header: remove what stands before"),
    ],
)
def test_lines_before_the_header_are_named_as_the_cause(before, words, tmp_path):
    (tmp_path / "t.csv").write_text(before + HEADER + ROWS)
    with pytest.raises(ExtractError, match=words):
        look_at(str(tmp_path / "t.csv"))


def parts(tmp_path, *contents):
    (tmp_path / "parts").mkdir()
    for place, content in enumerate(contents):
        (tmp_path / "parts" / f"{place}.csv").write_bytes(content)
    return str(tmp_path / "parts")


def test_parts_of_one_layout_are_one_table(tmp_path):
    content = (HEADER + ROWS).replace(",", ";")
    look = look_at(parts(tmp_path, content.replace("Zoë", "Zoe").encode(), content.encode("cp1252")))
    assert (look.rows, look.encoding, look.separator) == (118, "cp1252", ";")
    assert look.columns[2].values == ("Ward 2", "Zoe", "Zoë")


@pytest.mark.parametrize("other", ["cp1252", "utf-16"])
def test_parts_of_two_encodings_are_refused(other, tmp_path):
    content = HEADER + ROWS
    with pytest.raises(ExtractError, match=f"must be {other} text"):
        look_at(parts(tmp_path, content.encode(), content.encode(other)))


def test_a_file_in_utf_8_that_is_named_otherwise_is_refused(expected, tmp_path):
    with pytest.raises(ExtractError, match=r"must be cp1252 text, as named; it is UTF-8\. Leave out 'encoding'"):
        read(tmp_path, HEADER + ROWS, encoding="cp1252")
    plain = read(tmp_path, (HEADER + ROWS).replace("Zoë", "Ward 2"), encoding="cp1252")
    assert len(plain) == len(expected)
