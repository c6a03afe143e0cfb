"""Predict the risk of new patients with the model of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mgvae.classifiers.deployed import DeployedModel
from mgvae.cohort.build import typed_columns
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.formats import plain_name
from mgvae.config.study import CohortConfig
from mgvae.ehr.build import ROW
from mgvae.errors import ConfigError, DataError, StoreError, first_few, nearest
from mgvae.extract.read import typed_rows
from mgvae.prediction.flags import Flag, cell_flags, flag_texts
from mgvae.prediction.model_file import AGAIN, ModelFile, read_from_run, read_model_file, updated_path, versions_of
from mgvae.prediction.reference import reference_rows
from mgvae.reproducibility import derive

DIGITS = 10  # decimals of a risk: the last bits of exp differ between machines


@dataclass(frozen=True)
class Scored:
    """Rows with their risks.

    Attributes:
        table: the columns of `Predictor.predict`, a row for each row.
        group: the extract's group of each row, text or missing, ``(N,)``; None where the study has none, or it was not given.
        features: as `mgvae.cohort.build.Cohort.features`; a level that the dictionary lacks is missing.
        flags: those that any row has.
    """

    table: pd.DataFrame
    group: pd.Series[Any] | None
    features: pd.DataFrame
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class Predictor:
    """A model ready to predict.

    Attributes:
        file: its file.
        run: the folder of its run; None where the file alone was read.
    """

    file: ModelFile
    run: Path | None = None

    @cached_property
    def config(self) -> CohortConfig:
        """The study's settings and data dictionary."""
        return self.file.config

    @cached_property
    def model(self) -> DeployedModel:
        """The fitted model with its recalibration."""
        return self.file.deployed

    @property
    def version(self) -> str:
        """The model's version."""
        return self.file.version

    @property
    def needed(self) -> list[str]:
        """The columns without which nothing can be predicted, in the dictionary's order."""
        own = [name for name in (self.config.subject_id, self.config.index_date) if name is not None]
        return [*own, *self.config.columns.features]

    def with_threshold(self, threshold: float) -> Predictor:
        """Return the model with alerts from another risk on."""
        return replace(self, file=self.file.model_copy(update={"threshold": threshold}))

    def predict(self, frame: pd.DataFrame, *, explain: int = 0, at: datetime | None = None) -> pd.DataFrame:
        """Return the risk of each row of a table; the outcome's column is not needed.

        A row's risk depends on its own cells alone: not on the order of rows or columns, nor on how the table was stored.

        Args:
            frame: columns by the names and codes of the data dictionary, ``(N, ...)``; others are not read.
            explain: how many of the largest contributions to give for each row, see `mgvae.explanation.contributions` and
                `mgvae.prediction.reference`.
            at: the time of the prediction; now where left out.

        Returns:
            A table with the index of ``frame``: ``subject_id``, ``prediction_time`` (the row's index date where the study has
            one, else ``at``, in UTC), ``risk``, ``alert`` (the risk is at least the threshold), ``flags`` (see
            `mgvae.prediction.flags.Flag`), ``model_version``; with ``explain``, ``contributor_1`` (a predictor) and
            ``contribution_1`` (what its value adds to the log odds) and so on.
        Raises:
            DataError: a column is absent.
            CheckpointError: the model is one of the user's own, which cannot be saved.
        """
        names = {plain_name(str(name)): name for name in frame.columns}
        absent = [name for name in self.needed if name not in names]
        if absent:
            raise DataError(
                f"The table must have every column that the model needs; absent: {first_few(absent)}."
                f"{nearest(absent[0], names)} Correct the table."
            )
        wanted = [*self.needed, *([self.config.group] if self.config.group in names else [])]
        cells = {name: _arrow(frame[names[name]]) for name in wanted if name is not None}
        scored = self.score(*typed_rows(self.config, cells), explain=explain, at=at)
        return scored.table.set_axis(frame.index, axis=0)

    def score(
        self,
        frame: pd.DataFrame,
        unreadable: pd.DataFrame,
        *,
        explain: int = 0,
        at: datetime | None = None,
        first: int = 1,
    ) -> Scored:
        """Return rows as read with their risks; see `predict`.

        Args:
            frame, unreadable: see `mgvae.extract.read.Extract`.
            explain: how many contributions to give for each row.
            at: the time of the prediction; now where left out.
            first: number of the first row, which names it where the study has no ``subject_id``.
        """
        config = self.config
        features = self._features(frame)
        risk = np.round(self.model.predict(features), DIGITS) if len(frame) else np.zeros(0)
        region = self.model.region
        flags = cell_flags(config, frame, unreadable, region)
        if region is not None and len(frame):
            flags += [flag for flag in (Flag("far", "", region.far(features)),) if flag.rows.any()]
        numbers = pd.Series(np.arange(first, first + len(frame)).astype(str), index=frame.index, dtype="str")
        table = pd.DataFrame(
            {
                "subject_id": numbers if config.subject_id is None else frame[config.subject_id],
                "prediction_time": self._times(frame, at),
                "risk": risk,
                "alert": risk >= self.file.threshold,
                "flags": pd.Series(flag_texts(flags, len(frame)), index=frame.index, dtype="str"),
                "model_version": pd.Series([self.version] * len(frame), index=frame.index, dtype="str"),
            }
        )
        if explain:
            table = table.assign(**self._contributions(features, explain))
        group = frame.get(config.group) if config.group else None
        return Scored(table, group, features, tuple(flags))

    def _features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return predictors as the model takes them; a level that the dictionary lacks counts as missing."""
        columns = self.config.columns.features
        known = {name: {canonical(level) for level in columns[name].levels} for name in columns}
        cells = {
            name: frame[name].where(frame[name].isin(known[name])) if column.kind in LEVEL_KINDS else frame[name]
            for name, column in columns.items()
        }
        index_date = None if self.config.index_date is None else frame[self.config.index_date]
        return typed_columns(pd.DataFrame(cells, index=frame.index), columns, index_date)

    def _times(self, frame: pd.DataFrame, at: datetime | None) -> pd.Series[Any]:
        now = pd.Timestamp(at or datetime.now(UTC)).tz_convert("UTC").tz_localize(None).floor("s").as_unit("us")
        if self.config.index_date is None:
            return pd.Series(now, index=frame.index, dtype="datetime64[us]")
        days = frame[self.config.index_date].astype("datetime64[us]")
        if ROW in frame:  # of an extract that was built from events, which names rows by their time, to the microsecond
            exact = pd.to_datetime(frame[ROW].astype(str).str.rpartition("@")[2], errors="coerce", format="ISO8601")
            days = exact.astype("datetime64[us]").where(exact.dt.normalize() == days, days)
        return days.fillna(now)

    def _contributions(self, features: pd.DataFrame, most: int) -> dict[str, Any]:
        """Return the largest contributions of each row, the largest first."""
        from mgvae.explanation.contributions import every_contribution

        seed = derive(self.config.seed, "explain")
        values = every_contribution(self.model.scorer, features, self._reference(features), seed=seed)
        values = np.round(values * self.model.recalibration.slope, DIGITS)  # of the recalibrated log odds
        order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :most]
        names = np.array([str(name) for name in features], dtype=object)
        columns: dict[str, Any] = {}
        for place in range(order.shape[1]):
            columns[f"contributor_{place + 1}"] = pd.Series(names[order[:, place]], index=features.index, dtype="str")
            columns[f"contribution_{place + 1}"] = np.take_along_axis(values, order[:, place : place + 1], axis=1)[:, 0]
        return columns

    def _reference(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return the invented patients of the model's file, or the training patients of a run of an earlier version."""
        if self.file.reference is not None:
            return reference_rows(self.file.reference, features)
        return self._background

    @cached_property
    def _background(self) -> pd.DataFrame:
        from mgvae.cohort.files import load_cohort
        from mgvae.store.artifact import Reference
        from mgvae.store.open import open_store

        if self.run is None:
            raise ConfigError(f"--explain must have a model's file with a reference; an earlier version made this one. {AGAIN}")
        try:
            store = open_store(self.run.resolve().parent.parent, None)
            cohort, test = load_cohort(store.folder(Reference("split", self.file.split_sha256)))
        except StoreError as error:
            raise StoreError(
                "--explain must have a model's file with a reference, or the run's patients in the artifact store; an earlier "
                f"version made the file. {error} {AGAIN}"
            ) from None
        return cohort.features[~test].reset_index(drop=True)


