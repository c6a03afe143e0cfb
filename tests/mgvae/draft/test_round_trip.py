"""The law of a draft: what it says of an extract, the extract obeys, whatever is in it."""

import csv
import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgvae.cohort.build import build_cohort
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import load_config
from mgvae.draft.draft import draft
from mgvae.draft.yaml_text import COHORT, DICTIONARY, cohort_text, dictionary_text
from mgvae.errors import ExtractError
from mgvae.extract.read import read_extract

ROWS = 40


def drafted(extract, folder, **options):
    """Write the draft's files; return the configuration that they hold."""
    made = draft(str(extract), **options)
    (folder / DICTIONARY).write_text(dictionary_text(made), encoding="utf-8")
    (folder / COHORT).write_text(cohort_text(made, str(extract), folder), encoding="utf-8")
    return load_config(folder / COHORT)


def check_obeyed(config):
    """Check by hand what the validation checks with its suite."""
    extract = read_extract(config)
    assert not extract.unreadable[[name for name in extract.unreadable if name in config.columns.features]].any(axis=None)
    for name, column in config.columns.features.items():
        cells = extract.frame[name]
        assert cells.isna().mean() <= column.max_missing + 1e-12
        assert cells.nunique() >= 2
        if column.kind in LEVEL_KINDS:
            assert set(cells.dropna()) == {canonical(level) for level in column.levels}
        low, high = column.range or (None, None)
        assert low is None or cells.min() >= low
        assert high is None or cells.max() <= high
        assert column.kind != "count" or (cells.dropna() % 1 == 0).all()
    cohort = build_cohort(config, extract.frame)
    low, high = config.outcome.expected_prevalence
    assert low <= cohort.prevalence <= high
    return cohort


WORDS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=8)
CELLS = st.one_of(
    st.lists(st.one_of(st.sampled_from(["", "?", "NA", "unknown"]), WORDS), min_size=2, max_size=6).map(st.sampled_from),
    st.just(WORDS),
    st.just(st.integers(-3, 9).map(str)),
    st.just(st.sampled_from(["0", "1", "2", "-9", "99", "1.0", ""])),
    st.just(st.floats(allow_nan=False).map(str)),
    st.just(st.floats(0, 60).map(lambda value: f"{value:.1f}")),
    st.just(
        st.sampled_from(
            ["yes", "no", "Yes", "true", "null", "~", "1:30", "0x1", "1_0", "- a", "#a", "a: b", "[0-10)", "'", '"']
        )
    ),
    st.just(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)).map(str)),
    st.just(st.sampled_from(["[0-10)", "[10-20)", "[20-30)", "90+"])),
    st.just(st.sampled_from(["007", "7", "07", "1e3", "1000", "<5"])),
    st.just(st.floats(0, 5000).map(lambda value: f"{value:,.1f}")),
    st.just(st.floats(0, 5000).map(lambda value: f"{value:,.2f}".replace(",", "\u202f").replace(".", ",") + " %")),
    st.just(st.sampled_from(["250.1", "250.10", "401.9", "-9", "(null)", "\\N"])),
    st.just(st.integers(10**17, 10**17 + 9).map(str)),
    st.just(st.sampled_from(["Café", "Cafe\u0301", "a  b", "a\u00a0b", "IC\u200bU", "icu"])),
    st.just(st.sampled_from(["31.12.2020", "01.02.2021", "9999-12-31", "infinity", "2020-01-01", "20200101.0", "12JAN2020"])),
)


@st.composite
def tables(draw):
    """Return column names and their cells as text; an outcome, a sound predictor, and whatever else may come."""
    taken = {"sound", "died", ""}
    names = draw(st.lists(WORDS.map(str.strip).filter(lambda name: name not in taken), min_size=1, max_size=4, unique=True))
    columns = {name: draw(st.lists(draw(CELLS), min_size=ROWS, max_size=ROWS)) for name in names}
    columns["died"] = ["1" if row % 5 == 0 else "0" for row in range(ROWS)]
    columns["sound"] = [str(row % 7) for row in range(ROWS)]
    return columns


@pytest.mark.slow
@given(tables())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_csv_obeys_its_draft(tmp_path, columns):
    path = tmp_path / "extract.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    check_obeyed(drafted(path, tmp_path, outcome="died"))


@given(tables())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_parquet_obeys_its_draft(tmp_path, columns):
    pd.DataFrame(columns).to_parquet(tmp_path / "extract.parquet")
    check_obeyed(drafted(tmp_path / "extract.parquet", tmp_path, outcome="died"))


