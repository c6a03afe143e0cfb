"""IDX files, the format of MNIST and Fashion-MNIST.

Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/: two zero bytes, a type, the number of dimensions, their
sizes as big-endian 32-bit numbers, then the values with the last dimension running fastest.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from mgvae.errors import ExtractError
from mgvae.paper.files import found, opened
from mgvae.paper.rows import Rows

UNSIGNED_BYTE = 0x08
MOST = 2**31  # values: a header that claims more is taken for damaged, before memory is asked for


def read_idx(path: Path) -> Tensor:
    """Return the values of an IDX file of unsigned bytes, plain or gzipped, as uint8 in the file's own shape.

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
    """Return images with their labels, pixels as bytes ``(n, height * width)``, and (height, width).

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
