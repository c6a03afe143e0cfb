"""Made-up runs: artifacts in a store and run folders that refer to them, for the tests of what is cleaned up."""

from __future__ import annotations

import itertools
import json
import os
import time
from datetime import timedelta

import pandas as pd

from flows.runs.records import write_record
from flows.runs.registry import note_run
from mgvae.store.artifact import digest_file
from mgvae.store.open import open_store

DAY = 86400.0
NUMBERS = itertools.count()


def publish(folder, page):
    """Write a run folder that holds a page and a manifest with its digest."""
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(page, encoding="utf-8")
    files = f'{{"report.html": "{digest_file(folder / "report.html")}"}}'
    manifest = f'{{"created_at": "2026-01-01", "status": "pass", "lineage": {{"artifacts": {{}}}}, "files": {files}}}'
    (folder / "manifest.json").write_text(manifest)


class Runs:
    """A store, and run folders that refer to it."""

    def __init__(self, out, where):
        self.out = out
        self.where = where
        self.store = open_store(out, where)

    def artifact(self, stage, content, inputs=None, rows=3):
        def write(folder):
            pd.DataFrame({"a": [content] * rows}).to_parquet(folder / "rows.parquet")

        reference = self.store.save(stage, write, about={"inputs": inputs or {}})
        key = f"{stage}-{reference.sha256}"
        write_record(self.store, key, reference)
        return reference

    def run(self, study, run_id, at, **contents):
        """Make a run whose artifacts have the given contents; return their references, the report's among them."""
        made = {stage: self.artifact(stage, content) for stage, content in contents.items()}
        digests = {stage: reference.sha256 for stage, reference in made.items()}
        folder = self.out / study / run_id
        folder.mkdir(parents=True)
        manifest = {"study": study, "run_id": run_id, "created_at": at, "status": "pass", "lineage": {"artifacts": digests}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        note_run(self.store, self.out, manifest)
        return made | {"report": self.artifact("report", f"{study} {run_id}", inputs=digests)}

    def age(self, days=2.0):
        """Let everything in the store have been used last so many days ago."""
        then = time.time() - days * DAY
        for store in {self.store, self.store.local}:
            if store.local is store:
                for folder in (store.root / "objects").glob("*/*"):
                    os.utime(folder, (then, then))
            else:
                for file in store.fs.store.values():
                    file.modified -= timedelta(days=days)
                    file.created -= timedelta(days=days)

    def held(self):
        return {(entry.kind, entry.sha256) for entry in self.store.entries()}
