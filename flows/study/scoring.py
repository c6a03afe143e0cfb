"""Score the patients of an extract, some rows at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from mgvae.arrays import IntArray
from mgvae.config.study import CohortConfig
from mgvae.errors import StoreError, reason_of
from mgvae.extract.read import open_extract
from mgvae.files import scratch_folder
from mgvae.prediction.bins import ColumnBins
from mgvae.prediction.output import kept_rows, meds_rows, outputs, risk_rows
from mgvae.prediction.predictor import Predictor, Scored
from mgvae.results.cohort import ValidationResult
from mgvae.results.scoring import SCORED, BinCounts, ScoringCounts, ScoringRecord
from mgvae.store.artifact import digest_file
from validation.patients import PatientChecks


@dataclass(frozen=True)
class Scoring:
    """What came of a scoring.

    Attributes:
        record: counts; None where the patients were refused, and nothing was written.
        refused: what makes them unusable.
        broken: rules that any row breaks, as `mgvae validate` says it; such rows are flagged.
        remarks: what a person must know of the files.
        kept: the table of kept predictions; None where they were not kept.
    """

    record: ScoringRecord | None
    refused: ValidationResult
    broken: ValidationResult
    remarks: tuple[str, ...] = ()
    kept: Path | None = None


@dataclass
class _Counted:
    """Counts over batches; ``histograms`` are those of the model's training patients."""

    histograms: Mapping[str, ColumnBins]
    rows: int = 0
    alerts: int = 0
    flagged: int = 0
    risk: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    bins: dict[str, IntArray] = field(default_factory=dict)

    def add(self, scored: Scored) -> None:
        self.rows += len(scored.table)
        self.alerts += int(scored.table["alert"].sum())
        self.flagged += int((scored.table["flags"] != "").sum())
        self.risk += float(scored.table["risk"].sum())
        for kind in {flag.kind for flag in scored.flags}:
            self.kinds[kind] += int(np.any([flag.rows for flag in scored.flags if flag.kind == kind], axis=0).sum())
        for flag in scored.flags:
            if flag.about and flag.kind != "rule":
                self.columns[flag.about] += int(flag.rows.sum())
        for name, histogram in self.histograms.items():
            self.bins[name] = self.bins.get(name, 0) + histogram.count(scored.features[name])
        self.missing.update({str(name): int(count) for name, count in scored.features.isna().sum().items()})

    def counts(self) -> ScoringCounts:
        return ScoringCounts(
            rows=self.rows,
            alerts=self.alerts,
            flagged=self.flagged,
            flags=dict(sorted(self.kinds.items())),
            columns=dict(sorted(self.columns.items())),
            missing={name: count / self.rows for name, count in self.missing.items()} if self.rows else {},
            bins={
                name: BinCounts(training=tuple(one.counts), scored=tuple(self.bins[name].tolist()))
                for name, one in self.histograms.items()
                if name in self.bins
            },
            mean_risk=self.risk / self.rows if self.rows else None,
        )


def score_extract(
    predictor: Predictor,
    extract: str,
    out: Path | None,
    *,
    explain: int = 0,
    meds: bool = False,
    at: datetime | None = None,
    strict: bool = False,
    keep: Path | None = None,
) -> Scoring:
    """Write the risks of an extract's patients; all of them, or nothing.

    Memory does not grow with the patients, but for 8 bytes each, by which a patient named twice is noticed.

    Args:
        predictor: the model.
        extract: path, glob or URL; the outcome need not be there and is not read.
        out: the file to write, .csv or .parquet; None for none.
        explain: how many of the largest contributions to give for each patient.
        meds: write the schema of MEDS.
        at: the time of the prediction; now where left out.
        strict: refuse patients of whom any breaks the dictionary, instead of flagging them.
        keep: folder of the study's runs, below which the predictions are kept until the outcome is known; None: not kept.
    Raises:
        ExtractError: the extract cannot be read, or lacks the subject.
        CheckpointError: the model cannot predict.
        StoreError: a file cannot be written.
    """
    now = (at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    config: CohortConfig = predictor.config.model_copy(update={"extract": extract})
    opened = open_extract(config, labelled=False)
    checks, counted = PatientChecks(config, frozenset(opened.found)), _Counted(predictor.file.bins or {})
    if checks.absent:
        return Scoring(None, checks.result(), checks.result(), opened.remarks)
    stem = f"{now:%Y%m%dT%H%M%SZ}-{predictor.version}-{opened.sha256[:8]}"
    kept = _folder(keep) / f"{stem}.parquet" if keep is not None else None
    rows_of: list[Callable[[Scored], pa.Table]] = [meds_rows if meds else risk_rows] if out is not None else []
    targets = [out] if out is not None else []
    if kept is not None:
        targets, rows_of = [*targets, kept], [*rows_of, kept_rows]
    try:
        with outputs(*targets) as files:
            for frame, unreadable in opened.batches():
                checks.add(frame, unreadable)
                scored = predictor.score(frame, unreadable, explain=explain, at=now, first=counted.rows + 1)
                counted.add(scored)
                for file, made in zip(files, rows_of, strict=True):
                    file.add(made(scored))
            refused = checks.refused(strict=strict)
            if not refused.passed:
                raise _RefusedError
    except _RefusedError:
        return Scoring(None, refused, checks.result(), opened.remarks)
    record = ScoringRecord(
        study=predictor.file.study,
        run_id=predictor.file.run_id,
        model_version=predictor.version,
        scored_at=now.isoformat(),
        extract_sha256=opened.sha256,
        threshold=predictor.file.threshold,
        horizon_days=config.horizon_days,
        predictions_sha256=None if kept is None else digest_file(kept),
        counts=counted.counts(),
    )
    if kept is not None:
        _write_record(kept.with_suffix(".json"), record)
    return Scoring(record, refused, checks.result(), opened.remarks, kept)


class _RefusedError(Exception):
    """Leaves the files unwritten."""


def _folder(study: Path) -> Path:
    folder = study / SCORED
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: must be writable with space left; {reason_of(error)}.") from None
    return folder


def _write_record(path: Path, record: ScoringRecord) -> None:
    with scratch_folder(path.parent) as place:
        (place / path.name).write_text(record.model_dump_json(indent=1), encoding="utf-8")
        (place / path.name).chmod(0o600)
        (place / path.name).replace(path)


def kept_predictions(study: Path) -> list[tuple[ScoringRecord, pd.DataFrame]]:
    """Return all complete scorings of a study with their predictions, the oldest first.

    Args:
        study: folder of its runs.
    Raises:
        StoreError: a table is not what its record says.
    """
    found = []
    for path in sorted((study / SCORED).glob("*.json")):
        record, table = ScoringRecord.model_validate_json(path.read_bytes()), path.with_suffix(".parquet")
        if not table.exists() or digest_file(table) != record.predictions_sha256:
            raise StoreError(f"{table}: must be the predictions that {path.name} names; they were changed or removed.")
        found.append((record, pd.read_parquet(table)))
    return found
