"""Stage reuse by content: the key of a stage, and the record that Prefect keeps of its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgvae.errors import DamagedArtifactError, StoreError
from mgvae.store import Reference, Store


def stage_key(stage: str, *, code: str, parameters: Mapping[str, Any], inputs: Mapping[str, Reference]) -> str:
    """Return the cache key of a stage: the same exactly where code, parameters and the content of all inputs are.

    Args:
        stage: its name.
        code: digest of the code it depends on.
        parameters: the part of the configuration that it reads, the seed among it; plain JSON.
        inputs: references of the artifacts it reads.
    """
    content = {
        "stage": stage,
        "code": code,
        "parameters": parameters,
        "inputs": {name: reference.sha256 for name, reference in inputs.items()},
    }
    return f"{stage}-{digest(content)}"


def digest(content: object) -> str:
    """Return the sha256 of the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def records(store: Store) -> Path:
    """Return the folder where Prefect keeps the stages' results: one JSON reference per key."""
    return (store.root / "records").resolve()


def forget_if_unusable(store: Store, key: str) -> str | None:
    """Remove the record of ``key`` where its artifact is missing or damaged, so that the stage runs again.

    Returns:
        What was wrong, for the log; None where there is no record or all is well.

    Raises:
        StoreError: the record is there and may not be read.
    """
    record = records(store) / key
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        reference = Reference(**json.loads(stored["result"]))
        store.folder(reference)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(
            f"The records in {record.parent} must be readable; {error.strerror or type(error).__name__}."
        ) from None
    except DamagedArtifactError as error:
        store.discard(reference)
        record.unlink(missing_ok=True)
        return str(error)
    except (StoreError, ValueError, KeyError, TypeError) as error:
        record.unlink(missing_ok=True)
        return str(error) if isinstance(error, StoreError) else f"The record of stage {key[:24]} cannot be read."
    return None
