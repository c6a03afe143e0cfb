"""Bad input: one clear error that says what must hold, what was got and how to fix it, without a patient's value."""

import gzip
import os

import numpy as np
import pandas as pd
import pytest

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.errors import ExtractError
from mgvae.extract.read import read_extract

COLUMNS = {
    "id": {"kind": "count", "role": "identifier"},
    "age": {"kind": "count"},
    "lab": {"kind": "continuous"},
    "note": {"kind": "categorical", "categories": ["SECRET", "other"]},
}
ROWS = "".join(f"{i},{20 + i},0.{i},SECRET,{i % 2}\n" for i in range(1, 41))
GOOD = "id,age,lab,note,dead\n" + ROWS


def study(extract):
    values = {"study": "s", "extract": str(extract), "subject_id": "id", "outcome": {"column": "dead"}}
    return build(CohortConfig, values | {"columns": {"columns": COLUMNS}}, source="test")


def refused(extract, match, **options):
    with pytest.raises(ExtractError, match=match) as caught:
        read_extract(study(extract), **options)
    message = str(caught.value)
    assert "SECRET" not in message
    assert message.count("\n") == 0
    assert message.endswith(".")
    return message


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


CSV = {
    "empty": ("", "the file is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "the file is empty"),
    "header only": ("id,age,lab,note,dead\n", "at least one row; it has a header and no rows"),
    "semicolons": (GOOD.replace(",", ";"), "separated by a comma; the header is separated by a semicolon"),
    "semicolons and decimal commas": (GOOD.replace(",", ";").replace("0.", "0,"), "separated by a semicolon"),
    "tabs": (GOOD.replace(",", "\t"), "separated by a tab"),
    "bars": (GOOD.replace(",", "|"), "separated by a vertical bar"),
    "latin-1": (GOOD.encode() + b"41,50,0.1,\xe9,1\n", r"must be UTF-8 text; byte \d+ \(line 42\) is not. Save it as UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "it is UTF-16.* write 'encoding: utf-16' into cohort.yaml"),
    "zip": (b"PK\x03\x04" + bytes(60), "NUL bytes"),
    "header twice": (GOOD.replace("lab", "age", 1), "named more than once: age"),
    "short row": (
        GOOD.replace("5,25,0.5,SECRET,1", "5,25"),
        "must have 5 fields.* 1 row does not, the first is row 6 .* with 2",
    ),
    "long rows": (
        GOOD.replace("SECRET,1", "SECRET,1,SECRET"),
        "must have 5 fields.* 20 rows do not, the first is row 2 .* with 6",
    ),
    "subject misnamed": (GOOD.replace("id", "ID", 1), r"column 'id' \(subject_id in cohort.yaml\).* Did you mean 'ID'\?"),
    "outcome misnamed": (GOOD.replace("dead", "death", 1), r"column 'dead' \(outcome.column.* Did you mean column 5, "),
    "no predictor": ("id,dead\n1,0\n2,1\n", "none of its 3 is there"),
    "quote left open": (GOOD.replace("SECRET", '"SECRET', 1), "quoted cell must be closed.* begins at line 2"),
    "cut in a quoted cell": ((GOOD + '41,50,0.1,"SEC').encode(), "quoted cell must be closed.* begins at line 42"),
    "cut in a letter": (GOOD.encode() + "41,50,0.1,é".encode()[:-1], "cut off in the middle of a character"),
    "cut in a row": (
        GOOD[:-12],
        "1 row does not, the first is row 41 .* with 3. It is the last one, so the file may be cut off",
    ),
    "a title before the header": ("Export of ward 3\n" + GOOD, "No row fits, so the first line is not the header"),
    "row names without a name": (GOOD.replace("\n", "\n1,", 40), "All rows have one field more .*name every column"),
    "decimal commas": (GOOD.replace("0.", "0,"), "All rows have one field more"),
    "nothing but empty lines": ("\n\n,,,\n", "at least one row; all its lines are empty"),
}


@pytest.mark.parametrize("case", list(CSV))
def test_bad_csv(case, tmp_path):
    content, match = CSV[case]
    refused(written(tmp_path / "t.csv", content), match)


def test_a_csv_cut_within_a_line_is_refused_or_remarked_upon(tmp_path):
    whole = GOOD.encode()
    for end in range(len(whole) - 60, len(whole)):
        if whole[end - 1 : end] == b"\n":
            continue
        path = written(tmp_path / "t.csv", whole[:end])
        last = whole[:end].rpartition(b"\n")[2]
        if last.count(b",") < 4:
            refused(path, "last line must end with a line break", whole=True)
            refused(path, "cut off")
        else:
            assert "the last line has no line break" in read_extract(study(path)).remarks[0]
            refused(path, "last line must end with a line break, or a file cut off", whole=True)


def test_a_csv_that_ends_with_a_line_break_is_whole(tmp_path):
    extract = read_extract(study(written(tmp_path / "t.csv", GOOD)), whole=True)
    assert extract.remarks == ()
    assert len(read_extract(study(written(tmp_path / "t.csv", GOOD[:-1]))).frame) == len(extract.frame)


def test_the_place_of_a_wrong_byte_is_right_in_later_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("mgvae.extract.csv_file.BLOCK", 7)
    content = ("id,age,dead\n" + "é,1,0\n" * 10).encode() + b"2,\xff,1\n"
    at = content.index(b"\xff")
    refused(written(tmp_path / "t.csv", content), rf"byte {at} \(line 12\)")


def test_a_commas_separated_tsv(tmp_path):
    refused(written(tmp_path / "t.tsv", GOOD), "separated by a tab; the header is separated by a comma")


def test_gzip_cut_off_or_not_gzip(tmp_path):
    noise = np.random.default_rng(0).random(5000)
    text = "id,age,lab,note,dead\n" + "".join(f"{i},1,{value},SECRET,0\n" for i, value in enumerate(noise))
    whole = gzip.compress(text.encode())
    refused(written(tmp_path / "t.csv.gz", whole[: len(whole) // 2]), "compressed file is cut off or damaged")
    refused(written(tmp_path / "u.csv.gz", GOOD), "must be gzip data, as its name says")
    refused(written(tmp_path / "v.csv.gz", b""), "the file is empty")


@pytest.fixture
def parquet(tmp_path):
    noise = np.random.default_rng(0).random(20_000)
    frame = pd.DataFrame({"id": range(20_000), "age": 1, "lab": noise, "note": "SECRET", "dead": 0})
    frame.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_parquet_cut_off(parquet, share):
    whole = parquet.read_bytes()
    refused(written(parquet, whole[: int(len(whole) * share)]), "the end of a Parquet file is missing")


def test_parquet_damaged_in_the_middle(parquet):
    whole = bytearray(parquet.read_bytes())
    whole[100 : len(whole) // 2] = bytes(len(whole) // 2 - 100)
    refused(written(parquet, bytes(whole)), "damaged|could not be read")


def test_parquet_with_a_footer_that_is_none(parquet):
    refused(written(parquet, b"PAR1" + bytes(100) + b"PAR1"), "damaged|could not be read")


def test_parquet_empty_or_other(tmp_path):
    refused(written(tmp_path / "t.parquet", b""), "the file is empty")
    refused(written(tmp_path / "u.parquet", GOOD), "must be Parquet, as its name says")
    pd.DataFrame({"id": [], "age": [], "dead": []}).to_parquet(tmp_path / "v.parquet")
    refused(tmp_path / "v.parquet", "a header and no rows")


def test_missing_file_names_the_nearest(tmp_path):
    written(tmp_path / "extract_2026.csv", GOOD)
    assert "'extract_2026.csv'?" in refused(tmp_path / "extract_206.csv", "no such file. Did you mean")
    refused(tmp_path / "nowhere" / "t.csv", "its folder does not exist")
    refused(tmp_path / "*.parquet", "must lead to at least one")


def test_folder_without_parts_or_with_two_formats(tmp_path):
    written(tmp_path / "notes.txt", "x")
    refused(tmp_path, "must lead to at least one .csv")
    written(tmp_path / "a.csv", GOOD)
    pd.DataFrame({"id": [1]}).to_parquet(tmp_path / "b.parquet")
    refused(tmp_path, "all parts must have one format; got csv, parquet")


def test_parts_with_other_columns(tmp_path):
    written(tmp_path / "a.csv", GOOD)
    written(tmp_path / "b.csv", GOOD.replace("lab", "lab_2", 1))
    refused(tmp_path, r"same columns; .* differ in 2: lab only in .*\.csv; column \d only in ")


def test_unknown_suffix_and_protocol(tmp_path):
    refused(written(tmp_path / "t.xlsx", GOOD), r"must be CSV .* or Parquet")
    refused("nosuch://bucket/t.csv", "protocol 'nosuch' is unknown")
    refused("memory://nothing/t.csv", "no such file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    written(tmp_path / "t.csv", GOOD).chmod(0)
    refused(tmp_path / "t.csv", "permission was denied")


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    path = written(tmp_path / "t.csv", GOOD)

    def hash_and_append(parts):
        written(path, GOOD + "41,50,0.1,SECRET,1\n")
        return "0" * 64

    monkeypatch.setattr("mgvae.extract.read.digest", hash_and_append)
    refused(path, "changed while it was read")
