"""Find the files of an extract: one file, a glob or a folder, on any fsspec URL."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from gzip import BadGzipFile
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import unquote

import fsspec
import pyarrow as pa
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import infer_compression

from mgvae.errors import ExtractError, nearest, reason_of
from mgvae.extract.bounds import BoundedFile

Format = Literal["csv", "tsv", "parquet", "sav", "sas7bdat", "xpt", "dta"]
TEXT: dict[str, Format] = {".csv": "csv", ".tsv": "tsv"}
STATISTICS: dict[str, Format] = {".sav": "sav", ".zsav": "sav", ".sas7bdat": "sas7bdat", ".xpt": "xpt", ".dta": "dta"}
FORMATS: dict[str, Format] = {**TEXT, ".parquet": "parquet", ".pq": "parquet", **STATISTICS}
NAMES = (
    "must be CSV (.csv, .csv.gz, .tsv) or Parquet (.parquet) by its name, or a table of SPSS (.sav), SAS (.sas7bdat, .xpt) or "
    "Stata (.dta)."
)
BLOCK = 1 << 22
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # what Hive, Spark and pyarrow write for a missing partition value
CUT_OFF = "the compressed file is cut off or damaged. Copy it again from its source."
WHERE_IT_IS_NAMED = "Correct 'extract' in cohort.yaml, --extract, or the file that the command was given."
REMEDIES: dict[type[Exception], str] = {
    FileNotFoundError: "no such file; it was removed while being read. Start again once it is complete.",
    PermissionError: "must be readable; permission was denied. Change its permissions or run as another user.",
    BadGzipFile: "must be gzip data, as its name says; it is not. Compress it again or correct its name.",
    EOFError: CUT_OFF,
    zlib.error: CUT_OFF,
    lzma.LZMAError: CUT_OFF,
    csv.Error: "every cell must have at most 131,072 characters, and each quote an end; one has not. Copy it from its source.",
}


@dataclass(frozen=True)
class Part:
    """One file of the extract.

    Attributes:
        fs: the fsspec file system.
        path: its path there.
        format: csv, tsv, parquet, or that of a table of SPSS, SAS or Stata.
        keys: columns that folder names such as ``site=A`` carry, with their value; None where it is missing.
        separator: of a CSV file, where it is another than its name says.
        encoding: of a CSV file, where it is not UTF-8.
    """

    fs: Any
    path: str
    format: Format
    keys: tuple[tuple[str, str | None], ...] = ()
    separator: str | None = None
    encoding: str | None = None

    def laid_out(self, separator: str | None, encoding: str | None) -> Part:
        """Return the part, read with this separator and encoding."""
        return replace(self, separator=separator, encoding=encoding)

    @property
    def is_text(self) -> bool:
        """Whether it is a text file."""
        return self.format in TEXT.values()

    @property
    def label(self) -> str:
        """The path for messages, without a query, which may hold a signature."""
        return _label(self.fs, self.path)

    @contextmanager
    def open(self) -> Iterator[Any]:
        """Open decompressed bytes; errors, the caller's too, become an `ExtractError`."""
        packing = _compression(_name(self.fs, self.path), self.format)
        with _as_extract_errors(self.label), self.fs.open(self.path, "rb", compression=packing) as file:
            if not self.is_text:
                yield file
                return
            packed = None if packing is None else int(self.fs.info(self.path).get("size") or 0)
            bounded = BoundedFile(file, label=self.label, packed=packed, breaks=self.separator or "")
            yield io.BufferedReader(bounded, BLOCK)

    def state(self) -> tuple[Any, ...]:
        """Return size and times or tags, which change when the file is written anew."""
        with _as_extract_errors(self.label):
            info = self.fs.info(self.path)
        return tuple(info.get(key) for key in ("size", "mtime", "LastModified", "ETag", "etag", "generation", "created"))


def find_parts(extract: str, *, separator: str | None = None, encoding: str | None = None) -> list[Part]:
    """Return the files of an extract, sorted by path.

    Args:
        extract: path, glob or fsspec URL of a file or a folder. In a folder, names that begin with ``_`` or ``.`` and files of
            other formats are passed over.
        separator: of CSV files, where it is another than their name says.
        encoding: of CSV files, where it is not UTF-8.

    Raises:
        ExtractError: there is no such file or none of a known format, or the place cannot be reached.
    """
    return [part.laid_out(separator, encoding) for part in _found(extract)]


def _found(extract: str) -> list[Part]:
    fs, path = _file_system(extract)
    label = _label(fs, path)
    with _as_extract_errors(label, remote=not _is_local(fs)):
        if fs.isfile(path):
            return [_single(fs, path)]
        if fs.isdir(path):
            return _same_format(_inside(fs, path), label=label)
        if any(wildcard in path for wildcard in "*?["):
            return _same_format(_globbed(fs, path), label=label)
        raise ExtractError(_missing(fs, path))


def digest(parts: Sequence[Part]) -> str:
    """Return the sha256, in hex, of the stored bytes of all files in order.

    Before the bytes of a file come the columns that its folder names carry, where there are any: they are data too.
    """
    total = hashlib.sha256()
    for part in parts:
        if part.keys:
            total.update(json.dumps(part.keys).encode())
        with _as_extract_errors(part.label), part.fs.open(part.path, "rb") as file:
            while block := file.read(BLOCK):
                total.update(block)
    return total.hexdigest()


