"""Runs side by side: what changed in data, settings and code, and how the recommended models differ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mgvae.report.formatting import METRICS, UNKNOWN, change, count, event_share, measured, share
from mgvae.report.overview import advice, performance
from mgvae.report.schema import Report
from mgvae.results.labels import model_name
from mgvae.results.numbers import Estimate

LIMITS = (
    "Differences are those of the recommended models from the first run, with 95 % limits that treat the runs as independent "
    "(Zou and Donner 2008, doi 10.1002/sim.3095). On the same patients models differ less by chance than that: such limits are "
    "too wide there, and no limits at all allow for choosing among several runs."
)


@dataclass(frozen=True)
class Table:
    """A table; its first column names the row.

    Attributes:
        caption: what it shows.
        head: names of the columns.
        rows: texts, as many in each row as there are columns.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class SideBySide:
    """Runs side by side.

    Attributes:
        remarks: what a reader must know first.
        tables: runs, changes in data, in settings, in code; measures, with differences where the question is the same.
        reports: where the report of each run is, from the page's folder; none if empty.
    """

    remarks: tuple[str, ...]
    tables: tuple[Table, ...]
    reports: tuple[str, ...] = ()


def side_by_side(reports: Sequence[Report], settings: Sequence[Mapping[str, object]]) -> SideBySide:
    """Return runs side by side, the first as the reference.

    Args:
        reports: of two runs or more.
        settings: of each run, as its manifest holds them.
    """
    head = ("", *(f"{report.study} {report.run_id}" for report in reports))
    verdicts = [
        ("Made", *(report.created_at for report in reports)),
        ("Outcome", *(report.cohort.outcome for report in reports)),
        ("Patients, events", *(_size(report) for report in reports)),
        ("Verdict", *(report.verdict.sentence for report in reports)),
        ("Recommended", *(_model(report) for report in reports)),
        ("Advice", *(advice(report) or UNKNOWN for report in reports)),
        ("Findings", *(", ".join(one.code for one in report.findings if one.muted is None) or "none" for report in reports)),
    ]
    parts = {
        "Changes in the data": [_data(report) for report in reports],
        "Changes in the settings": [_flat(one) for one in settings],
        "Changes in code, libraries and machine": [_code(report) for report in reports],
    }
    changes = [Table(name, head, _changed(columns)) for name, columns in parts.items()]
    return SideBySide(
        remarks=tuple(_remarks(reports)),
        tables=(Table("Runs", head, tuple(verdicts)), _measures(reports, head), *changes),
    )


def difference(first: Estimate, other: Estimate) -> Estimate:
    """Return ``other`` less ``first`` with limits for independent estimates (MOVER, doi 10.1002/sim.3095).

    Limits that are not symmetric stay so; without limits of both the difference has none.
    """
    if first.value is None or other.value is None:
        return Estimate(value=None, low=None, high=None)
    value = other.value - first.value
    if first.low is None or first.high is None or other.low is None or other.high is None:
        return Estimate(value=value, low=None, high=None)
    below = math.hypot(other.value - other.low, first.high - first.value)
    above = math.hypot(other.high - other.value, first.value - first.low)
    return Estimate(value=value, low=value - below, high=value + above)


def _size(report: Report) -> str:
    cohort = report.cohort
    return f"{count(cohort.n)}, {count(cohort.events)} ({event_share(cohort, 1)})"


def same_question(reports: Sequence[Report]) -> bool:
    """Return whether all runs predict the same outcome in the same time."""
    return len({(report.cohort.outcome, report.cohort.horizon_days) for report in reports}) == 1


def _model(report: Report) -> str:
    chosen = report.recommendation
    return model_name(chosen.arm, chosen.classifier) if chosen else "none"


def _measures(reports: Sequence[Report], head: tuple[str, ...]) -> Table:
    """Return measures by part and run; of the same question, from the second on with the difference from the first."""
    by_run = [{part.source.partition(",")[0]: part.scores for part in performance(report)} for report in reports]
    first, comparable = by_run[0], same_question(reports)
    rows = []
    for part in dict.fromkeys(name for scores in by_run for name in scores):
        for metric in (name for name in METRICS if any(name in scores.get(part, {}) for scores in by_run)):
            found = [scores.get(part, {}).get(metric) for scores in by_run]
            reference = first.get(part, {}).get(metric)
            cells = [measured(metric, found[0])]
            for one in found[1:]:
                gap = f"; {change(metric, difference(reference, one))}" if reference and one and comparable else ""
                cells.append(f"{measured(metric, one)}{gap}")
            rows.append((f"{METRICS[metric].label}, {part.lower()}", *cells))
    differences = ", and differences from the first run" if comparable else ""
    return Table(f"Measures of the recommended models{differences}", head, tuple(rows))


def _remarks(reports: Sequence[Report]) -> list[str]:
    different = "The runs predict different outcomes or horizons: their measures do not answer the same question."
    remarks = [LIMITS if same_question(reports) else different]
    if len({report.lineage.extract_sha256 for report in reports}) == 1:
        remarks.append("All runs read the same extract.")
    return remarks


def _data(report: Report) -> dict[str, str]:
    cohort = report.cohort
    counts = {
        "patients": cohort.n,
        "events": cohort.events,
        "patients to train": cohort.n_train,
        "events to train": cohort.events_train,
        "patients held out": cohort.n_test,
        "events held out": cohort.events_test,
        "groups": cohort.groups,
    }
    return {
        "extract (sha256)": (report.lineage.extract_sha256 or UNKNOWN)[:16],
        "rows read": count(report.validation.rows),
        **{name: count(value) for name, value in counts.items()},
        "prevalence": event_share(cohort),
        "expectations broken": ", ".join(f"{rule.column}: {rule.rule}" for rule in report.validation.failed) or "none",
        **{f"missing: {column.name}": share(column.missing) for column in cohort.columns},
    }


def _code(report: Report) -> dict[str, str]:
    lineage = report.lineage
    return {"code": lineage.code_version, "seed": str(lineage.seed), "machine": lineage.machine, **lineage.versions}


def _flat(settings: object, key: str = "") -> dict[str, str]:
    """Return settings by dotted key; the seed stands with the code."""
    if not isinstance(settings, Mapping):
        return {key: str(settings)}
    found: dict[str, str] = {}
    for name, value in settings.items():
        if key or name != "seed":
            found |= _flat(value, f"{key}.{name}" if key else str(name))
    return found


def _changed(columns: Sequence[Mapping[str, str]]) -> tuple[tuple[str, ...], ...]:
    """Return the rows in which the runs differ."""
    names = dict.fromkeys(name for column in columns for name in column)
    rows = ((name, *(column.get(name, "absent") for column in columns)) for name in names)
    return tuple(row for row in rows if len(set(row[1:])) > 1)
