"""Random streams and tensor files of torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from mgvae.reproducibility import derive


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU torch generator for ``names``; draws are equal on any device."""
    return torch.Generator().manual_seed(derive(seed, *names))


def to_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy CPU values to ``device``; to a GPU from pinned memory, without waiting."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


@contextmanager
def own_stream() -> Iterator[None]:
    """Restore torch's global stream, from which layers draw, after the block."""
    with torch.random.fork_rng(devices=[]):
        yield


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write tensors as a safetensors file.

    Raises:
        OSError: the file cannot be written; safetensors' own error tells the system's number in its text only.
    """
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        found = re.search(r"os error (\d+)", str(error))
        if found is None:
            raise
        number = int(found.group(1))
        raise OSError(number, os.strerror(number)) from None
