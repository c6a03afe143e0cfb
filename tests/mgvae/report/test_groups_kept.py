"""What a report says of groups: counted where two patients share one, and kept whole only where they are."""

import pytest

from mgvae.report.checklist import groups_kept
from mgvae.report.schema import read_report
from tests.report_plain import render
from tests.report_reading import Reading
from tests.report_sample import sample_report

pytestmark = pytest.mark.usefixtures("empty_figures")


@pytest.mark.parametrize(
    ("groups", "divided", "sentence", "fact"),
    [
        (None, False, "No group was named: related rows may lie on both sides of a split.", None),
        (0, False, "A group was named, and no two patients share one.", "0"),
        (1, False, "1 group of two or more patients stays on one side of every split.", "1, none divided by a split"),
        (1200, False, "1,200 groups of two or more patients stay on one side of every split.",
         "1,200, none divided by a split"),
        (3, True,
         "Of 3 groups of two or more patients, not all stay on one side of every split: the report's warnings name where.",
         "3, not all whole: see the warnings"),
    ],
)  # fmt: skip
def test_the_sentence_and_the_page_say_the_same(groups, divided, sentence, fact):
    content = sample_report(columns=4)
    content["cohort"] |= {"groups": groups, "groups_divided": divided}
    assert groups_kept(read_report(content).cohort) == sentence
    assert Reading(render(content)).facts.get("Groups of several patients") == fact
