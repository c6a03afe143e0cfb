"""What the tests of the stores share: artifacts to write, and hands that reach below the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mgvae.store.artifact import MANIFEST, address

ABOUT = {"stage": "test", "inputs": {"split": "a" * 64}}
FILES = {"a.json": b"patient", "deep/b.bin": b"22"}


def writer(files):
    """Return what writes ``files`` into a folder."""

    def write(folder):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return write


def contents(folder):
    """Return the payload of an artifact's folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@dataclass(frozen=True)
class Place:
    """Where a store lies.

    Attributes:
        root: its path on the file system.
        make: returns the store as the machine of that number sees it.
        fs: the file system, to do damage below the store.
    """

    root: str
    make: Callable[[int], Any]
    fs: Any

    def store(self, machine=0):
        return self.make(machine)

    def path(self, reference, name):
        return f"{self.root}/{address(reference)}/{name}"

    def write(self, reference, name, content):
        path = self.path(reference, name)
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(path, content)

    def remove(self, reference, name):
        self.fs.rm_file(self.path(reference, name))

    def names(self):
        self.fs.invalidate_cache()
        return sorted(path[len(self.root) :] for path in self.fs.find(self.root))
