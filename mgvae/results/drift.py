"""The difference between an extract and that of the last accepted run."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.gates import RANK, Gate, Verdict
from mgvae.results.numbers import Count, Number, Share


class DriftReference(Strict):
    """The accepted run that this extract is compared with."""

    run_id: str
    extract_sha256: str
    created_at: str


class DriftFeature(Strict):
    """The drift of a column: the outcome, a predictor or a subgroup.

    Attributes:
        psi, psi_low, psi_high: population stability index less its value by chance; all limits of a report hold at once.
        noise: its value by chance: the index expected of two samples of one population.
        ks: Kolmogorov-Smirnov distance; None unless numeric.
        missing_before, missing_after: shares of missing cells.
        verdict: the worst of the three.
    """

    name: str
    label: str
    kind: str
    psi: Number | None
    psi_low: Number | None
    psi_high: Number | None
    noise: Number | None
    ks: Share | None
    missing_before: Share
    missing_after: Share
    verdict: Verdict


class ChangedColumn(Strict):
    """A column that is stored, or read, as another kind."""

    name: str
    before: str
    after: str


class DriftColumns(Strict):
    """Columns of the files that were added, removed or are stored as another kind."""

    came: tuple[str, ...]
    went: tuple[str, ...]
    changed: tuple[ChangedColumn, ...]


class DriftRows(Strict):
    """Rows of both extracts."""

    before: Count
    after: Count


class ColumnProfile(Strict):
    """A column of an extract in numbers; levels count as 0, 1, ... in the dictionary's order.

    Attributes:
        n, mean, sd: cells that are not missing.
        missing: share of missing cells.
        new, new_mean: cells of patients whom the extract before did not have, or of all if it shares none with it.
    """

    n: Count
    mean: Number | None
    sd: Number | None
    missing: Share
    new: Count
    new_mean: Number | None


class ExtractProfile(Strict):
    """The columns of an accepted extract, for what drifts slowly."""

    extract_sha256: str
    rows: Count
    columns: dict[str, ColumnProfile]


class DriftResult(Strict):
    """How an extract differs from an earlier one.

    Attributes:
        before, profile: the columns of both extracts in numbers; None where an earlier version wrote it.
    """

    rows: DriftRows
    gates: tuple[Gate, ...]
    features: tuple[DriftFeature, ...]
    columns: DriftColumns
    before: ExtractProfile | None = None
    profile: ExtractProfile | None = None


class DriftRecord(DriftResult):
    """What stage drift writes; ``extract_sha256`` is that of the earlier extract."""

    extract_sha256: str


class DriftSummary(DriftResult):
    """How the extract differs from that of the last accepted run."""

    reference: DriftReference


def drifted_columns(drift: DriftSummary) -> list[DriftFeature]:
    """Return the columns that drifted too far, the worst first."""
    drifted = [feature for feature in drift.features if feature.verdict != "pass"]
    return sorted(drifted, key=lambda feature: (-RANK[feature.verdict], -(feature.psi or 0.0)))
