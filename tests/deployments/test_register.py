"""make deploy and make up: what they refuse, and how names that stand for something are filled in."""

import subprocess
import sys

import pytest

from deployments.register import filled
from tests.paths import ROOT
from tests.ports import free_port

KNOWN = {"DEPLOYMENT": "11111111-2222-3333-4444-555555555555", "STUDY": "nafld"}


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("DEPLOYMENT", KNOWN["DEPLOYMENT"]),
        ("mgvae-cohort.extract.STUDY.*", "mgvae-cohort.extract.nafld.*"),
        ("STUDYING", "STUDYING"),
        ({"a": ["STUDY", 1, None]}, {"a": ["nafld", 1, None]}),
        (True, True),
    ],
)
def test_names_are_filled_in_wherever_they_stand_alone(told, wanted):
    assert filled(told, KNOWN) == wanted


def call(module, *arguments, **environment):
    command = [sys.executable, "-m", f"deployments.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path):
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PREFECT_HOME": str(tmp_path),
        "MGVAE_LOCAL": str(tmp_path / "local"),
    }


def test_without_a_server_deploy_says_how_to_start_one(home):
    done = call("register", **home)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: a Prefect server must be known, and PREFECT_API_URL is not set. Start one with make up."
    )


def test_a_server_that_does_not_answer_is_named(home):
    api = f"http://127.0.0.1:{free_port()}/api"
    done = call("register", **home, PREFECT_API_URL=api, PREFECT_CLIENT_MAX_RETRIES="0")
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"Error: the Prefect server at {api} must answer; ")
    assert "Traceback" not in done.stderr


def test_down_with_nothing_up_is_no_error_and_status_says_so(home):
    done = call("local", "down", **home)
    assert (done.returncode, done.stderr) == (0, "")
    told = call("local", "status", **home)
    assert told.returncode == 1
    assert told.stdout.splitlines() == [f"{name}: does not run" for name in ("server", "reports", "cpu", "gpu")]


def test_an_unknown_command_shows_the_usage(home):
    done = call("local", "upp", **home)
    assert done.returncode == 1
    assert done.stderr.strip() == "Usage: python -m deployments.local up|down|status"
