"""How an extract differs from that of the last accepted run."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.gates import Gate, Verdict
from mgvae.results.numbers import Count, Number, Share


class DriftReference(Strict):
    """The accepted run that this extract is compared with."""

    run_id: str
    extract_sha256: str
    created_at: str


class DriftFeature(Strict):
    """How far one column has moved: the outcome, a predictor or a subgroup.

    Attributes:
        psi, psi_low, psi_high: population stability index less what chance makes of it; all limits of a report hold at once.
        noise: what chance makes of it: the index expected of two samples of one population.
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
    """Columns of the files that came, went or are stored as another kind."""

    came: tuple[str, ...]
    went: tuple[str, ...]
    changed: tuple[ChangedColumn, ...]


class DriftRows(Strict):
    """Rows of both extracts."""

    before: Count
    after: Count


class DriftResult(Strict):
    """How an extract differs from an earlier one."""

    rows: DriftRows
    gates: tuple[Gate, ...]
    features: tuple[DriftFeature, ...]
    columns: DriftColumns


class DriftRecord(DriftResult):
    """What stage drift writes; ``extract_sha256`` is that of the earlier extract."""

    extract_sha256: str


class DriftFacts(DriftResult):
    """How the extract differs from that of the last accepted run."""

    reference: DriftReference


def moved(drift: DriftFacts) -> list[DriftFeature]:
    """Return the columns that moved too far, the worst first."""
    rank = {"fail": 0, "warn": 1}
    some = [feature for feature in drift.features if feature.verdict in rank]
    return sorted(some, key=lambda feature: (rank[feature.verdict], -(feature.psi or 0.0)))
