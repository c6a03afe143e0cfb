"""Stage reuse by content: the key of a stage, and the record of its result, which Prefect keeps on this machine."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mgvae.errors import DamagedArtifactError, MissingArtifactError, StoreError, reason_of
from mgvae.store.artifact import Reference, is_digest
from mgvae.store.open import AnyStore

SERIALIZER = {"type": "json", "jsonlib": "json", "object_encoder": None, "object_decoder": None}


def records(store: AnyStore) -> Path:
    """Return the folder where Prefect keeps the stages' results: one JSON reference per key."""
    return (store.local.root / "records").resolve()


def forget_if_unusable(store: AnyStore, key: str) -> str | None:
    """Remove the record of ``key`` where its artifact is missing or damaged, so that the stage runs again.

    Returns:
        What was wrong, for the log; None where there is no record or all is well.

    Raises:
        StoreError: the record is there and may not be read, or the store cannot be reached.
    """
    _fetch_record(store, key)
    record = records(store) / key
    try:
        reference = _read(record)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"The records in {record.parent} must be readable; {reason_of(error)}.") from None
    except (ValueError, KeyError, TypeError):
        forget(store, key)
        return f"The record of stage {key[:24]} cannot be read."
    return _forget_if_artifact_unusable(store, key, reference)


def _forget_if_artifact_unusable(store: AnyStore, key: str, reference: Reference) -> str | None:
    try:
        store.folder(reference)
    except DamagedArtifactError as error:
        store.discard_damaged(reference)
        forget(store, key)
        return str(error)
    except MissingArtifactError as error:
        forget(store, key)
        return str(error)
    return None


def share_record(store: AnyStore, key: str, reference: Reference) -> None:
    """Tell a store that other machines use too which artifact a stage made; here, Prefect has written it down already."""
    if store.local is not store and store.read_note(f"records/{key}") != reference.to_json():
        store.write_note(f"records/{key}", reference.to_json())


def record_of(store: AnyStore, key: str) -> Reference | None:
    """Return the artifact on record for ``key``, also one that another machine put there; None where there is none."""
    _fetch_record(store, key)
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _read(records(store) / key)
    return None


def forget(store: AnyStore, key: str) -> None:
    """Remove the record of a stage, wherever it is kept."""
    (records(store) / key).unlink(missing_ok=True)
    if store.local is not store:
        store.remove_note(f"records/{key}")


def recorded(store: AnyStore) -> dict[str, str]:
    """Return the digest of the artifact of each stage key on record; an unreadable record is left out."""
    if store.local is not store:
        told = {name.rpartition("/")[2]: store.read_note(name) for name in store.notes("records")}
        return {key: str(one.get("sha256")) for key, one in told.items() if isinstance(one, dict)}
    found: dict[str, str] = {}
    for path in sorted(records(store).glob("*-*")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            found[path.name] = _read(path).sha256
    return found


def _fetch_record(store: AnyStore, key: str) -> None:
    """Write down on this machine what another one made, in Prefect's way; only the reference is taken over."""
    if store.local is store:
        return
    told, record = store.read_note(f"records/{key}"), records(store) / key
    with suppress(OSError, ValueError, KeyError, TypeError):
        if _read(record).to_json() == told:
            return
    with suppress(ValueError, TypeError):
        result = json.dumps(_reference(told).to_json())
        metadata = {"storage_key": str(record), "serializer": SERIALIZER, "prefect_version": version("prefect")}
        store.local.write_note(f"records/{key}", {"metadata": metadata, "result": result})


def _read(record: Path) -> Reference:
    return _reference(json.loads(json.loads(record.read_text(encoding="utf-8"))["result"]))


def _reference(told: Any) -> Reference:
    reference = Reference(**told)
    if not isinstance(reference.kind, str) or not isinstance(reference.sha256, str) or not is_digest(reference.sha256):
        raise ValueError("a reference must hold a kind and a sha256")
    return reference
