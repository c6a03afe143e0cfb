"""The command line as a process of its own: how it refuses, ends, and is stopped."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.deployments.machine import on_one_core, wait_for
from tests.flows.command_line import without_progress
from tests.flows.simulated_study import PLAIN, write_study
from tests.prefect_home import prefect_home

SLOW_TO_IMPORT = {"fastapi", "great_expectations", "imblearn", "jinja2", "joblib", "matplotlib", "pandas", "prefect"} | {
    *("safetensors", "scipy", "sklearn", "sqlalchemy", "torch")
}
STOPPED = "Stopped. Finished stages are kept; the same command goes on from there.\n"


def command(*arguments, home, **options):
    """Start the installed command with a Prefect home of its own, interruptible also where tests run in the background."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PREFECT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def test_the_command_itself_refuses_quickly_and_starts_no_server(tmp_path):
    with command("run", tmp_path / "none.yaml", home=tmp_path / "home") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "none.yaml: no such file" in err
    assert not (tmp_path / "home").exists()


def test_help_waits_for_no_library_that_is_slow_to_import():
    code = "import sys\nfrom flows.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Usage: mgvae" in done.stdout
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert {"flows", "mgvae", "typer"} <= imported
    assert not imported & SLOW_TO_IMPORT


def test_a_run_of_which_all_stages_are_done_waits_for_neither_torch_nor_classifiers():
    code = "import sys, flows.study.flow; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not set(done.stdout.split()) & {"torch", "sklearn", "scipy.stats", "scipy.optimize"}


@pytest.mark.slow
def test_the_command_itself_twice(tmp_path):
    cohort, home = write_study(tmp_path / "study", **PLAIN), tmp_path / "home"  # as of one who never ran it
    said = []
    for _ in range(2):
        with on_one_core(), command("run", cohort, "--out", tmp_path / "runs", home=home, cwd=tmp_path) as process:
            said.append((*process.communicate(timeout=300), process.returncode))
    (out, err, code), (again, reused, _) = said
    assert out == again
    assert "evaluate: reused" in reused
    assert code == 0
    assert without_progress(err) == ""
    for stage in ("validate", "split", "pretrain", "evaluate", "report"):
        assert re.search(rf"^ *\d+:\d\d {stage}: done$", err, re.M)
    assert re.search(r"^ *\d+:\d\d evaluate: \d+ of \d+ done, now fit \d+ of \d+$", err, re.M)
    assert out.splitlines()[-1] == "runs/small/latest/report.html"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "code", "said"),
    [
        (lambda leader: os.killpg(leader, signal.SIGINT), 130, STOPPED),  # a terminal's reaches all that the command started
        (lambda leader: os.kill(leader, signal.SIGTERM), 143, ""),
    ],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_stopped_in_the_middle_nothing_half_written_remains(send, code, said, finished, tmp_path):
    runs = finished.copied(tmp_path)
    before = sorted((runs / "small").iterdir())
    order = ("run", finished.cohort, "--out", runs, "--set", "evaluation.bootstrap=20000")
    with command(*order, home=prefect_home(tmp_path / "home"), start_new_session=True) as process:
        begun = "".join(lines_until(process.stderr, r"evaluate: \d+ of "))
        send(process.pid)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert without_progress(begun + err) == said
    assert not list(runs.rglob(".writing-*"))
    assert sorted((runs / "small").iterdir()) == before
    wait_for(lambda: not processes_of(process.pid), "the end of all processes", seconds=30)


def lines_until(stream, pattern):
    """Yield lines to the first that the pattern is found in, or all of a process that ends before."""
    for line in stream:
        yield line
        if re.search(pattern, line):
            return


def processes_of(session):
    """Return the processes of a session that still run: its leader's server and workers."""
    listed = subprocess.run(["ps", "-o", "stat=", "--sid", str(session)], capture_output=True, text=True, check=False)
    return [state for state in listed.stdout.split() if not state.startswith("Z")]


@pytest.mark.slow
def test_a_server_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    cohort = write_study(tmp_path / "study")
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", str(cohort), "--out", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "Prefect must be able to run the flow" in done.stderr
    assert "PREFECT_API_URL" in done.stderr
    assert "Traceback" not in done.stderr
