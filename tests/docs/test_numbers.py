"""Numbers that documents quote are tied to their source, and a wrong one is found."""

from __future__ import annotations

import json

import pytest

from docs.tools.numbers import check, register, reports, without_source, write
from docs.tools.quotes import Register, Sentence, Table, place, unsourced, write_number
from tests.paths import ROOT

KNOWN = register()
ENTRIES = [*KNOWN.sentences, *KNOWN.tables]
REPORT = {
    "study": "small",
    "cohort": {"n": 15569, "prevalence": 0.02107},
    "gates": [{"name": "energy", "value": 0.004}, {"name": "c2st", "value": 0.547}],
    "low": -0.0049,
}
SMALL = Register(
    studies=("small", "other"),
    results=("*.md",),
    names=("seed \\d",),
    sentences=(
        Sentence(document="a.md", text="{small:cohort.n:,} patients, {small:cohort.prevalence:.1%} % events"),
        Sentence(document="a.md", text="AUC {small:gates.c2st.value:.2f}, from {small:low:.3f}"),
        Sentence(document="a.md", text="other {other:cohort.n} patients"),
    ),
    tables=(
        Table(document="a.md", header="| arm | AUROC |", command="tabulate {small}"),
        Table(document="a.md", header="| slow |", command="hours", minutes=60),
    ),
)
DOCUMENT = """# 12 things

Seed 0, seed 1: 15,569
patients, 2.1 % events. AUC 0.55, from -0.005; 33 without a source, `44` is code, [text 55](page77.md). other 12 patients

| arm | AUROC |
|---|---|
| none | 0.871 |
| mgvae, 5 % | 0.870 |

| slow | n |
|---|---|
| x | 1 |
"""
PRINTED = "A table:\n| arm | AUROC |\n|---|---|\n| none | 0.871 |\n| mgvae, 5 % | 0.870 |\n"


@pytest.fixture
def small(tmp_path):
    """Return a folder with a document and a finished run."""
    (tmp_path / "a.md").write_text(DOCUMENT, encoding="utf-8")
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    return tmp_path


def differences(folder, printed=PRINTED, minutes=1.0):
    found, skipped = check(SMALL, folder, reports([folder / "run"]), minutes, lambda command: printed)
    return [(each.line, each.stands, each.measured) for each in found], skipped


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.document)
def test_each_entry_stands_in_its_document(entry):
    place(entry, (ROOT / entry.document).read_text(encoding="utf-8"))


def test_right_numbers_pass_and_what_was_not_checked_is_named(small):
    found, skipped = differences(small)
    assert found == []
    assert ["no finished run of other" in skipped[0], "takes 60 minutes" in skipped[1], len(skipped)] == [True, True, 2]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("15,569", "15,568", (3, "15,568", "15,569")),
        ("2.1 %", "2.2 %", (4, "2.2", "2.1")),
        ("0.55,", "0.56,", (4, "0.56", "0.55")),
        ("from -0.005", "from 0.005", (4, "0.005", "-0.005")),
        ("| none | 0.871 |", "| none | 0.872 |", (8, "0.872", "0.871")),
        ("| mgvae, 5 % | 0.870 |", "| mgvae, 6 % | 0.870 |", (9, "| mgvae, 6 % | 0.870 |\n", "")),
        ("| mgvae, 5 % | 0.870 |\n", "", (9, "", "| mgvae, 5 % | 0.870 |\n")),
    ],
)
def test_a_wrong_number_is_found(small, right, wrong, expected):
    assert right in DOCUMENT
    (small / "a.md").write_text(DOCUMENT.replace(right, wrong, 1), encoding="utf-8")
    assert expected in differences(small)[0]


def test_wrong_numbers_are_put_right(small):
    wrong = DOCUMENT.replace("15,569", "9").replace("0.870 |", "1 |").replace("| none | 0.871 |\n", "").replace("0.55,", "0.5,")
    (small / "a.md").write_text(wrong, encoding="utf-8")
    found, _ = check(SMALL, small, reports([small / "run"]), 1, lambda command: PRINTED)
    write(found, small)
    assert differences(small)[0] == []


def test_a_command_runs_once_with_the_folders_of_runs(small):
    seen = []
    twice = SMALL.model_copy(update={"tables": (SMALL.tables[0], SMALL.tables[0])})
    check(twice, small, reports([small / "run"]), 1, lambda command: seen.append(command) or PRINTED)
    assert seen == [("tabulate", str(small / "run"))]


def test_a_table_that_the_command_does_not_print_is_an_error(small):
    with pytest.raises(ValueError, match=r"must print a table with the header arm \| AUROC"):
        differences(small, printed="| arm | AUPRC |\n|---|---|\n| none | 0.2 |\n")


@pytest.mark.parametrize("text", ["nothing of the kind", DOCUMENT + "15,569 patients, 2.1 % events"])
def test_an_entry_must_stand_in_its_document_once(small, text):
    (small / "a.md").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="must stand in it once"):
        differences(small)


def test_numbers_without_a_source_are_listed(small):
    assert without_source(SMALL, small) == ["a.md: 3 numbers without a source, in lines 3-4"]  # Seed 0, 33, text 55


def test_what_is_no_measurement_needs_no_source():
    text = "On 2026-11-27 `7` of [8](9.md):\n```\n10\n```\n1. first <!-- 11 --> B12 x\n# 13\n14"
    assert unsourced(text, [], []) == {1: 1, 7: 1}


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(328.0, "", "328"), (15569, ",", "15,569"), (0.0125, ".2f", "0.01"), (0.0211, ".1%", "2.1"), (3.0, ".1f", "3.0")],
)
def test_numbers_are_written_as_documents_do(value, form, text):
    assert write_number(value, form) == text