def load_model(run: str | Path, *, version: str | None = None) -> Predictor:
    """Return the model of a run, ready to predict: ``load_model(run).predict(frame)``.

    Args:
        run: a run folder, such as ``runs/nafld/latest``, or the file of a model.
        version: an updated version of the model, such as ``+1`` or its full name; the run's own where left out.

    Raises:
        ConfigError: there is no such run, model or version.
        CheckpointError: another version of this program made the file.
        StoreError: the file was changed.
    """
    path = Path(run)
    if path.is_file():
        return Predictor(read_model_file(path))
    if version is None or version == path.resolve().name:
        return Predictor(read_from_run(path), path)
    full = path.resolve().name + version if version.startswith("+") else version
    known = versions_of(path)
    if full not in known:
        there = f"there are {', '.join(known)}" if known else "there is none"
        raise ConfigError(f"{version}: must be an updated version of {path}; {there}. See mgvae evaluate --update.")
    return Predictor(read_model_file(updated_path(path, full)), path)


def _arrow(cells: pd.Series[Any]) -> Any:
    """Return a column as an Arrow array; one of mixed values as text."""
    try:
        found = pa.array(cells, from_pandas=True)
    except pa.ArrowException:  # whose message may quote a cell
        found = pa.array([None if value is None or value is pd.NA or value != value else str(value) for value in cells])
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
