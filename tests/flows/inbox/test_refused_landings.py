"""Files, names and settings that `mgvae land` refuses, or takes without harm; messages hold no patient data."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from pathlib import Path

import pytest

from flows.inbox import folder as names
from flows.inbox.folder import landed
from tests.flows.inbox.landing_tools import message_of, nothing_landed
from tests.flows.simulated_study import CANARY, table, write_study

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


def test_no_patient_in_what_is_said(mgvae, place):
    frame = table()
    frame.loc[3, "ward"] = CANARY
    frame.to_csv("extract.csv", index=False)
    said = mgvae("land", "extract.csv")
    assert said.code == 2
    assert CANARY not in said.out + said.err
