"""The last state of a run says what people look for, and a refused night is not green."""

import pytest
from prefect import State
from prefect.exceptions import FailedRun, MissingResult

from flows.study.flow import cohort_flow
from flows.study.outcome import final_state, result_of
from flows.study.prefect_pages import note_failure
from flows.study.prefect_text import summary
from mgvae.errors import ConfigError
from mgvae.report.overview import advice
from mgvae.report.schema import read_report
from tests.flows.simulated_study import CANARY

STATES = [
    ("pass", "COMPLETED", "Completed", 0),
    ("warn", "COMPLETED", "Completed", 0),
    ("fail", "FAILED", "Refused", 2),
    ("invalid", "FAILED", "Invalid", 2),
]


@pytest.mark.parametrize(("status", "kind", "name", "code"), STATES)
def test_the_state_has_a_name_and_a_message_of_its_own(status, kind, name, code, report, finished):
    content = read_report(report).model_copy(update={"status": status})
    state = final_state(content, finished.run, ["Run x: kept."])
    assert (state.type.value, state.name) == (kind, name)
    result = state.data.result if kind == "FAILED" else state.data  # Prefect raises what a failed state holds
    assert result == {"run": str(finished.run), "status": status, "exit_code": code}
    for said in (
        f"Status: {status}. ",
        advice(content),
        "Run x: kept.",
        "Champion: none.",
        f"Report: {finished.run}/report.html",
    ):
        assert said in state.message
    assert CANARY not in state.message
    assert "\n" not in state.message  # `prefect flow-run ls` and the log show one line


def test_a_night_that_nobody_could_judge_has_a_state_of_its_own_and_is_no_failure(report, finished):
    state = final_state(read_report(report), finished.run, [], judged=False)
    assert (state.type.value, state.name, state.data["exit_code"]) == ("COMPLETED", "CannotJudge", 0)


def test_the_champion_is_named(report, finished, tmp_path):
    out = finished.copied(tmp_path)
    (out / "small" / "champion").symlink_to(finished.run.name)
    assert f"Champion: {finished.run.name}." in final_state(read_report(report), out / "small" / finished.run.name, []).message


def test_an_error_is_still_an_error(tmp_path, database):
    with pytest.raises(ConfigError, match="no such file"):
        result_of(cohort_flow, str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(("status", "kind", "name", "code"), STATES)
def test_a_server_that_was_asked_twice_returns_no_data_and_the_result_is_known(status, kind, name, code, report, finished):
    content = read_report(report).model_copy(update={"status": status})

    def run(*, return_state):
        proposed = final_state(content, finished.run, [])
        return State(type=proposed.type, name=proposed.name, message=proposed.message)

    assert result_of(run) == {"run": str(finished.run), "status": status, "exit_code": code}
    final_state(content, finished.run, [])
    with pytest.raises((MissingResult, FailedRun), match=r"State data is missing|Run failed"):  # of no other run
        result_of(lambda *, return_state: State(type=kind))


def test_a_refused_run_is_headed_so_and_no_failure(report, finished, monkeypatch, database):
    content = read_report(report).model_copy(update={"status": "fail"})
    assert summary(content, finished.run, remarks=[]).startswith("# Refused: ")
    assert not summary(read_report(report), finished.run, remarks=[]).startswith("# Refused")
    sent = []
    monkeypatch.setattr("flows.study.prefect_pages.create_markdown_artifact", lambda *a, **b: sent.append(a))
    note_failure(None, None, final_state(content, finished.run, []))
    assert sent == []


def test_the_summary_is_sent_last_as_prefect_lists_the_newest_first(report, finished, monkeypatch, database):
    from flows.study import prefect_pages as pages

    sent = []
    for name in ("create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(pages, name, lambda *a, **b: sent.append(b["key"]))
    pages.show_run(read_report(report), finished.run, remarks=[])
    assert sent == ["mgvae-small-calibration", "mgvae-small-arms", "mgvae-small"]


def test_the_watch_prints_an_event_that_says_how_the_run_ended(report, finished, monkeypatch, database):
    from flows.study import prefect_pages as pages

    sent = []
    monkeypatch.setattr(pages, "emit_event", lambda name, resource: sent.append((name, resource["prefect.resource.name"])))
    pages.announce_end(read_report(report), "Status: pass. Report: x")
    assert sent == [("mgvae.run.ended", "Status: pass. Report: x")]


def test_progress_of_a_stage_with_an_underscore_has_a_key_that_prefect_takes(database, monkeypatch):
    from flows.study import prefect_pages as pages

    keys = []
    monkeypatch.setattr(pages, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(pages, "create_progress_artifact", lambda percent, key, description: keys.append(key))
    posted = pages.Posted("mgvae-small", pages.Silent())
    posted.started("learning_curve")
    posted.advanced(1, 10)
    assert keys == ["mgvae-small-progress-learning-curve"]
