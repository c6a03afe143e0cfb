"""Two processes at work on one key, and a process killed in the middle: never half an artifact, and the work can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from mgvae.errors import DamagedArtifactError, MissingArtifactError, StoreError
from mgvae.store.artifact import Reference
from mgvae.store.remote import RemoteStore
from tests.mgvae.store.store_tools import ABOUT, contents, writer
from tests.paths import ROOT

ROUNDS = 12
BIG = {"a.bin": b"x" * 300_000, "deep/b.bin": b"y" * 1000}

# argv: the folder or the URL, the folder of fetched artifacts, what to do. It waits for a line on stdin before it begins.
WORKER = """
import os, signal, sys
from pathlib import Path
import fsspec
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.store.remote import RemoteStore
from mgvae.store.local import Store

where, fetched, task = sys.argv[1:]
if "://" in where:
    fs, root = fsspec.core.url_to_fs(where, use_listings_cache=False)
    store = RemoteStore(fs, root, label=where, local=Store(Path(fetched)))
else:
    store = Store(Path(where))

def write(folder, number=0):
    (folder / "a.bin").write_bytes(b"x" * 300_000)
    if task == "die writing":
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.bin").write_bytes(b"y" * 1000)
    if number:
        (folder / "number").write_text(str(number))

if task == "die uploading":
    put = store.fs.put_file
    def put_once(source, path):
        put(source, path)
        os.kill(os.getpid(), signal.SIGKILL)
    store.fs.put_file = put_once
if task == "die before the manifest":
    store.fs.pipe_file = lambda *_: os.kill(os.getpid(), signal.SIGKILL)

print("ready", flush=True)
sys.stdin.readline()
for number in range(int(os.environ.get("ROUNDS", "1"))):
    reference = store.save("model", lambda folder: write(folder, number), about={"pid": os.getpid()})
    if task == "save and repair":
        try:
            store.folder(reference)
        except (MissingArtifactError, DamagedArtifactError):
            store.discard_damaged(reference)
            store.save("model", lambda folder: write(folder, number), about={})
    print(reference.sha256, flush=True)
"""


def start(place, tmp_path, task, number=0, rounds=1):
    store = place.store()
    where = store.label if isinstance(store, RemoteStore) else str(store.root)
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, where, str(tmp_path / f"worker-{number}"), task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "ROUNDS": str(rounds)},
    )


def race(place, tmp_path, task, rounds=ROUNDS):
    """Let two processes do the same at the same time; return what each of them printed."""
    workers = [start(place, tmp_path, task, number, rounds) for number in (0, 1)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    return said


def test_two_processes_race_on_each_key_and_all_is_whole(shared, tmp_path):
    one, other = race(shared, tmp_path, "save")
    assert one == other
    assert len(set(one)) == ROUNDS
    for sha256 in one:
        assert shared.store(7).folder(Reference("model", sha256))
    assert {entry.sha256 for entry in shared.store().entries()} == set(one)
    assert all(entry.kind == "model" for entry in shared.store().entries())
    assert not [name for name in shared.names() if ".writing-" in name]


def test_two_processes_mend_the_same_damaged_artifact(shared, tmp_path):
    reference = shared.store().save("model", writer(BIG), about=ABOUT)
    for _ in range(3):
        shared.write(reference, "a.bin", b"x")
        one, other = race(shared, tmp_path, "save and repair", rounds=1)
        assert one == other == [reference.sha256]
        assert contents(shared.store(7).folder(reference)) == BIG


def test_a_reader_never_sees_half_of_what_racing_writers_write(shared, tmp_path):
    reference = Reference("model", shared.store().save("model", writer(BIG), about=ABOUT).sha256)
    shared.store().discard(reference)
    seen, over = [], threading.Event()

    def read():
        reader = shared.store(7)
        while not over.is_set():
            try:
                seen.append(contents(reader.folder(reference)) == BIG)
            except MissingArtifactError:
                seen.append(None)
            except DamagedArtifactError:
                seen.append(False)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        race(shared, tmp_path, "save", rounds=1)
    finally:
        over.set()
        thread.join()
    assert False not in seen
    assert shared.store(7).folder(reference)


@pytest.mark.parametrize("task", ["die writing", "die uploading", "die before the manifest"])
def test_killed_in_the_middle_nothing_is_there_and_the_next_try_succeeds(shared, task, tmp_path):
    if task != "die writing" and not isinstance(shared.store(), RemoteStore):
        pytest.skip("a folder is put in its place in one step")
    with start(shared, tmp_path, task) as worker:
        worker.communicate("go\n", timeout=60)
    assert worker.returncode == -signal.SIGKILL
    assert not [entry for entry in shared.store().entries() if entry.kind]
    for fresh in (shared.store(), shared.store(7)):
        with pytest.raises(MissingArtifactError, match="is not in the store"):
            fresh.folder(Reference("model", reference_of(BIG, tmp_path)))
    assert half_written(shared, tmp_path) == (task == "die writing")
    with start(shared, tmp_path, "save") as worker:
        out, _ = worker.communicate("go\n", timeout=60)
    sha256 = out.split()[1]
    assert contents(shared.store(7).folder(Reference("model", sha256))) == BIG
    assert not half_written(shared, tmp_path)


def reference_of(files, tmp_path):
    from mgvae.store.local import Store

    return Store(tmp_path / "aside").save("model", writer(files), about={}).sha256


def half_written(place, tmp_path):
    """Return whether a killed writer's folder is left on this machine, where patients' rows may lie."""
    return any(list(folder.glob(".writing-*")) for folder in (place.store().local.root, tmp_path / "worker-0"))


def test_the_manifest_is_written_last(far, monkeypatch):
    store = far.store()

    def fail(*arguments):
        raise OSError("the line is cut")

    monkeypatch.setattr(store.fs, "pipe_file", fail, raising=False)
    with pytest.raises(StoreError, match=r"must be writable; OSError\. Check the address"):
        store.save("model", writer(BIG), about=ABOUT)
    (entry,) = far.store().entries()
    assert entry.kind == ""
