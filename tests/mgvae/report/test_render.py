import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from mgvae.config.card import Card
from mgvae.report.checklist import probast, tripod
from mgvae.report.overview import finding_lines
from mgvae.report.schema import Report
from mgvae.report.tripod_items import ASKS, CARD
from mgvae.results.findings import found
from mgvae.results.promotion import HoldoutUse, PromotionRecord
from tests.report_plain import render
from tests.report_sample import refused_report, sample_report, sparse_report

FOR_AUTHORS = {
    "1",
    "2",
    "3a",
    "3b",
    "3c",
    "4",
    "5a",
    "6a",
    "6b",
    "6c",
    "8c",
    "9c",
    "17",
    "19",
    "25",
    "26",
    "27b",
    "27c",
} | {f"18{part}" for part in "abcde"}
pytestmark = pytest.mark.usefixtures("empty_figures")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects tags, ids, links and text, and notes tags that do not nest."""

    def __init__(self, html):
        super().__init__()
        self.open, self.wrong, self.tags, self.words = [], [], [], []
        self.feed(html)
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module", params=["full", "refused", "sparse"])
def page(request):
    return Page(render({"full": sample_report, "refused": refused_report, "sparse": sparse_report}[request.param]()))


@pytest.fixture(scope="module")
def full():
    return Page(render(sample_report()))


def test_tags_nest_and_ids_are_unique(page):
    assert page.wrong == []
    assert page.open == []
    assert [name for name, times in Counter(page.ids).items() if times > 1] == []


def test_links_lead_somewhere_on_the_page(page):
    targets = [link["href"] for link in page.all("a")]
    assert targets
    assert all(target.startswith("#") and target[1:] in page.ids for target in targets)


def test_labels_refer_to_what_exists(page):
    named = [attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes]
    assert set(named) <= set(page.ids)


def test_nothing_is_loaded_or_run(page):
    assert not page.all("script")
    assert not page.all("img")
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on") or a in ("src", "srcset")]
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_page_can_be_read_by_all(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(head.get("scope") in ("col", "row", "colgroup", "rowgroup") for head in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all("aria-label" in svg or svg.get("aria-hidden") == "true" for svg in page.all("svg"))
    assert len(page.all("h1")) == 1


def test_no_python_shows_through(page):
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b|Undefined|<bound|\{\{|\{%", page.text)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pass", "Passed All 12 gates pass."),
        ("warn", "Passed, with warnings No gate failed."),
        ("fail", "Failed 1 of 6 gates failed"),
    ],
)
def test_verdict_comes_first(status, words):
    html = render(sample_report(status=status, columns=2))
    places = [html.index(f'id="{place}"') for place in ("verdict", "recommendation", "cohort")]
    assert words in Page(html).text
    assert places == sorted(places)


def test_findings_stand_before_the_recommendation_and_muted_ones_say_why():
    page = Page(render(sample_report(status="warn", columns=2)))
    assert page.text.index("Findings warning Few events to train or to test on") < page.text.index("Recommendation")
    assert "MGV203, participants 9 events to test on; at least 15 are wanted in each part. Add events" in page.text
    assert "muted An arm could not be run MGV205, participants Arm vae: too few cases. Muted: a pilot" in page.text
    assert "1 finding below." in page.text  # the muted one does not count
    assert "Findings" not in Page(render(sample_report(status="pass", columns=2))).text


def test_the_terminal_counts_the_findings_and_names_the_worst():
    findings = Report.model_validate(sample_report(status="warn", columns=2)).findings
    severe = found("MGV202", "AUROC 0.99.")
    assert finding_lines((severe, *findings)) == [
        "2 findings, the worst severe: MGV202 Discrimination near perfect: a leak is suspected. AUROC 0.99.",
        f"MGV203 (warning) Few events to train or to test on. {findings[0].detail}",
    ]
    assert finding_lines(findings)[0].startswith("1 finding, the worst warning: MGV203")
    assert finding_lines(findings[1:]) == []  # muted


def test_what_is_not_to_be_relied_on_recommends_nothing():
    report = sample_report(status="warn", columns=2)
    report["verdict"] = {"status": "unreliable", "sentence": "Not to be relied on: a leak (MGV202)."}
    text = Page(render(report)).text
    assert text.index("Not to be relied on Not to be relied on: a leak (MGV202).") < text.index("Recommendation")
    assert "Train nothing on these results before the severe findings are settled." in text
    assert "Train with" not in text.split("Cohort")[0]


def test_where_no_model_beats_the_prevalence_no_word_praises_one():
    report = sample_report(status="warn", columns=2)
    report["recommendation"] |= {"answer": "deploy_none", "reason": "No model here predicts the outcome better."}
    text = Page(render(report)).text
    assert "Recommendation No model here predicts the outcome better." in text
    assert "How the best model predicts" in text
    assert "Train with" not in text.split("Cohort")[0]


@pytest.mark.parametrize("make", [sample_report, sparse_report, refused_report])
def test_no_page_says_deploy(make):
    assert "Deploy " not in Page(render(make())).text


def test_headline_numbers_are_the_reports(full):
    assert "Train with no correction for imbalance: logistic regression, recalibrated on real patients." in full.text
    assert "MGVAE with logistic regression, AUROC +0.004 (−0.011 to +0.019); lower limit −0.016" in full.text
    assert "15,567" in full.text
    assert "2.11\u00a0%" in render(sample_report(columns=2))
    assert "1,899 left out" in full.text


def test_every_recalibrated_auroc_is_on_the_page(full):
    evaluation = sample_report()["evaluation"]
    for table in (evaluation["arms"], evaluation["holdout"]):
        for by_classifier in table.values():
            for scores in by_classifier.values():
                one = scores["recalibrated"]["auroc"]
                assert f"{one['value']:.3f} ({one['low']:.2f} to {one['high']:.2f})" in full.text


def test_refused_extract_is_short_and_clear():
    html = render(refused_report())
    page = Page(html)
    assert "Extract refused 3 of 148 expectations are not met. Nothing was trained on this extract." in page.text
    assert "values between 10 and 80 kg/m² 412" in page.text
    assert page.ids.index("validation") < page.ids.index("cohort")
    assert not {"training", "synthetic", "evaluation", "limits"} & set(page.ids)
    assert "not anonymous" not in page.text  # there is no synthetic case to warn of
    assert len(html) < 40_000


def test_hostile_text_is_inert():
    report = sample_report(columns=3)
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} \" onload='x'"
    report |= {"title": evil, "study": evil, "run_id": evil, "warnings": [evil]}
    report["cohort"]["outcome"] = report["cohort"]["flow"][0]["label"] = report["recommendation"]["reason"] = evil
    report["cohort"]["columns"][0]["label"] = report["synthetic"]["marginals"][0]["label"] = evil
    report["synthetic"]["marginals"][1]["levels"][0] = report["synthetic"]["gates"][0]["label"] = evil
    report["lineage"]["machine"] = report["evaluation"]["thresholds"][evil] = evil
    html = render(report)
    page = Page(html)
    assert not page.all("script")
    assert not page.all("img")
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert page.wrong == []
    assert "49" not in page.text.split("Recommendation")[0].replace("17,549", "")


def test_few_arms_and_unknown_numbers():
    page = Page(render(sparse_report()))
    assert "Only 19 events to train on" in page.text
    assert "There is no hold-out part." in page.text
    assert "No paired difference could be computed." in page.text
    assert "SMOTE" not in page.text[: page.text.rindex("Glossary")]


def test_arms_that_could_not_run_are_named():
    report = sample_report(columns=2)
    report["evaluation"]["unavailable"] = {"smote": "SMOTE needs 6 events in each fold"}
    assert "SMOTE needs 6 events in each fold" in Page(render(report)).text


def test_remarks_are_spelled_out(full):
    assert "Gain in AUROC that would matter 0.02 Arms and classifiers compared with no correction 8" in full.text
    assert "Variant recalibrated Value 0.021 Sensitivity 0.741 Remark Cut at the prevalence." in full.text


def test_checklist_claims_only_what_is_there():
    whole, refused = (Report.model_validate(make()) for make in (sample_report, refused_report))
    answers = {item.code: item.answer for item in tripod(whole)}
    assert list(answers) == list(ASKS)
    assert len(ASKS) == 52
    assert {code for code, answer in answers.items() if answer == "authors"} == FOR_AUTHORS
    assert answers["22"] == "partly"
    assert answers["13"] == answers["20a"] == answers["23a"] == "yes"
    assert answers["14"] == "partly"
    overall = tripod(Report.model_validate(sample_report() | {"subgroups": None}))
    assert {item.code: item.answer for item in overall if item.code in ("14", "23a")} == {"14": "no", "23a": "partly"}
    assert not [item for item in tripod(refused) if item.answer == "yes"]
    assert not [item for item in tripod(refused) if item.section and item.section not in Page(render(refused_report())).ids]
    assert probast(refused) == []


def test_card_answers_what_no_run_can():
    card = {key: f"text of {key}" for key in set(CARD.values())}
    items = {item.code: item for item in tripod(Report.model_validate(sample_report() | {"card": card}))}
    assert {code for code, item in items.items() if item.answer == "authors"} == {"1"}
    assert all(items[code].remark.endswith(f"text of {key}") for code, key in CARD.items())
    assert items["14"].answer == "partly"
    empty = {item.code: item for item in tripod(Report.model_validate(sample_report()))}
    assert all(f"card.{key} in cohort.yaml" in empty[code].remark for code, key in CARD.items())
    assert set(CARD.values()) <= set(Card.model_fields)


def test_each_item_has_a_text_and_an_answer_of_its_own():
    assert len(set(CARD.values())) == len(CARD)
    for report in (sample_report(), refused_report()):
        items = tripod(Report.model_validate(report))
        of_the_run = [item.remark for item in items if item.answer in ("yes", "partly")]
        assert len(set(of_the_run)) == len(of_the_run)
        assert report["cohort"]["outcome"] in next(item.remark for item in items if item.code == "8a")


def test_domains_name_their_findings_and_judge_nothing():
    made = found("MGV102", "Two rows.").model_dump()
    items = {item.code: item for item in probast(Report.model_validate(sample_report() | {"findings": [made]}))}
    assert "MGV102 (severe)" in items["Domain analysis"].remark
    assert "no judgement of low risk" in items["Domain outcome"].remark
    muted = Report.model_validate(sample_report() | {"findings": [made | {"muted": "known"}]})
    assert "Muted: MGV102" in {item.code: item for item in probast(muted)}["Domain analysis"].remark


def test_checklist_doubts_an_arm_without_recalibration():
    report = sample_report(columns=2)
    del report["evaluation"]["arms"]["smote"]["logistic_regression"]["recalibrated"]
    assert probast(Report.model_validate(report))[0].answer == "partly"
    assert probast(Report.model_validate(sample_report(columns=2)))[0].answer == "yes"


def test_drift_is_shown_where_there_is_a_run_to_hold_it_against(full):
    assert "drift" in full.ids
    assert "Compared with the extract of run 77c04e11a0b2" in full.text
    assert "Columns that drifted" in full.text
    assert "0.231 (0.190 to 0.284)" in full.text
    assert "smoke (text before, number now)" in full.text
    calm = Page(render(sample_report(status="pass")))
    assert "Columns that drifted" not in calm.text
    assert "drift" not in Page(render(sparse_report())).ids


def test_a_failed_drift_comes_first():
    report = sample_report(status="pass")
    report["drift"]["gates"][4] |= {"verdict": "fail"}
    report |= {"status": "fail", "verdict": {"status": "failed", "sentence": "A gate failed."}}
    text = Page(render(report)).text
    label = report["drift"]["gates"][4]["label"]
    assert f"Failed The extract has drifted from the last accepted one: “{label}”. The run is not promoted." in text


def test_the_lineage_says_what_was_decided_and_how_often_the_hold_out_has_judged():
    use = HoldoutUse(median=4.0, most=7, window=1, next_window=2)
    finding = found("MGV401", "AUROC was 0.810 and changed by -0.240.")
    record = PromotionRecord(outcome="cannot_judge", reason="Cannot judge. X", previous="aaa", use=use, finding=finding)
    page = render(sample_report() | {"promotion": record.model_dump(), "findings": (finding.model_dump(),)})
    assert "Nobody can judge this run; the champion stayed (the champion before: run aaa). Cannot judge. X" in page
    assert "judged 4 comparisons (median; at most 7), this one included. Hold-out 1; the next night has hold-out 2." in page
    assert "MGV401" in page
    assert "Use of the hold-out" not in render(sample_report())
