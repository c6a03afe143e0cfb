"""`mgvae land`: an extract is in the inbox whole and valid, or not at all; and the server knows of it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.inbox import folder as names
from flows.inbox.folder import landed, newest_landed, one_at_a_time
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from mgvae.extract.parts import digest, find_parts
from mgvae.extract.read import read_extract
from tests.flows.simulated_study import CANARY, table, write_study


@pytest.fixture
def server(database):
    """The address of the session's server, for a test that asks for it before `place`."""
    return PREFECT_API_URL.value()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with cohort.yaml and extract.csv, and no server."""
    write_study(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    for name in ("MGVAE_COHORT", "MGVAE_INBOX", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield tmp_path / "study"


def message_of(said, *words):
    """Check that the command failed with one message, and return it."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert CANARY not in said.err
    return said.err


def nothing_landed(place):
    assert not (place / "inbox").exists()


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


BAD = {
    "no such file": (None, "nowhere.csv", ("no such file",)),
    "not an extract": (b"x", "extract.xlsx", ("must be CSV",)),
    "cut off": (
        table().to_csv(index=False).encode()[:9000].rstrip(b"\n"),
        "cut.csv",
        ("cut.csv: the last line must end with a line break",),
    ),
    "empty": (b"", "empty.csv", ("empty.csv", "the file is empty")),
    "few events": (table(events=4).to_csv(index=False).encode(), "few.csv", ("'died'", "4 have it")),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_a_message_that_names_them(case, mgvae, place):
    content, name, words = BAD[case]
    write_study(place, outcome__expected_prevalence=[0, 0.2])
    if content is not None:
        (place / name).write_bytes(content)
    assert ".writing-" not in message_of(mgvae("land", name), *words)
    nothing_landed(place)


@pytest.mark.parametrize(
    "name",
    ["-rf.csv", "a\nb.csv", "\x1b[31mred.csv", "Ärzte 患者.csv", "a::b.csv", "~root.csv", "file:*.csv"],
)
def test_hostile_names_land_under_a_name_of_ours(name, mgvae, place):
    shutil.copy("extract.csv", place / name)
    said = mgvae("land", "--", name)
    assert said.code == 0
    (path,) = landed(place / "inbox", "small")
    assert names.NAME.fullmatch(path.name)
    (place / name).write_bytes(b"")
    said = message_of(mgvae("land", "--", name), "the file is empty")
    assert "\x1b" not in said


def test_a_way_up_is_only_a_way_to_read(mgvae, place):
    (place / "below").mkdir()
    os.chdir(place / "below")
    assert mgvae("land", "../../study/extract.csv", "--cohort", "../cohort.yaml").code == 0
    assert len(landed(place / "below" / "inbox", "small")) == 1


def test_a_pipe_does_not_hang(mgvae, place):
    os.mkfifo(place / "pipe.csv")
    message_of(mgvae("land", "pipe.csv"), "must be a file", "pipe")
    (place / "parts").mkdir()
    (place / "pipe.csv").rename(place / "parts" / "pipe.csv")
    message_of(mgvae("land", "parts"), "must be a file")
    nothing_landed(place)


def test_a_full_disk_leaves_nothing(mgvae, place):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # the kernel refuses the rest of the copy
    try:
        said = mgvae("land", "extract.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message_of(said, "must be writable with space left", "File too large", "Nothing has landed")
    nothing_landed(place)


def test_an_inbox_that_is_a_file_is_refused(mgvae, place):
    (place / "inbox").write_text("")
    message_of(mgvae("land", "extract.csv"), "must be writable")


def test_an_extract_that_still_grows_is_refused(mgvae, place):
    path, ended = place / "grows.csv", threading.Event()
    lines = table(n=20_000, events=800).to_csv(index=False).splitlines(keepends=True)
    path.write_text("".join(lines))

    def grow():
        with path.open("a") as file:
            while not ended.wait(0.001):
                file.write(lines[1])
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        said = mgvae("land", path)
    finally:
        ended.set()
        writer.join()
    message_of(said, "still being written")
    nothing_landed(place)


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


def test_landings_wait_for_one_another(mgvae, place):
    mgvae("land", "extract.csv")
    table(seed=1).to_csv("extract.csv", index=False)
    said = []
    with one_at_a_time(place / "inbox" / "small"):
        other = threading.Thread(target=_land, args=(place, said))
        other.start()
        time.sleep(1.5)
        assert len(landed(place / "inbox", "small")) == 1
    other.join(60)
    assert said == [True]
    assert len(landed(place / "inbox", "small")) == 2


def _land(place, said):
    from flows.inbox.landing import land

    said.append(land(place / "extract.csv", cohort=place / "cohort.yaml", inbox=place / "inbox").new)


def test_roots_confine_inbox_cohort_and_dictionary(mgvae, place, tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_ROOTS", str(place))
    assert mgvae("land", "extract.csv").code == 0
    message_of(mgvae("land", "extract.csv", "--inbox", tmp_path / "other"), "inbox: must lie below")
    (place / "way").symlink_to(tmp_path)
    message_of(mgvae("land", "extract.csv", "--inbox", "way/other"), "inbox: must lie below")
    shutil.copy("cohort.yaml", tmp_path / "cohort.yaml")
    message_of(mgvae("land", "extract.csv", "--cohort", "../cohort.yaml"), "cohort: must lie below")
    text = Path("cohort.yaml").read_text()
    Path("cohort.yaml").write_text(text[: text.index("columns:")] + "dictionary: ../../../../../etc/passwd\n")
    message_of(mgvae("land", "extract.csv"), "dictionary in cohort.yaml: must lie below")


@pytest.mark.parametrize("study", ["../out", "/out", ".hidden", "a/b", "a\nb", ""])
def test_a_study_cannot_lead_out_of_the_inbox(study, mgvae, place):
    write_study(place, study=study)
    said = mgvae("land", "extract.csv")
    assert said.code == 1
    assert "study: must be 1 to 64 letters" in said.err
    nothing_landed(place)


def test_yaml_cannot_run_code(mgvae, place):
    mark = place / "ran"
    with Path("cohort.yaml").open("a") as file:
        file.write(f"code: !!python/object/apply:os.system ['touch {mark}']\n")
    said = mgvae("land", "extract.csv")
    assert said.code == 1
    assert "must be YAML" in said.err
    assert not mark.exists()


def events_of(study):
    """Return the events of a study's extracts that the server keeps; it writes them down within seconds."""
    wanted = {"filter": {"event": {"name": ["ehr.extract.landed"]}}, "limit": 50}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json=wanted).json()["events"]
    return [event for event in found if event["payload"]["study"] == study]


def test_the_server_knows_of_an_extract_that_landed_and_of_no_patient(mgvae, server, place):
    write_study(place, study="told")
    with temporary_settings({PREFECT_API_URL: server}):
        said = mgvae("land", "extract.csv")
        assert said.code == 0
        assert "Event ehr.extract.landed sent." in said.out
        assert mgvae("land", "extract.csv").out.startswith("Already in the inbox")
        deadline = time.monotonic() + 30
        while not (found := events_of("told")) and time.monotonic() < deadline:
            time.sleep(0.2)
        (event,) = found  # and none for the second landing
    path = newest_landed(place / "inbox", "told")
    sha256 = digest(find_parts(str(path)))
    assert event["payload"] == {"uri": str(path), "study": "told", "sha256": sha256, "rows": 600}
    assert event["resource"]["prefect.resource.id"] == f"mgvae-cohort.extract.told.{sha256[:12]}"


def test_a_server_that_is_away_does_not_undo_the_landing(mgvae, place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            start = time.monotonic()
            said = mgvae("land", "extract.csv")
    assert time.monotonic() - start < 20
    assert said.code == 0
    assert "Warning: the extract has landed, but no event was sent" in said.err
    assert len(landed(place / "inbox", "small")) == 1


def test_no_patient_in_what_is_said(mgvae, place):
    frame = table()
    frame.loc[3, "ward"] = CANARY
    frame.to_csv("extract.csv", index=False)
    said = mgvae("land", "extract.csv")
    assert said.code == 2
    assert CANARY not in said.out + said.err
