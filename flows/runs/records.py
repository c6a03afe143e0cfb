"""Record which artifact each stage made: a JSON reference for each cache key."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from mgvae.errors import DamagedArtifactError, MissingArtifactError, StoreError, reason_of
from mgvae.store.artifact import Reference, is_digest
from mgvae.store.open import AnyStore

FOLDER = "records"


def look_up(store: AnyStore, key: str) -> tuple[Reference | None, str | None]:
    """Return the whole artifact on record for a cache key, else remove the record.

    Returns:
        The artifact, or None; and what was wrong, for the log, or None where all is well or there is no record.

    Raises:
        StoreError: the record is there and may not be read, or the store cannot be reached.
    """
    try:
        reference = read_record(store, key)
    except ValueError:
        remove_record(store, key)
        return None, f"The record of stage {key[:24]} cannot be read."
    if reference is None:
        return None, None
    try:
        store.folder(reference)
    except (DamagedArtifactError, MissingArtifactError) as error:
        if isinstance(error, DamagedArtifactError):
            store.discard_damaged(reference)
        remove_record(store, key)
        return None, str(error)
    with suppress(StoreError):  # a record in the form of earlier versions serves as well
        write_record(store, key, reference)
    return reference, None


def read_record(store: AnyStore, key: str) -> Reference | None:
    """Return the artifact on record for a cache key; None where there is no record.

    Raises:
        ValueError: the record is damaged.
        StoreError: the record may not be read, or the store cannot be reached.
    """
    if store.local is not store:
        note = store.read_note(f"{FOLDER}/{key}")  # None also where it is damaged
        return None if note is None else _reference(note)
    folder = (store.local.root / FOLDER).resolve()
    try:
        return _reference(json.loads((folder / key).read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"The records in {folder} must be readable; {reason_of(error)}.") from None


def write_record(store: AnyStore, key: str, reference: Reference) -> None:
    """Record which artifact a stage made, unless the same is on record.

    Raises:
        StoreError: the record cannot be written.
    """
    if store.read_note(f"{FOLDER}/{key}") != reference.to_json():
        store.write_note(f"{FOLDER}/{key}", reference.to_json())


def remove_record(store: AnyStore, key: str) -> None:
    """Remove a record; nothing happens where there is none."""
    store.remove_note(f"{FOLDER}/{key}")


def all_records(store: AnyStore) -> dict[str, str]:
    """Return the digest on record for each cache key; skip unreadable records."""
    found: dict[str, str] = {}
    for key in (name.rpartition("/")[2] for name in store.notes(FOLDER)):
        with suppress(StoreError, ValueError):
            reference = read_record(store, key)
            if reference is not None:
                found[key] = reference.sha256
    return found


def _reference(content: Any) -> Reference:
    try:
        if "result" in content:  # as Prefect wrote it for earlier versions
            content = json.loads(content["result"])
        reference = Reference(**content)
    except TypeError:
        raise ValueError("a record must be an object") from None
    if not isinstance(reference.kind, str) or not isinstance(reference.sha256, str) or not is_digest(reference.sha256):
        raise ValueError("a reference must hold a kind and a sha256")
    return reference
