"""The encoded rows that stage encode writes and later stages read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgvae.arrays import Array, BoolArray, IntArray
from mgvae.config.study import CohortConfig
from mgvae.evaluation.majority import draw_majority
from mgvae.reproducibility import derive

if TYPE_CHECKING:
    import torch

    from mgvae.model.encoding import Encoding
    from mgvae.training.inputs import GeneratorInputs

ROWS, GROUP, MAJORITY = "rows.npy", "group.npy", "majority.npy"


@dataclass(frozen=True)
class EncodedRows:
    """The encoded rows that the generator learns from: those without the event, then the cases, each in their old order.

    Attributes:
        rows: float32 ``(n, W)``, a mapped file: in memory are the pages that were read, which the system takes back.
        group: code of each row's group, ``(n,)``.
        places: see `majority_places`, ``(K,)``.
    """

    rows: torch.Tensor
    group: IntArray
    places: IntArray

    @property
    def event(self) -> BoolArray:
        """Outcome of each row, ``(n,)``."""
        return np.arange(len(self.group)) >= len(self.places)

    @property
    def majority(self) -> torch.Tensor:
        """The rows without the event, ``(K, W)``."""
        return self.rows[: len(self.places)]

    @property
    def majority_group(self) -> IntArray:
        """Of each row without the event, ``(K,)``."""
        return self.group[: len(self.places)]

    def inputs(self, encoding: Encoding, device: torch.device) -> GeneratorInputs:
        """Return the rows on the training device, divided by event; the cases, which are few, in memory."""
        from mgvae.training.inputs import GeneratorInputs

        first = len(self.places)
        cases = self.rows[first:].clone().to(device)
        return GeneratorInputs(encoding, self.majority.to(device), cases, self.majority_group, self.group[first:])


def generator_rows(event: IntArray, group: IntArray, config: CohortConfig) -> IntArray:
    """Return the positions of the training patients that the generator learns from.

    Args:
        event: outcome of all training patients in {0, 1}, ``(N,)``.
        group: of each, ``(N,)``.
        config: ``evaluation.majority_rows`` says how many without the event.
    """
    seed = derive(config.seed, "generator rows")
    return draw_majority(event, group, config.evaluation.majority_rows, seed=seed).rows


def majority_places(event: IntArray, drawn: IntArray) -> IntArray:
    """Return the places of drawn patients without the event among all without it, ``(K,)``."""
    return np.asarray(np.cumsum(event == 0)[drawn[event[drawn] == 0]] - 1, dtype=np.int64)


def write_encoded(folder: Path, blocks: Iterable[Array], width: int, group: IntArray, places: IntArray) -> None:
    """Write the three files that `encoded_rows` reads, block by block.

    Not through a mapping: where the disk is full, a write to one would kill the process.
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": (len(group), width)}
    with (folder / ROWS).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(np.ascontiguousarray(block).data)
    np.save(folder / GROUP, group)
    np.save(folder / MAJORITY, places)


def encoded_rows(folder: Path) -> EncodedRows:
    """Map the rows of stage encode; copy-on-write, for torch takes no array that nobody may write to."""
    import torch

    rows = torch.from_numpy(np.load(folder / ROWS, mmap_mode="c", allow_pickle=False))
    return EncodedRows(rows, *(np.load(folder / name, allow_pickle=False) for name in (GROUP, MAJORITY)))