def extension(name: str) -> str | None:
    """Return a file's extension, such as ``.csv.gz``; None for an unknown format."""
    if _format(name) is None:
        return None
    suffixes = PurePosixPath(name.lower()).suffixes
    return "".join(suffixes[-2:] if infer_compression(name.lower()) else suffixes[-1:])


def _file_system(extract: str) -> tuple[Any, str]:
    protocol = extract.partition("://")[0]
    if "::" in extract:
        raise ExtractError("The extract must be one path or URL; it is a chain, joined by '::'. Give the file itself.")
    try:
        fs, path = fsspec.core.url_to_fs(extract)
    except ImportError:
        raise ExtractError(
            f"The extract's protocol '{protocol}' needs a package that is not installed; "
            f"install the fsspec file system for it (s3fs for s3, gcsfs for gs, adlfs for abfs)."
        ) from None
    except ValueError:
        raise ExtractError(
            f"The extract's protocol '{protocol}' is unknown; use a path or a URL such as s3://bucket/key."
        ) from None
    except Exception as error:  # whatever a protocol's package raises
        raise ExtractError(
            f"The extract's address, of protocol '{protocol}', cannot be used ({type(error).__name__}). Check it."
        ) from None
    return fs, str(path)


def _single(fs: Any, path: str) -> Part:
    known = _format(_name(fs, path))
    if known is None:
        raise ExtractError(f"{_label(fs, path)}: {NAMES}")
    return Part(fs, path, known)


def _globbed(fs: Any, pattern: str) -> list[Part]:
    parts: list[Part] = []
    for path in sorted(str(match) for match in fs.glob(pattern)):
        if fs.isdir(path):
            parts += [Part(fs, part.path, part.format, _keys(part.path)) for part in _inside(fs, path)]
        elif (known := _format(_name(fs, path))) is not None:
            parts.append(Part(fs, path, known, _keys(path)))
    return parts


def _inside(fs: Any, root: str) -> list[Part]:
    parts = []
    for path in sorted(str(found) for found in fs.find(root)):
        inner = path[len(root.rstrip("/")) :].strip("/")
        known = _format(_name(fs, path))
        if known is not None and not any(name.startswith(("_", ".")) for name in inner.split("/")):
            parts.append(Part(fs, path, known, _keys(inner)))
    return parts


def _keys(path: str) -> tuple[tuple[str, str | None], ...]:
    pairs = (folder.partition("=") for folder in path.split("/")[:-1] if "=" in folder)
    return tuple((unquote(name), None if value == NO_PARTITION else unquote(value)) for name, _, value in pairs)


def _same_format(parts: list[Part], *, label: str) -> list[Part]:
    formats = {part.format for part in parts}
    if not parts:
        raise ExtractError(f"{label}: must lead to at least one .csv, .csv.gz, .tsv or .parquet file; none was found.")
    if len(formats) > 1:
        raise ExtractError(
            f"{label}: all parts must have one format; got {', '.join(sorted(formats))}. Give a glob such as *.parquet."
        )
    return parts


def _name(fs: Any, path: str) -> str:
    """Return a file's name in lower case, without the query of a URL."""
    return PurePosixPath(path if _is_local(fs) else path.partition("?")[0]).name.lower()


def _format(name: str) -> Format | None:
    name = name.lower()
    stem = name.rpartition(".")[0] if infer_compression(name) else name
    found = FORMATS.get(PurePosixPath(stem).suffix)
    return None if found not in TEXT.values() and stem != name else found


def _compression(name: str, known: Format) -> str | None:
    return infer_compression(name) if known in TEXT.values() else None


def _missing(fs: Any, path: str) -> str:
    parent, _, name = path.rpartition("/")
    try:
        names = [str(entry).rstrip("/").rpartition("/")[2] for entry in fs.ls(parent or "/", detail=False)]
    except OSError:
        return f"{_label(fs, path)}: no such file, and its folder does not exist. {WHERE_IT_IS_NAMED}"
    return f"{_label(fs, path)}: no such file.{nearest(name, names)} {WHERE_IT_IS_NAMED}"


def _label(fs: Any, path: str) -> str:
    return path if _is_local(fs) else str(fs.unstrip_protocol(path)).partition("?")[0]


def _is_local(fs: Any) -> bool:
    return isinstance(fs, LocalFileSystem)


@contextmanager
def _as_extract_errors(label: str, *, remote: bool = False) -> Iterator[None]:
    """Turn errors into an `ExtractError` without their text, which may quote cells."""
    try:
        yield
    except tuple(REMEDIES) as error:
        remedy = next(text for kind, text in REMEDIES.items() if isinstance(error, kind))
        raise ExtractError(f"{label}: {remedy}") from None
    except pa.ArrowException as error:
        raise ExtractError(f"{label}: is damaged or cut off ({type(error).__name__}). Copy it again from its source.") from None
    except OSError as error:
        raise ExtractError(f"{label}: could not be read ({reason_of(error)}). Copy it again from its source.") from None
    except Exception as error:
        if not remote or isinstance(error, ExtractError):
            raise
        raise ExtractError(
            f"{label}: could not be reached ({type(error).__name__}). Check the address and your credentials."
        ) from None
