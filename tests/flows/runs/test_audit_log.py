"""The audit log and the champion's link: nothing that goes wrong on the way moves the champion or loses a line."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.runs import champion as championship
from flows.runs.audit_log import Change, opened, read
from flows.runs.champion import promote
from mgvae.errors import StoreError
from tests.flows.champion_tools import considered, taken_up


class UnluckyError(Exception):
    pass


@pytest.mark.parametrize("error", [UnluckyError(), KeyboardInterrupt(), SystemExit(143)], ids=repr)
@pytest.mark.parametrize(
    "place",
    [
        "flows.runs.comparison.compare_models",
        "flows.runs.champion.rule",
        "flows.runs.champion.note_champions",
        "json.dumps",
    ],
)
def test_what_goes_wrong_before_the_log_is_written_leaves_everything_in_place(place, error, nights, monkeypatch):
    before, night = nights.state(), taken_up(nights, "alike")

    def fail(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(type(error)):
            nights.consider(night)
    assert nights.state() == before
    assert nights.consider(night).champion == "alike"


@pytest.mark.parametrize("next_run", ["alike", "worse"])
def test_a_process_killed_between_log_and_link_leaves_the_old_champion_and_the_next_one_mends_it(next_run, nights, monkeypatch):
    before = nights.state()

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(championship, "set_link", killed)
        with pytest.raises(KeyboardInterrupt):
            considered(nights, "alike")
    assert nights.state()[1:] == before[1:]
    assert nights.lines()[-1]["run_id"] == "alike"
    decision = considered(nights, next_run)
    assert decision.champion == nights.champion == "alike"
    assert [line["run_id"] for line in nights.lines()] == ["one", "alike"] + (["worse"] if next_run == "worse" else [])


def test_a_half_written_line_is_cut_off_and_told(nights):
    log = nights.study / "audit.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"action": "promoted", "run_id": "al')
    assert considered(nights, "alike").champion == "alike"
    assert log.read_bytes().startswith(whole + b"{")
    assert nights.lines()[-1]["note"] == "A half-written line of 36 bytes was cut off."
    assert read(nights.study)[1] == []


def test_a_full_disk_leaves_log_and_link_as_they_were(nights, monkeypatch):
    before = nights.state()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreError, match="writable with space left; No space left"):
        considered(nights, "alike")
    assert nights.state() == before


def test_a_change_in_the_log_is_seen_and_nothing_is_built_on_it(nights):
    considered(nights, "worse")
    log = nights.study / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"first run", b"best  run", 1))
    before = nights.state()
    for act in (lambda: considered(nights, "alike"), lambda: promote(nights.study / "alike", reason="x")):
        with pytest.raises(StoreError, match=r"audit.jsonl must be as it was written; line 2 .* hashes differ"):
            act()
    assert nights.state() == before
    log.write_bytes(b"[]\n")
    with pytest.raises(StoreError, match="line 1 cannot be read"):
        considered(nights, "alike")


def test_a_lost_log_is_told_and_only_a_person_begins_anew(nights):
    (nights.study / "audit.jsonl").unlink()
    with pytest.raises(StoreError, match="must tell how one became champion; it is lost"):
        considered(nights, "alike")
    assert nights.champion == "one"
    change = promote(nights.study / "one", reason="the log was lost")
    assert (change.note, nights.champion) == ("There was no audit.jsonl.", "one")
    assert considered(nights, "alike").action == "promoted"


def test_names_in_the_log_lead_nowhere_else(nights):
    log = nights.study / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"run_id": "one"', b'"run_id": "../one"'))
    with pytest.raises(StoreError, match="line 1 cannot be read"):
        considered(nights, "alike")


def test_writers_at_the_same_time_take_turns(tmp_path):
    def add(number):
        with opened(tmp_path) as log:
            return log.append(Change("kept", f"run{number}", None, "x" * 5000, "rule", None, {}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    changes, wrong = read(tmp_path)
    assert wrong == []
    assert sorted(change.run_id for change in changes) == sorted(f"run{number}" for number in range(40))


def test_a_log_that_is_a_link_is_not_written_through(nights, tmp_path):
    log = nights.study / "audit.jsonl"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"audit\.jsonl must be writable"):
        considered(nights, "alike")
