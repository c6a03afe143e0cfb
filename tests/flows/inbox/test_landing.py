"""`mgvae land`: an extract is in the inbox whole and valid, or not at all; in the order of landing."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.inbox import folder as names
from flows.inbox.folder import landed, newest_landed, one_at_a_time
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from mgvae.extract.parts import digest, find_parts
from mgvae.extract.read import read_extract
from tests.flows.inbox.landing_tools import message_of, nothing_landed
from tests.flows.simulated_study import table


def modes(path):
    return {oct(one.stat().st_mode & 0o777) for one in [path, *path.rglob("*")]}


def test_a_file_lands_whole_and_readable_by_its_owner_alone(mgvae, place):
    before = (place / "extract.csv").read_bytes()
    said = mgvae("land", "extract.csv")
    assert said.code == 0
    (path,) = landed(place / "inbox", "small")
    assert said.out.splitlines()[0] == str(path)
    sha256 = digest(find_parts("extract.csv"))
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}\.\d{{6}}Z-{sha256[:12]}\.csv", path.name)
    assert path.read_bytes() == before == (place / "extract.csv").read_bytes()
    assert modes(path) == {"0o600"}
    assert modes(place / "inbox") == {"0o700", "0o600"}
    assert sorted(one.name for one in path.parent.iterdir()) == [".lock", path.name]
    assert "No event sent: no Prefect server is configured" in said.out
    assert read_extract(load_config(place / "cohort.yaml", extract=str(path))).sha256 == sha256


def test_a_folder_of_parts_lands_as_one(mgvae, place):
    folder = place / "parts"
    for number, site in enumerate(("site=A", "site=B")):
        (folder / site).mkdir(parents=True)
        table().iloc[number::2].to_parquet(folder / site / f"part\n{number}.parquet", index=False)
    (folder / "_SUCCESS").touch()
    (folder / ".hidden.parquet").write_bytes(b"x")
    assert mgvae("land", folder).code == 0
    path = newest_landed(place / "inbox", "small")
    assert path.is_dir()
    assert digest(find_parts(str(path))) == digest(find_parts(str(folder)))
    assert sorted(one.name for one in path.rglob("*") if one.is_file()) == ["part\n0.parquet", "part\n1.parquet"]
    assert modes(path) == {"0o700", "0o600"}
    assert "Already in the inbox" in mgvae("land", folder).out


def test_the_same_bytes_land_once(mgvae, place):
    mgvae("land", "extract.csv")
    shutil.copy("extract.csv", "other.csv")
    said = mgvae("land", "other.csv")
    assert said.code == 0
    assert "Already in the inbox; nothing to do" in said.out
    assert len(landed(place / "inbox", "small")) == 1


def test_bytes_that_were_changed_in_the_inbox_land_anew(mgvae, place):
    mgvae("land", "extract.csv")
    first = newest_landed(place / "inbox", "small")
    first.write_bytes(first.read_bytes()[:-10])
    assert mgvae("land", "extract.csv").code == 0
    assert newest_landed(place / "inbox", "small").read_bytes() == Path("extract.csv").read_bytes()


def test_an_invalid_extract_does_not_land(mgvae, place):
    table().assign(age=417).to_csv("extract.csv", index=False)
    before = Path("extract.csv").read_bytes()
    said = mgvae("land", "extract.csv")
    assert said.code == 2
    assert "must be between 18 and 110 years" in said.out
    assert "Nothing has landed" in said.out
    nothing_landed(place)
    assert Path("extract.csv").read_bytes() == before


def test_an_invalid_extract_leaves_what_landed_before(mgvae, place):
    mgvae("land", "extract.csv")
    before = sorted((place / "inbox").rglob("*"))
    table().assign(age=417).to_csv("extract.csv", index=False)
    assert mgvae("land", "extract.csv").code == 2
    assert sorted((place / "inbox").rglob("*")) == before


def test_cohort_and_inbox_are_named_by_option_or_environment(mgvae, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message_of(mgvae("land", "study/extract.csv"), "no cohort.yaml here", "MGVAE_COHORT", "--cohort")
    monkeypatch.setenv("MGVAE_COHORT", "study/cohort.yaml")
    monkeypatch.setenv("MGVAE_INBOX", str(tmp_path / "there"))
    assert mgvae("land", "study/extract.csv").code == 0
    assert mgvae("land", "study/extract.csv", "--inbox", "here", "--cohort", "study/cohort.yaml").code == 0
    assert len(landed(Path("there"), "small")) == len(landed(Path("here"), "small")) == 1


def test_order_is_that_of_landing_also_when_the_clock_goes_back(mgvae, place, monkeypatch):
    class Clock(datetime):
        at = datetime(2026, 11, 24, 3, tzinfo=UTC)

        @classmethod
        def now(cls, tz=None):
            return cls.at

    monkeypatch.setattr(names, "datetime", Clock)
    seen = []
    for seed in range(3):
        table(seed=seed).to_csv("extract.csv", index=False)
        assert mgvae("land", "extract.csv").code == 0
        seen.append(newest_landed(place / "inbox", "small"))
        Clock.at -= timedelta(days=1)
    assert landed(place / "inbox", "small") == seen
    assert [path.name[:23] for path in seen] == [f"20261124T030000.00000{i}Z" for i in range(3)]


def test_what_is_no_extract_of_ours_is_passed_over(mgvae, place):
    mgvae("land", "extract.csv")
    folder, (ours,) = place / "inbox" / "small", landed(place / "inbox", "small")
    stamp = "20991231T235959.000000Z-0123456789ab"
    for name in ("notes.csv", "~tmp.csv", f"{stamp}.txt", "20991331T000000.000000Z-0123456789ab.csv", f"{stamp}.csv.part"):
        (folder / name).write_text("x")
    (folder / ".writing-1-host-x").mkdir()
    (folder / ".writing-1-host-x" / f"{stamp}.csv").write_text("x")
    (folder / f"{stamp}.parquet").symlink_to("/etc/passwd")
    (folder / f"{stamp}.csv").mkdir()
    assert landed(place / "inbox", "small") == [ours]
    assert newest_landed(place / "inbox", "other") is None
    with pytest.raises(ConfigError, match="study: must be 1 to 64 letters"):
        newest_landed(place / "inbox", "../small")


def test_what_a_killed_landing_left_is_swept_up(mgvae, place):
    left = place / "inbox" / "small" / f".writing-999999999-{os.uname().nodename}-x"
    left.mkdir(parents=True)
    (left / "extract.csv").write_text("half")
    assert mgvae("land", "extract.csv").code == 0
    assert not left.exists()


def test_landings_wait_for_one_another(mgvae, place, monkeypatch):
    mgvae("land", "extract.csv")
    table(seed=1).to_csv("extract.csv", index=False)
    said, lock, waits, passed = [], fcntl.flock, threading.Event(), threading.Event()

    def watched(*arguments):
        waits.set()
        lock(*arguments)
        passed.set()

    with one_at_a_time(place / "inbox" / "small"):
        monkeypatch.setattr("flows.inbox.folder.fcntl.flock", watched)
        other = threading.Thread(target=_land, args=(place, said))
        other.start()
        assert waits.wait(60)
        assert not passed.wait(0.3)
        assert len(landed(place / "inbox", "small")) == 1
    other.join(60)
    assert said == [True]
    assert len(landed(place / "inbox", "small")) == 2


def _land(place, said):
    from flows.inbox.landing import land

    said.append(land(place / "extract.csv", cohort=place / "cohort.yaml", inbox=place / "inbox").new)
