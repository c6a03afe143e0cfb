"""Oversamplers without a generator: random oversampling and SMOTE, as imbalanced-learn has them."""

from __future__ import annotations

import numpy as np
import torch
from imblearn.over_sampling import SMOTE

from mgvae.paper.made import Made, Task, gathered
from mgvae.paper.rows import Rows
from mgvae.seeds import derive, torch_generator

NEIGHBOURS = 5  # of SMOTE; fewer where a class has not that many


def random_oversampling(task: Task) -> Made:
    """Return copies of the rare rows, drawn with replacement."""
    at = []
    for label, count in task.lacking.items():
        own = task.train.positions(label)
        draws = torch_generator(task.seed, "random oversampling", label)
        at.append(own[torch.randint(len(own), (count,), generator=draws)])
    parents = torch.cat(at)
    return Made(task.train.take(parents), parents)


def smote(task: Task) -> Made:
    """Return points on the lines between a rare row and one of its nearest of the same class.

    A class of one row has no neighbour, and is given copies.

    Source: Chawla et al. 2002, doi:10.1613/jair.953.
    """
    return gathered(lambda label, count: torch.from_numpy(_between(task.train, label, count, task.seed)), task)


def _between(rows: Rows, label: int, count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    own = rows.take(rows.positions(label)).scaled().numpy()
    if len(own) < 2:
        return np.repeat(own, count, axis=0)
    near = min(NEIGHBOURS, len(own) - 1)
    others = np.zeros((1, own.shape[1]), np.float32)  # a second class, which imbalanced-learn asks for; nothing is made of it
    sampler = SMOTE(
        sampling_strategy={1: len(own) + count}, k_neighbors=near, random_state=derive(seed, "smote", label) % 2**31
    )
    grown, _ = sampler.fit_resample(np.vstack([own, others]), np.repeat([1, 0], [len(own), 1]))
    made: np.ndarray[tuple[int, int], np.dtype[np.float32]] = np.asarray(grown, np.float32)[len(own) + 1 :]
    return made
