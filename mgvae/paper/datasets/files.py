"""Open plain or gzipped data files with clear errors."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mgvae.errors import ExtractError, reason_of

GZIP = b"\x1f\x8b"


def found(folder: Path, *names: str) -> Path:
    """Return the first of ``names`` that is a file in ``folder``, plain or gzipped.

    Raises:
        ExtractError: there is no such folder, or none of the files is in it.
    """
    if not folder.is_dir():
        raise ExtractError(f"{folder}: no such folder. Name the folder that holds {names[0]} (--data).")
    there = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    for name in names:
        for ending in ("", ".gz"):
            if (path := there.get(f"{name}{ending}".lower())) is not None:
                return path
    raise ExtractError(f"{folder}: must hold {' or '.join(names)}, plain or with .gz. Put the file there as it was published.")


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unzipped if it is zipped, whatever its name.

    Raises:
        ExtractError: the file cannot be read, or its compressed data end early or are damaged; also while it is being read.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            yield cast(BinaryIO, file)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ExtractError(f"{path}: its compressed data are cut off or damaged. Fetch the file again.") from None
    except OSError as error:
        raise ExtractError(f"{path}: cannot be read ({reason_of(error)}). Check the path and its rights.") from None
