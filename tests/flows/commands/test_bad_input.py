"""Bad input, as real files through the real command: one clear error or a refused extract; the last good run stays."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mgvae.cohort.build import build_cohort
from mgvae.config.strict import build
from mgvae.config.study import load_config
from mgvae.extract.read import read_extract
from mgvae.report.schema import Report
from mgvae.store.artifact import digest_file, payload
from tests.flows.command_line import without_progress
from tests.flows.flow_tools import read, run_study
from tests.flows.simulated_study import table, write_study

pytestmark = pytest.mark.usefixtures("database")
CSV = table().to_csv(index=False)
LINES = CSV.splitlines(keepends=True)


def parquet(frame):
    return frame.to_parquet(index=False)


def damaged(content, start, end):
    return content[:start] + bytes(end - start) + content[end:]


WHOLE = parquet(table())
# name -> file name, bytes (None: no file), what the message must say, changes of cohort.yaml
ERRORS = {
    "missing file": ("extract_2.csv", CSV, ("extract.csv: no such file", "Did you mean 'extract_2.csv'?")),
    "no folder": ("extract.csv", None, ("no such file", "'extract' in cohort.yaml")),
    "empty file": ("extract.csv", "", ("extract.csv", "the file is empty")),
    "empty table": ("extract.csv", LINES[0], ("at least one row", "a header and no rows")),
    "empty Parquet": ("extract.parquet", parquet(table().iloc[:0]), ("at least one row",)),
    "semicolons": ("extract.csv", CSV.replace(",", ";"), ("separated by a comma", "a semicolon")),
    "tabs": ("extract.csv", CSV.replace(",", "\t"), ("separated by a comma", "a tab")),
    "subject misnamed": ("extract.csv", CSV.replace("patient,", "Patient,", 1), ("'patient'", "Did you mean 'Patient'?")),
    "outcome absent": ("extract.csv", table().drop(columns="died").to_csv(index=False), ("'died'", "is absent")),
    "no predictor": ("extract.csv", table()[["patient", "died"]].to_csv(index=False), ("predictors", "none of its 7")),
    "column twice": ("extract.csv", CSV.replace("visits", "age", 1), ("its own name", "age")),
    "cut in a line": ("extract.csv", CSV[: len(CSV) // 2 + 7].rstrip("\n"), ("cut off",)),
    "short line": ("extract.csv", CSV.replace(LINES[300], LINES[300][:20] + "\n"), ("every row must have 11 fields",)),
    "open quote": ("extract.csv", CSV.replace(",east,", ',"east,', 1), ("quoted cell must be closed",)),
    "cut gzip": ("extract.csv.gz", gzip.compress(CSV.encode())[:-3000], ("cut off or damaged",)),
    "cut Parquet": ("extract.parquet", WHOLE[: len(WHOLE) // 2], ("cut off",)),
    "damaged Parquet": ("extract.parquet", damaged(WHOLE, 200, len(WHOLE) // 3), ("damaged",)),
    "CSV by the name of Parquet": ("extract.parquet", CSV, ("must be Parquet",)),
    "Latin-1": ("extract.csv", CSV.replace("east", "öst").encode("latin-1"), ("must be UTF-8", "line ")),
    "UTF-16": ("extract.csv", CSV.encode("utf-16"), ("UTF-16", "Save it as UTF-8")),
    "spreadsheet": ("extract.xlsx", b"PK\x03\x04", ("must be CSV", "Parquet")),
    "four events": ("extract.csv", table(events=4).to_csv(index=False), ("'died'", "at least 5", "4 have it")),
}


def changed(**columns):
    return table().assign(**columns)


def with_cell(column, value, rows=3):
    frame = table().astype({column: object})
    frame.loc[: rows - 1, column] = value
    return frame


def doubled():
    frame = table()
    frame.loc[5, "patient"] = frame.loc[4, "patient"]
    return frame


# name -> frame, the rules that must fail: column, words of the rule, count (None: not about rows)
REFUSED = {
    "column absent": (table().drop(columns="crp"), {("crp", "must be a column of the extract", None)}),
    "column misnamed": (table().rename(columns={"crp": "CRP"}), {("crp", "must be a column of the extract", None)}),
    "no event": (changed(died="no"), {("died", "with and without the event", None), ("died", "must show the event", None)}),
    "nothing but events": (
        changed(died="yes"),
        {("died", "with and without the event", None), ("died", "must show the event", None)},
    ),
    "outcome of another level": (with_cell("died", "perhaps"), {("died", "one of its 2 categories", 3)}),
    "all missing": (changed(crp=""), {("crp", "missing in at most 95 %", 600), ("crp", "two different values", None)}),
    "constant": (changed(age=50), {("age", "two different values", None)}),
    "constant level": (changed(ward="east"), {("ward", "two different values", None)}),
    "duplicate subjects": (doubled(), {("patient", "must be unique", 2)}),
    "subject missing": (with_cell("patient", ""), {("patient", "must be given in every row", 3)}),
    "unknown category": (with_cell("ward", "zebra"), {("ward", "one of its 3 categories", 3)}),
    "infinite": (with_cell("age", "inf", 2), {("age", "must be a finite number", 2)}),
    "minus infinite": (with_cell("crp", "-Infinity", 2), {("crp", "must be a finite number", 2)}),
    "text among numbers": (with_cell("age", "zebra"), {("age", "must be a finite number", 3)}),
    "decimal comma": (with_cell("crp", "7,5"), {("crp", "must be a finite number", 3)}),
    "out of range": (with_cell("age", 417), {("age", "between 18 and 110 years", 3)}),
    "half a visit": (with_cell("visits", 1.5), {("visits", "must be a whole number", 3)}),
    "a date that is none": (with_cell("first_seen", "31.12.2018"), {("first_seen", "must be a date", 3)}),
    "a date after the index date": (with_cell("first_seen", "2031-03-05"), {("first_seen", "not lie after the index date", 3)}),
    "family absent": (table().drop(columns="family"), {("family", "must be a column of the extract", None)}),
    "no index date": (changed(index_day=""), {("index_day", "missing in at most 95 %", 600)}),
    "too many events": (table(events=150), {("died", "must show the event in 1 % to 20 %", None)}),
}


@pytest.fixture(scope="module")
def snapshot(finished):
    """What the last good run consists of."""
    return {path.name: digest_file(path) for path in finished.run.rglob("*.*")}


@pytest.fixture
def out(finished, tmp_path):
    """Runs among which is a good one."""
    return finished.copied(tmp_path)


def nothing_half_written(out, finished, snapshot):
    """Check that every run folder is whole and that the last good run is untouched."""
    assert not list(out.rglob(".*-*"))
    runs = [path for path in (out / "small").iterdir() if not path.is_symlink()]
    for run in runs:
        manifest = json.loads((run / "manifest.json").read_text())
        assert manifest["files"] == {path.relative_to(run).as_posix(): digest_file(path) for path in payload(run)}
    good = out / "small" / finished.run.name
    assert {path.name: digest_file(path) for path in good.rglob("*.*")} == snapshot
    return {run.name for run in runs} - {good.name}


def message_of(said):
    """Check that the command ended with one plain error, and return it."""
    assert said.code == 1
    assert said.out == ""
    message = without_progress(said.err)
    assert message.startswith("Error: ")
    assert message.count("\n") == 1
    for word in ("Traceback", "horse", "zebra", "suppressed"):
        assert word not in said.err
    return message


@pytest.mark.parametrize("case", list(ERRORS))
def test_one_clear_error(case, mgvae, out, finished, snapshot, tmp_path):
    name, content, words = ERRORS[case]
    folder = tmp_path / "study"
    write_study(folder, extract="extract.csv" if case == "missing file" else name, outcome__expected_prevalence=[0, 0.2])
    (folder / "extract.csv").unlink()
    if content is not None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    message = message_of(mgvae("run", folder / "cohort.yaml", "--out", out))
    for word in words:
        assert word in message
    assert nothing_half_written(out, finished, snapshot) == set()
    assert (out / "small" / "latest").resolve().name == finished.run.name


IN_PARQUET = ("infinite", "all missing", "unknown category", "duplicate subjects", "column absent")


@pytest.mark.parametrize(
    ("case", "suffix"), [*((case, ".csv") for case in REFUSED), *((case, ".parquet") for case in IN_PARQUET)]
)
def test_failed_validation_with_a_report(case, suffix, mgvae, out, finished, snapshot, tmp_path):
    frame, expected = REFUSED[case]
    cohort = write_study(tmp_path / "study", frame, extract=f"extract{suffix}")
    if suffix == ".parquet":
        typed(frame).to_parquet(tmp_path / "study" / "extract.parquet", index=False)
    said = mgvae("run", cohort, "--out", out)
    assert said.code == 2
    assert without_progress(said.err) == ""
    assert said.out.splitlines()[0].startswith("Status: invalid. The extract is refused.")
    (new,) = nothing_half_written(out, finished, snapshot)
    report = json.loads((out / "small" / new / "report.json").read_text())
    assert build(Report, report, source="report.json").status == "invalid"
    failed = {(one["column"], one["rule"], one["count"]) for one in report["validation"]["failed"]}
    assert len(failed) == len(expected)
    for column, words, count in expected:
        assert any(column == one[0] and words in one[1] and count == one[2] for one in failed)
    page = (out / "small" / new / "report.html").read_text(encoding="utf-8")
    for value in ("horse", "zebra", "perhaps", "31.12.2018", "2031-01-01", "7,5"):
        assert value not in said.out + page + json.dumps(report)


def typed(frame):
    """Return a frame as a database would export it: numbers as numbers, empty cells as null."""
    frame = frame.replace("", None)
    return frame.assign(**{name: frame[name].astype(float) for name in ("age", "crp", "visits") if name in frame})


def test_a_refused_extract_refused_again_is_reused_and_the_mended_one_runs(mgvae, out, finished, snapshot, tmp_path):
    cohort = write_study(tmp_path / "study", REFUSED["constant"][0])
    first = mgvae("run", cohort, "--out", out)
    again = mgvae("run", cohort, "--out", out)
    assert (first.code, first.out) == (again.code, again.out)
    assert first.code == 2
    assert "latest" in first.out
    assert mgvae("run", finished.cohort, "--out", out).code == 0
    assert (out / "small" / "latest").resolve().name == finished.run.name
    assert len(nothing_half_written(out, finished, snapshot)) == 1


@pytest.mark.parametrize("case", ["four events", "cut in a line", "missing file"])
def test_an_error_on_a_new_machine_leaves_no_run(case, mgvae, tmp_path):
    name, content, _ = ERRORS[case]
    folder = tmp_path / "study"
    write_study(folder, outcome__expected_prevalence=[0, 0.2])
    (folder / "extract.csv").unlink()
    (folder / name).write_text(content)
    message_of(mgvae("run", folder / "cohort.yaml", "--out", tmp_path / "runs"))
    assert not (tmp_path / "runs" / "small").exists()
    assert not list(tmp_path.rglob(".writing-*"))


@pytest.mark.slow
@pytest.mark.parametrize("events", [5, 14])
def test_few_events_run_with_a_plain_warning(events, tmp_path):
    brief = {"training__pretrain_epochs": 2, "training__finetune_epochs": 2}
    cohort = write_study(tmp_path / "study", table(events=events), outcome__expected_prevalence=[0, 0.2], **brief)
    result, report = run_study(cohort, tmp_path / "runs")
    assert f"Only {events} subjects have the event" in report["warnings"][0]
    assert report["cohort"]["events"] == events
    assert report["recommendation"]["arm"] == "none"
    assert result["status"] in ("pass", "warn", "fail")
    assert "Take the results as a technical trial" in (Path(result["run"]) / "report.html").read_text(encoding="utf-8")
    assert read(result) == report


def test_fifteen_events_need_no_warning(finished, tmp_path):
    config = load_config(write_study(tmp_path, table(events=15)))
    assert build_cohort(config, read_extract(config).frame).warning is None
