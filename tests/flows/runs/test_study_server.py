"""The server of a study: its list of runs, their reports and its monitoring, and nothing beside them."""

import json
import re
from threading import Thread

import httpx
import pytest

from flows.runs.report_server import server_of
from flows.runs.study_server import StudyReports, address_of, check_study, free_port, study_page
from mgvae.errors import ConfigError
from tests.deployments.machine import wait_for
from tests.flows.runs.test_report_server import HOST, PAGE, SECRET, asked, runs  # noqa: F401 - a fixture
from tests.flows.stored_runs import publish


@pytest.fixture
def study(runs):  # noqa: F811
    """A study of two runs, one of them champion, beside other studies."""
    folder = runs / "small"
    publish(folder / "later", PAGE)
    content = json.loads((folder / "later" / "manifest.json").read_text())
    (folder / "later" / "manifest.json").write_text(json.dumps(content | {"created_at": "2026-02-01"}))
    (folder / "champion").symlink_to("0fd8e20f86b4")
    publish(runs / "other" / "run", PAGE)
    return folder


def server(study):
    return StudyReports(study, hosts=[HOST], prefix="/key")


def test_the_list_leads_to_each_report_the_newest_first(study):
    status, _, body = asked(server(study), "/key/")
    links = re.findall(r'<a href="(small/[^"]+)"', body.decode())
    assert (status, links) == (200, ["small/later/report.html", "small/0fd8e20f86b4/report.html"])
    assert all(asked(server(study), f"/key/{link}")[0] == 200 for link in links)
    assert "Champion: 0fd8e20f86b4" in body.decode()
    assert "(champion, latest)" in body.decode()


@pytest.mark.parametrize(
    "path",
    ["/", "/key", "/key//", "/yek/", "/key/other/run/report.html", "/key/secret.html", "/key/small/", "/key/monitoring.html"],
)
def test_nothing_else_is_served(study, path):
    status, _, body = asked(server(study), path)
    assert status == 404
    assert SECRET not in body.decode()


def test_the_list_is_read_only_and_for_this_name_alone(study):
    assert asked(server(study), "/key/", method="POST")[0] == 405
    assert asked(server(study), "/key/", hosts=["evil.example"])[0] == 421
    assert asked(server(study), "/key/", query=b"a=1")[0] == 404


def test_monitoring_is_served_where_it_is_a_file(study, tmp_path):
    assert "Not monitored yet" in study_page(study)
    (study / "monitoring.html").write_text("watched")
    assert asked(server(study), "/key/monitoring.html")[2] == b"watched"
    assert 'href="monitoring.html"' in study_page(study)
    (study / "monitoring.html").unlink()
    (study / "monitoring.html").symlink_to(tmp_path / "secret.html")
    assert asked(server(study), "/key/monitoring.html")[0] == 404


def test_a_folder_without_runs_is_no_study(study, tmp_path):
    assert check_study(study) == study.resolve()
    for folder in (tmp_path / "nowhere", study / "later"):
        with pytest.raises(ConfigError, match="must be a study's folder with finished runs"):
            check_study(folder)


def test_it_answers_over_http_to_who_knows_the_key(study):
    address = address_of(free_port())
    assert address != address_of(free_port())
    running = server_of(address, lambda hosts, prefix: StudyReports(study, hosts=hosts, prefix=prefix))
    thread = Thread(target=running.run)
    thread.start()
    try:
        wait_for(lambda: running.started, "the server")
        assert httpx.get(f"{address}/", trust_env=False).status_code == 200
        assert httpx.get(f"{address.rpartition('/')[0]}/", trust_env=False).status_code == 404
    finally:
        running.should_exit = True
        thread.join(timeout=20)
