"""Readers of the paper's images: IDX files, and CelebA with five classes by hair.

    folder/
      list_attr_celeba.txt        number of images, names of attributes, then one line an image: name and 1 or -1 for each
      list_eval_partition.txt     one line an image: name and 0 (train), 1 (validation) or 2 (test)
      img_align_celeba/           000001.jpg ..., 178 x 218 pixels

The lists are read first, so that only the images that an experiment needs are ever opened.

Source: Liu et al. 2015, arXiv:1411.7766.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from PIL import Image
from torch import Tensor

from mgvae.errors import ExtractError
from mgvae.paper.datasets.files import found, opened
from mgvae.paper.datasets.rows import Rows

HAIR = ("Black_Hair", "Blond_Hair", "Bald", "Brown_Hair", "Gray_Hair")  # the classes, in this order
PARTS = ("train", "validation", "test")
SIZE = 64
IMAGES = "img_align_celeba"
UNSIGNED_BYTE = 0x08
MOST = 2**31  # values: a header that claims more is taken for damaged, before memory is asked for
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Faces:
    """Images that show exactly one of the five classes, by name only.

    Attributes:
        files: names in ``img_align_celeba``.
        labels: class of each, ``(n,)``, positions in `HAIR`.
        parts: 0, 1 or 2 for each, ``(n,)``, positions in `PARTS`.
    """

    files: tuple[str, ...]
    labels: Tensor
    parts: Tensor


def read_lists(folder: Path) -> Faces:
    """Return the images that have exactly one of the hair classes.

    Raises:
        ExtractError: a list is missing or malformed, or the two lists do not name the same images.
    """
    attributes, parts = _attributes(found(folder, "list_attr_celeba.txt")), _parts(found(folder, "list_eval_partition.txt"))
    if attributes.keys() != parts.keys():
        odd = len(attributes.keys() ^ parts.keys())
        raise ExtractError(
            f"{folder}: both lists must name the same images; {odd} stand in one only. Take both from one source."
        )
    clear = [(name, has.index(True), parts[name]) for name, has in attributes.items() if sum(has) == 1]
    files, labels, where = zip(*clear, strict=True) if clear else ((), (), ())
    return Faces(files, torch.tensor(labels, dtype=torch.long), torch.tensor(where, dtype=torch.long))


def read_faces(folder: Path, files: Sequence[str]) -> Tensor:
    """Return the resized middle squares as bytes, ``(n, 3 * SIZE * SIZE)``.

    Raises:
        ExtractError: an image is missing or damaged.
    """
    out = torch.empty(len(files), 3 * SIZE * SIZE, dtype=torch.uint8)
    for at, name in enumerate(files):
        out[at] = _face(folder / IMAGES / name)
    return out


def _face(path: Path) -> Tensor:
    try:
        with Image.open(path) as image:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            box = (left, top, left + side, top + side)
            small = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
    except FileNotFoundError:
        raise ExtractError(
            f"{path}: the lists name it, but there is no such image. Unpack img_align_celeba.zip again."
        ) from None
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a damaged file depends on where the damage is
        raise ExtractError(f"{path}: cannot be read as an image. Unpack img_align_celeba.zip again.") from None
    pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
    return pixels.reshape(SIZE, SIZE, 3).permute(2, 0, 1).flatten()


def _attributes(path: Path) -> dict[str, list[bool]]:
    """Return which of `HAIR` each image has."""
    lines = _lines(path)
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise ExtractError(f"{path}: must begin with the number of images and the names of the attributes. Fetch it again.")
    names, rows = lines[1].split(), [line.split() for line in lines[2:]]
    if absent := [name for name in HAIR if name not in names]:
        raise ExtractError(f"{path}: must have the attributes {', '.join(HAIR)}; got none called {', '.join(absent)}.")
    if len(rows) != int(lines[0]):
        raise ExtractError(f"{path}: must list {int(lines[0]):,} images by its first line; got {len(rows):,}. Fetch it again.")
    if wrong := sum(len(row) != len(names) + 1 or not {"1", "-1"} >= set(row[1:]) for row in rows):
        raise ExtractError(f"{path}: a line must hold a name and {len(names)} times 1 or -1; {wrong} do not. Fetch it again.")
    at = [names.index(name) + 1 for name in HAIR]
    return _distinct(path, [(row[0], [row[one] == "1" for one in at]) for row in rows])


def _parts(path: Path) -> dict[str, int]:
    rows = [line.split() for line in _lines(path)]
    if wrong := sum(len(row) != 2 or row[1] not in ("0", "1", "2") for row in rows):
        raise ExtractError(f"{path}: a line must hold a name and 0, 1 or 2; {wrong} do not. Fetch it again.")
    return _distinct(path, [(row[0], int(row[1])) for row in rows])


def _distinct(path: Path, pairs: list[tuple[str, Entry]]) -> dict[str, Entry]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ExtractError(f"{path}: must name each image once; {len(pairs) - len(out)} come again. Fetch it again.")
    if any("/" in name or "\\" in name for name in out):
        raise ExtractError(f"{path}: images are named without folders. Fetch it again.")
    return out


def _lines(path: Path) -> list[str]:
    with opened(path) as file:
        try:
            return [line for line in file.read().decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError:
            raise ExtractError(f"{path}: must be text. Fetch it again.") from None


def read_idx(path: Path) -> Tensor:
    """Return the values of an IDX file, plain or gzipped, as uint8 in its own shape.

    Raises:
        ExtractError: the magic number, the type or the number of values is not what the format asks for.
    """
    with opened(path) as file:
        sizes = _sizes(path, file)
        count = math.prod(sizes)
        values = bytearray(file.read(count))
        if (got := len(values)) < count:
            raise ExtractError(f"{path}: must hold {count:,} values by its header; got {got:,}: cut off. Fetch the file again.")
        if file.read(1):
            raise ExtractError(f"{path}: must end after the {count:,} values of its header; got more. Fetch the file again.")
    return torch.frombuffer(values, dtype=torch.uint8).reshape(sizes) if count else torch.empty(sizes, dtype=torch.uint8)


def _sizes(path: Path, file: BinaryIO) -> tuple[int, ...]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= 4:
        raise ExtractError(f"{path}: must begin as an IDX file of 1 to 4 dimensions does; it does not. Check what the file is.")
    if magic[2] != UNSIGNED_BYTE:
        raise ExtractError(f"{path}: must hold unsigned bytes (type 0x08); got type 0x{magic[2]:02x}. Check what the file is.")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise ExtractError(f"{path}: cut off inside its header. Fetch the file again.")
    sizes: tuple[int, ...] = struct.unpack(f">{magic[3]}I", header)
    if math.prod(sizes) > MOST:
        raise ExtractError(f"{path}: its header claims {math.prod(sizes):,} values: damaged. Fetch the file again.")
    return sizes


def read_pair(folder: Path, part: str) -> tuple[Rows, tuple[int, int]]:
    """Return images ``(n, height * width)`` as bytes, labels, and (height, width).

    Args:
        folder: where the four files lie under their published names, gzipped or not.
        part: train or t10k.
    Raises:
        ExtractError: a file is missing or malformed, or images and labels disagree on their number.
    """
    images_at = found(folder, f"{part}-images-idx3-ubyte", f"{part}-images.idx3-ubyte")
    labels_at = found(folder, f"{part}-labels-idx1-ubyte", f"{part}-labels.idx1-ubyte")
    images, labels = read_idx(images_at), read_idx(labels_at)
    if images.ndim != 3 or labels.ndim != 1:
        raise ExtractError(
            f"{folder}: images must have 3 dimensions and labels 1; got {images.ndim} and {labels.ndim}. Check their names."
        )
    if len(images) != len(labels):
        raise ExtractError(
            f"{folder}: {part} images and labels must agree in number; got {len(images):,} and {len(labels):,}. "
            "Take both from the same source."
        )
    return Rows(images.flatten(1), labels.long()), (images.shape[1], images.shape[2])
