"""Files of the predictions behind an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mgvae.errors import CheckpointError
from mgvae.evaluation.predictions import Predictions

TRAINING, HOLDOUT = "training_predictions.parquet", "holdout_predictions.parquet"
OWN = ("repeat", "event", "group", "fold", "prevalence", "weight")


def save_predictions(folder: Path, inner: Predictions, holdout: Predictions | None) -> None:
    """Write ``training_predictions.parquet`` and, where there is one, that of the hold-out.

    A row for each repeat and patient, in the order of the cohort's part; a column for each arm, classifier and variant.
    """
    for name, predictions in ((TRAINING, inner), (HOLDOUT, holdout)):
        if predictions is not None:
            pq.write_table(_table(predictions), folder / name)


def load_predictions(folder: Path) -> tuple[Predictions, Predictions | None]:
    """Return the predictions of the training part, and of the hold-out if any.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        holdout = _read(folder / HOLDOUT) if (folder / HOLDOUT).exists() else None
        return _read(folder / TRAINING), holdout
    except (OSError, ValueError, LookupError) as error:
        raise CheckpointError(
            f"Predictions must be readable and complete; {type(error).__name__}. Run the study again."
        ) from None


def _table(predictions: Predictions) -> pa.Table:
    repeats, n = predictions.fold.shape
    columns = {
        "repeat": np.repeat(np.arange(repeats), n),
        "event": np.tile(predictions.event, repeats),
        "group": np.tile(predictions.group, repeats),
        "fold": predictions.fold.ravel(),
        "prevalence": predictions.prevalence.ravel(),
        **({} if predictions.weight is None else {"weight": np.tile(predictions.weight, repeats)}),
        **{"/".join(key): values.ravel() for key, values in predictions.probability.items()},
    }
    about = {"unavailable": json.dumps(predictions.unavailable), "remarks": json.dumps(predictions.remarks)}
    return pa.table(columns).replace_schema_metadata(about)


def _read(path: Path) -> Predictions:
    table = pq.read_table(path)
    about = table.schema.metadata
    columns = {name: table[name].to_numpy() for name in table.column_names}
    repeats = int(columns["repeat"].max()) + 1
    first = columns["repeat"] == 0
    return Predictions(
        event=columns["event"][first],
        group=columns["group"][first],
        fold=columns["fold"].reshape(repeats, -1),
        prevalence=columns["prevalence"].reshape(repeats, -1),
        probability={
            tuple(name.split("/")): values.reshape(repeats, -1) for name, values in columns.items() if name not in OWN
        },
        unavailable=json.loads(about[b"unavailable"]),
        remarks=tuple(json.loads(about[b"remarks"])),
        weight=columns["weight"][first] if "weight" in columns else None,
    )
