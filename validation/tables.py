"""The tables that the gates compare: synthetic cases and real patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.cohort.embedding import Floats, fit_embedding
from mgvae.errors import ShapeError


@dataclass(frozen=True)
class Tables:
    """Frames typed as ``Cohort.features``, and the same rows embedded.

    Attributes:
        synthetic: synthetic cases.
        parents: position in ``majority`` of the patient each synthetic case was translated from, ``(len(synthetic),)``.
        majority, cases: the training part.
        majority_holdout, cases_holdout: the part held out from the generator.
        near: each frame embedded, by the same name.
        owners: the column that each coordinate of the embedding belongs to.
    """

    synthetic: pd.DataFrame
    parents: Floats
    majority: pd.DataFrame
    cases: pd.DataFrame
    majority_holdout: pd.DataFrame
    cases_holdout: pd.DataFrame
    near: dict[str, Floats]
    owners: Floats

    def all_near(self, *names: str) -> Floats:
        """Return the embedded rows of some tables, one below the other."""
        return np.concatenate([self.near[name] for name in names])


def tables_of(frames: dict[str, pd.DataFrame], parents: Floats) -> Tables:
    """Return the tables, embedded by the training part.

    Raises:
        ShapeError: there is no synthetic row or no training case, or tables or parents disagree.
    """
    _check(frames, parents)
    training = pd.concat([frames["majority"], frames["cases"]], ignore_index=True)
    embedding = fit_embedding(training)
    near = {name: embedding.transform(frame) for name, frame in frames.items()}
    return Tables(**frames, parents=np.asarray(parents), near=near, owners=embedding.owners(training))


def _check(frames: dict[str, pd.DataFrame], parents: Floats) -> None:
    if len(frames["synthetic"]) == 0 or len(frames["cases"]) == 0:
        counts = f"{len(frames['synthetic'])} and {len(frames['cases'])}"
        raise ShapeError(f"The gates need at least one synthetic row and one training case; got {counts}.")
    columns, levels = list(frames["cases"].columns), _level_types(frames["cases"])
    for name, frame in frames.items():
        if list(frame.columns) != columns or _level_types(frame) != levels:
            raise ShapeError(
                f"Every table must have the training cases' {len(columns)} columns and levels, in order; {name} has not."
            )
    positions = np.asarray(parents)
    if positions.shape != (len(frames["synthetic"]),):
        raise ShapeError(
            f"parents must name one majority row for each of {len(frames['synthetic'])} rows; got {positions.shape}."
        )
    if positions.min() < 0 or positions.max() >= len(frames["majority"]):
        raise ShapeError(f"parents must be positions in the {len(frames['majority'])} majority training rows.")


def _level_types(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): dtype for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
