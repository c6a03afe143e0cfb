"""What Prefect shows of a run: its numbers, where it lies, and no patient; a server that is away costs no night."""

import re
from types import SimpleNamespace

import markdown_it
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed

from flows.progress import Silent, reporter
from flows.study import prefect_pages as notices
from flows.study.prefect_pages import Posted, artifact_key, escaped, note_failure, posting, show_run
from flows.study.prefect_text import arms_table, summary
from mgvae.report.formatting import spelled
from mgvae.report.schema import read_report
from mgvae.results.labels import ARMS, CLASSIFIERS
from tests.flows.simulated_study import CANARY

SENDING = (
    "create_markdown_artifact",
    "create_table_artifact",
    "create_progress_artifact",
    "update_progress_artifact",
    "emit_event",
)


def test_the_summary_says_what_was_found_and_where_it_lies(report, finished):
    text = summary(read_report(report), finished.run, remarks=["Nothing new."])
    assert f"**Status: {report['status']}**" in text
    assert "- Nothing new." in text
    assert f"{report['cohort']['events']:,} events" in text
    assert str(finished.run / "report.html") in text
    assert all(f"| {spelled(stage['name'])} |" in text for stage in report["lineage"]["stages"])
    assert CANARY not in text


HOSTILE = (
    "[press](javascript:alert(1))",
    "![seen](https://evil.org/pixel.png)",
    "<img src=https://evil.org/pixel.png>",
    "<javascript:alert(1)>",
    "https://evil.org/now and www.evil.org",
    "one\n\n[x]: javascript:alert(1)\n# [two][x]",
    "`a` | b",
)


def rendered(text):
    """Return the links, pictures and other HTML that a reader of GitHub's Markdown makes of a text."""
    reader = markdown_it.MarkdownIt("gfm-like")
    reader.validateLink = lambda url: True  # as a reader that knows no dangerous address
    html = reader.render(text)
    return re.findall(r"<(?:a|img|code|h1|h2)\b[^>]*>", html)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_of_a_study_is_no_markup(text, report, finished):
    told = read_report(report)
    named = told.model_copy(update={"title": text, "verdict": told.verdict.model_copy(update={"sentence": text})})
    assert rendered(text)
    plain = summary(told, finished.run, remarks=["x"])
    assert rendered(summary(named, finished.run, remarks=[text])) == rendered(plain)
    assert rendered(f"# {escaped(text)}") == ["<h1>"]


def test_the_report_is_linked_where_it_is_served(report, finished, monkeypatch):
    monkeypatch.setenv("MGVAE_REPORTS_URL", "https://reports.example.org/runs/")
    text = summary(read_report(report), finished.run, remarks=[])
    assert f"[report.html](https://reports.example.org/runs/small/{report['run_id']}/report.html)" in text


def test_the_table_has_every_arm_with_its_recalibrated_numbers(report):
    rows = arms_table(read_report(report))
    arms = report["evaluation"]["arms"]
    named = [(ARMS[arm], CLASSIFIERS[one]) for arm, found in arms.items() for one in found]
    assert [(row["Arm"], row["Classifier"]) for row in rows] == named
    value = arms["none"]["logistic_regression"]["recalibrated"]["auroc"]["value"]
    assert rows[0]["AUROC"].startswith(f"{value:.3f} (")


@pytest.mark.parametrize(("study", "key"), [("NAFLD_2y", "mgvae-nafld-2y"), ("a__b-", "mgvae-a-b"), ("small", "mgvae-small")])
def test_the_key_is_one_that_prefect_takes(study, key):
    assert artifact_key(study) == key


def spied(monkeypatch, answer):
    """Replace all that `prefect_pages` sends to the server by ``answer``; return the list of what was sent."""
    sent = []

    def spy(name):
        def send(*arguments, **options):
            sent.append(name)
            return answer()

        return send

    for name in SENDING:
        monkeypatch.setattr(f"flows.study.prefect_pages.{name}", spy(name))
    return sent


def with_status(report, status):
    return read_report(report).model_copy(update={"status": status})


def raise_away():
    raise ConnectionError("away")


def test_all_that_is_sent_is_watched():
    imported = {name for name in vars(notices) if name.endswith("_artifact") or name == "emit_event"}
    assert imported == set(SENDING)


def test_without_a_server_nothing_is_shown(report, finished, monkeypatch, database):
    sent = spied(monkeypatch, lambda: None)
    refused = with_status(report, "fail")
    show_run(refused, finished.run, remarks=[])
    assert {"create_markdown_artifact", "create_table_artifact", "emit_event"} == set(sent)
    sent.clear()
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        show_run(refused, finished.run, remarks=[])
        note_failure(None, None, None)
        with posting("small"):
            assert not isinstance(reporter(), Posted)
    assert sent == []


def test_a_killed_run_is_described_from_outside_of_it(database):
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flow(lambda: None, name="mgvae-cohort"))
        note_failure(SimpleNamespace(name="mgvae-cohort"), run, Crashed(message="Its process was killed.\nAnd more."))
        wanted = {"artifacts": {"key": {"any_": ["mgvae-failed"]}}, "flow_runs": {"id": {"any_": [str(run.id)]}}}
        (found,) = client.request("POST", "/artifacts/filter", json=wanted).json()
    assert found["data"].startswith("# This run ended Crashed\n\nIts process was killed.\n\nThe champion")


@pytest.mark.parametrize("status", ["pass", "warn", "fail", "invalid"])
def test_a_refused_run_alone_is_an_event(status, report, finished, monkeypatch, database):
    sent = spied(monkeypatch, lambda: None)
    show_run(with_status(report, status), finished.run, remarks=[])
    assert ("emit_event" in sent) is (status in ("fail", "invalid"))


def test_a_server_that_is_away_costs_no_night(report, finished, monkeypatch, database):
    sent = spied(monkeypatch, raise_away)
    show_run(with_status(report, "fail"), finished.run, remarks=[])
    posted = Posted("mgvae-small", Silent())
    monkeypatch.setattr("flows.study.prefect_pages.EVERY_SECONDS", 0.0)
    posted.started("pretrain")
    posted.advanced(1, 10)
    posted.ended("pretrain", cached=False)
    assert set(sent) == set(SENDING) - {"update_progress_artifact"}  # none was made that could be renewed


def test_progress_is_one_artifact_that_grows(database, monkeypatch):
    import prefect

    monkeypatch.setattr("flows.study.prefect_pages.EVERY_SECONDS", 0.0)
    made = []

    @prefect.flow
    def long_stage():
        posted = Posted("mgvae-test", Silent())
        posted.started("pretrain")
        for done in range(1, 4):
            posted.advanced(done, 4, "ELBO -1.00")
            made.append(posted.artifact)
        posted.ended("pretrain", cached=False)

    long_stage()
    assert made[0] is not None
    assert set(made) == {made[0]}
    with prefect.get_client(sync_client=True) as client:
        found = client.request("GET", f"/artifacts/{made[0]}").json()
    assert found["key"] == "mgvae-test-progress-pretrain"
    assert float(found["data"]) == 100.0
