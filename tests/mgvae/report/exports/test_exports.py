import csv
import io
import re
from pathlib import Path

import pytest
import xmlschema

from mgvae.report.checklist import Item, probast, tripod
from mgvae.report.exports.chai import chai_card
from mgvae.report.exports.guidelines import as_csv, as_markdown
from mgvae.report.exports.hti1 import hti1
from mgvae.report.exports.methods import REFERENCES, methods
from mgvae.report.formatting import count
from mgvae.report.schema import Report
from tests.flows.simulated_study import study_config
from tests.paths import ROOT
from tests.report_sample import refused_report, sample_report, sparse_report

SIGNATURE = Path(xmlschema.__file__).parent / "schemas" / "DSIG" / "xmldsig-core-schema.xsd"
REPORTS = {"full": sample_report, "refused": refused_report, "sparse": sparse_report}
HOSTILE = 'a|b <script>alert("1")</script> \x07 \u202e ]]> & \\'


@pytest.fixture(scope="module", params=sorted(REPORTS))
def report(request):
    return Report.model_validate(REPORTS[request.param]())


@pytest.fixture(scope="module")
def schema():
    places = {"http://www.w3.org/2000/09/xmldsig#": str(SIGNATURE)}
    return xmlschema.XMLSchema(str(ROOT / "tests" / "data" / "chai" / "schema.xsd"), locations=places, allow="local")


def test_card_is_valid_against_the_schema(report, schema):
    schema.validate(chai_card(report, methods(report, study_config()).bibliography))


def test_card_with_hostile_texts_is_valid_and_holds_them(schema):
    made = Report.model_validate(sample_report() | {"title": HOSTILE, "card": {"purpose": HOSTILE}})
    content = schema.to_dict(chai_card(made, "@article{x}"))
    assert content["UsesAndDirections"]["IntendedUseAndWorkflow"] == HOSTILE.replace("\x07", "\ufffd")


def test_schema_refuses_a_card_without_a_part(schema):
    card = chai_card(Report.model_validate(sample_report()), "")
    assert schema.is_valid(card)
    assert not schema.is_valid(re.sub("<Warnings>.*</Warnings>", "", card, flags=re.DOTALL))


def test_source_attributes_are_31_and_claim_nothing(report):
    rows = [line for line in hti1(report).splitlines() if re.match(r"\| \d", line)]
    assert [row.split(" | ")[0] for row in rows] == [f"| {number}" for number in range(1, 32)]
    assert all(len(row.split(" | ")[2]) > 3 for row in rows)
    assert "no statement that a guideline or rule is met" in hti1(report)


def test_tables_stay_tables_with_any_text():
    made = Report.model_validate(sample_report() | {"title": HOSTILE, "card": {"ethics": f"{HOSTILE}\n\nline"}})
    text = as_markdown(tripod(made), made, title="TRIPOD+AI", source="BMJ")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 54
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert "<script" not in text + hti1(made)
    assert len(list(csv.reader(io.StringIO(as_csv(tripod(made)))))) == 53


def test_csv_holds_nothing_that_a_spreadsheet_computes():
    text = as_csv([Item("1", "x", "yes", None, '=HYPERLINK("http://a")')])
    assert list(csv.reader(io.StringIO(text)))[1][4] == '\'=HYPERLINK("http://a")'


def test_counts_of_the_checklist_are_those_of_its_rows(report):
    for items in (tripod(report), probast(report)):
        text = as_markdown(items, report, title="x", source="y")
        found = re.search(r"(\d+) answered, (\d+) in part, (\d+) not, (\d+) for the authors", text).groups()
        assert [*map(int, found)] == [sum(item.answer == one for item in items) for one in ("yes", "partly", "no", "authors")]


def test_methods_cite_what_the_bibliography_holds(report):
    made = methods(report, study_config())
    cited = set(re.findall(r"\[@(\w+)\]", made.text))
    assert cited == set(re.findall(r"^@\w+{(\w+),", made.bibliography, flags=re.MULTILINE))
    assert cited <= set(REFERENCES)
    if report.cohort.n is not None and report.cohort.events is not None:
        assert f"{count(report.cohort.n)} patients with {count(report.cohort.events)} events" in made.text
    assert ("no model was trained" in made.text) == (report.evaluation is None)


def test_methods_follow_the_settings():
    made = Report.model_validate(sample_report())
    settings = {"arms": ["none", "smote"], "classifiers": ["logistic_regression"], "folds": 3}
    plain = methods(made, study_config(evaluation=settings))
    assert "ai2023mgvae" not in plain.text + plain.bibliography
    assert "3 folds of cross-validation" in plain.text
    assert "ai2023mgvae" in methods(made, study_config()).bibliography
