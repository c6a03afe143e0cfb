"""Progress is shown on a terminal and nowhere else, and a run need not know who listens."""

import contextlib
import contextvars
import io
import re
import threading

from rich.console import Console

from flows.commands.terminal import reporting
from flows.progress import Silent, reporter


def console(*, terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, legacy_windows=False)


def work():
    for stage, cached in (("split", True), ("pretrain", False)):
        reporter().started(stage)
        reporter().advanced(3, 10, "ELBO -12.25")
        reporter().ended(stage, cached=cached)


def test_nobody_listens_unless_asked():
    assert isinstance(reporter(), Silent)
    work()


def test_quiet_where_it_is_no_terminal():
    quiet = console(terminal=False)
    with reporting(quiet):
        work()
    assert quiet.file.getvalue() == ""


def test_plain_lines_where_they_are_asked_for_and_it_is_no_terminal():
    log = console(terminal=False)
    with reporting(log, lines=0.0):
        work()
    said = [line.split(maxsplit=1)[1] for line in log.file.getvalue().splitlines()]
    step = "3 of 10 done, now ELBO -12.25"
    assert said == [f"split: {one}" for one in ("begins", step, "reused")] + [
        f"pretrain: {one}" for one in ("begins", step, "done")
    ]
    assert all(re.match(r" +0:0\d ", line) for line in log.file.getvalue().splitlines())


def test_quick_steps_are_not_all_lines_but_the_last_one_is():
    log = console(terminal=False)
    with reporting(log, lines=60.0):
        reporter().started("pretrain")
        for epoch in range(1, 301):
            reporter().advanced(epoch, 300)
        reporter().ended("pretrain", cached=False)
    said = [line.split(maxsplit=1)[1] for line in log.file.getvalue().splitlines()]
    assert said == ["pretrain: begins", "pretrain: 300 of 300 done", "pretrain: done"]


def test_a_step_has_its_line_when_the_last_one_is_long_ago(monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("flows.commands.terminal.time.monotonic", lambda: next(clock))
    log = console(terminal=False)
    with reporting(log, lines=5.0):
        reporter().started("evaluate")
        reporter().advanced(1, 300, "fit 1 of 300")
    assert "evaluate: 1 of 300 done, now fit 1 of 300" in log.file.getvalue()


def test_stages_side_by_side_keep_their_own_lines_and_bars():
    for terminal in (False, True):
        shown = console(terminal=terminal)
        with reporting(shown, lines=0.0):
            reporter().started("evaluate")
            beside = threading.Thread(target=contextvars.copy_context().run, args=(work,))
            beside.start()
            beside.join()
            reporter().advanced(7, 54, "fit 7 of 54")
            if terminal:
                reporter().progress.refresh()
            reporter().ended("evaluate", cached=False)
        lines = [line for line in shown.file.getvalue().splitlines() if "fit 7 of 54" in line]
        assert lines
        assert all("evaluate" in line for line in lines)


def test_a_line_per_stage_on_a_terminal():
    shown = console(terminal=True)
    with reporting(shown):
        work()
    for word in ("split", "pretrain", "reused"):
        assert word in shown.file.getvalue()


def test_how_far_it_is_and_the_score_are_shown():
    shown = console(terminal=True)
    with reporting(shown):
        reporter().started("pretrain")
        reporter().advanced(3, 10, "ELBO -12.25")
        reporter().progress.refresh()
    assert "ELBO -12.25" in shown.file.getvalue()


def test_steps_outside_a_stage_do_no_harm():
    with reporting(console(terminal=True)):
        reporter().advanced(1, 2)
        reporter().ended("split", cached=False)


def test_listening_ends_with_the_block_also_after_an_error():
    with contextlib.suppress(KeyError), reporting(console(terminal=True)):
        reporter().started("split")
        raise KeyError
    assert isinstance(reporter(), Silent)