def typed():
    """Return an Arrow table with every type that Parquet files of extracts have."""
    rng = np.random.default_rng(0)
    n = 200
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    frame = pd.DataFrame(
        {
            "person": np.arange(1000, 1000 + 3 * n, 3),
            "flag": rng.random(n) < 0.3,
            "flag_or_not": pd.array(rng.choice([True, False, None], n), dtype="boolean"),
            "whole": pd.array(rng.choice([1, 2, 3, 40, None], n), dtype="Int64"),
            "real": pd.array(rng.normal(size=n), dtype="Float32").astype("float64"),
            "gap": np.where(rng.random(n) < 0.4, np.nan, rng.integers(0, 30, n)),
            "coded": np.where(rng.random(n) < 0.1, -9, rng.integers(0, 3, n)),
            "when": day,
            "zoned": day.tz_localize("Europe/Vienna"),
            "level": pd.Categorical(rng.choice(["a", "b", "c"], n)),
            "empty": [None] * n,
            "many": [f"c{number}" for number in rng.integers(0, 500, n)],
            "died": np.arange(n) % 9 == 0,
        }
    )
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.append_column("day", pa.array([value.date() for value in day]))
    table = table.append_column("listed", pa.array([[1, 2]] * n))
    table = table.append_column("decimal", pa.array(rng.integers(100, 900, n)).cast(pa.decimal128(22, 2)))
    return table.append_column("large", pa.array(rng.choice(["x", "y"], n), pa.large_string()))


def test_every_type_of_parquet(tmp_path):
    pq.write_table(typed(), tmp_path / "extract.parquet")
    config = drafted(tmp_path / "extract.parquet", tmp_path, outcome="died")
    assert check_obeyed(config).events == 23
    columns = config.columns.columns
    kinds = {name: column.kind for name, column in columns.items() if "feature" in column.role}
    assert kinds == {
        "flag": "binary",
        "flag_or_not": "binary",
        "whole": "count",
        "real": "continuous",
        "gap": "count",
        "coded": "count",
        "level": "categorical",
        "decimal": "count",
        "large": "binary",
    }
    assert columns["coded"].missing_codes == (-9,)
    assert [columns[name].kind for name in ("when", "zoned", "day")] == ["date"] * 3
    assert {name for name, column in columns.items() if column.role == ("excluded",)} == {
        *("when", "zoned", "day", "listed", "empty", "many", "died")
    }
    assert (config.subject_id, config.outcome.event) == ("person", 1)


def test_parts_in_a_folder_with_keys(tmp_path):
    for site in ("a", "b"):
        (tmp_path / "parts" / f"site={site}").mkdir(parents=True)
        frame = pd.DataFrame({"age": range(20, 60), "died": [0, 0, 0, 1] * 10})
        frame.to_parquet(tmp_path / "parts" / f"site={site}" / "p.parquet")
    config = drafted(tmp_path / "parts", tmp_path, outcome="died")
    assert len(check_obeyed(config)) == 80
    assert config.columns["site"].levels == ("a", "b")


def test_a_column_without_a_name_is_left_out(tmp_path):
    lines = [',"age","died"', *(f'"{row}",{row % 50},{int(row % 9 == 0)}' for row in range(1, 201))]
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    config = drafted(tmp_path / "r.csv", tmp_path, outcome="died")
    assert list(config.columns.columns) == ["age", "died"]
    assert config.subject_id is None
    check_obeyed(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("a,died\n", "it has a header and no rows"),
        ("died\n" + "0\n1\n" * 20, "at least one column that can predict the outcome; of 1 none can: column 1 \\("),
        ("same,died\n" + "x,0\nx,1\n" * 20, r"of 2 none can: column 1 \(the same value in every row"),
        ("a,a,died\n" + "1,2,0\n" * 20, "named more than once: columns 1, 2"),
        ("417,0,1,2.5\n418,1,0,1.5\n", "the first line must name the columns; most of its 4 fields are numbers"),
    ],
)
def test_an_extract_of_which_nothing_can_be_drafted(text, words, tmp_path):
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(ExtractError, match=words) as caught:
        drafted(tmp_path / "e.csv", tmp_path, outcome="died")
    assert "417" not in str(caught.value)


def test_names_that_only_count_the_columns_are_names(tmp_path):
    rows = "".join(f"{row % 7},{row % 5},{int(row % 9 == 0)}\n" for row in range(90))
    (tmp_path / "e.csv").write_text("0,1,2\n" + rows)
    assert check_obeyed(drafted(tmp_path / "e.csv", tmp_path, outcome="2")).events == 10
