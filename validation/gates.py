"""The gates that synthetic cases pass before anyone may train on them. Thresholds are data: ``config.gates``.

A gate fails on evidence: its value lies beyond the limit that fails, and its 95 % interval lies wholly beyond the limit that
passes. A value beyond the passing limit without that evidence is a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mgvae.config.study import CohortConfig
from mgvae.errors import ShapeError
from mgvae.results.cohort import ValidationResult
from mgvae.results.gates import Gate, Verdict
from validation.embedding import Floats, fit_embedding
from validation.intervals import Interval, share
from validation.privacy import closer_to_training, exact_copies, parent_closeness
from validation.separation import Separation, separation
from validation.twosample import two_sample_auc


@dataclass(frozen=True)
class Tables:
    """What the gates compare: frames with the columns and dtypes of ``Cohort.features``, and the same rows embedded.

    Attributes:
        synthetic: synthetic cases.
        parents: position in ``majority`` of the patient each synthetic case was translated from, ``(len(synthetic),)``.
        majority, cases: the training part.
        majority_holdout, cases_holdout: the part held out from the generator.
        near: each frame embedded, by the same name.
    """

    synthetic: pd.DataFrame
    parents: Floats
    majority: pd.DataFrame
    cases: pd.DataFrame
    majority_holdout: pd.DataFrame
    cases_holdout: pd.DataFrame
    near: dict[str, Floats]


def assess(
    synthetic: pd.DataFrame,
    parents: Floats,
    majority_train: pd.DataFrame,
    cases_train: pd.DataFrame,
    majority_holdout: pd.DataFrame,
    cases_holdout: pd.DataFrame,
    *,
    config: CohortConfig,
    seed: int,
    suite_result: ValidationResult,
) -> list[Gate]:
    """Return the gates' answers, in the order of the report.

    Args:
        synthetic: synthetic cases.
        parents: position of each row's parent in ``majority_train``.
        majority_train, cases_train: real rows that the generator was trained on.
        majority_holdout, cases_holdout: real rows that it has not seen.
        config: the study; ``config.gates`` holds the thresholds.
        seed: of every draw; the same seed gives the same answers.
        suite_result: what ``validate(..., scope="synthetic")`` found.

    Raises:
        ShapeError: there is no synthetic row or no training case, or parents and synthetic rows disagree.
    """
    frames = {"synthetic": synthetic, "majority": majority_train, "cases": cases_train}
    frames |= {"majority_holdout": majority_holdout, "cases_holdout": cases_holdout}
    _check(frames, parents)
    embedding = fit_embedding(pd.concat([majority_train, cases_train], ignore_index=True))
    near = {name: embedding.transform(frame) for name, frame in frames.items()}
    tables = Tables(**frames, parents=np.asarray(parents), near=near)
    return [
        suite_gate(suite_result),
        copies_gate(tables),
        two_sample_gate(tables, config=config, seed=seed),
        separation_gate(tables, config=config, seed=seed),
        parent_gate(tables, config=config, seed=seed),
        closeness_gate(tables, config=config, seed=seed),
    ]


def suite_gate(result: ValidationResult) -> Gate:
    """Do all synthetic rows obey the data dictionary? No violation is tolerated."""
    broken = sum(failure.count or 0 for failure in result.failed)
    found = share(min(broken, result.rows), result.rows) if result.rows else None
    named = "; ".join(f"{failure.column} {failure.rule}" for failure in result.failed[:5])
    more = f"; and {len(result.failed) - 5} more" if len(result.failed) > 5 else ""
    detail = f"{len(result.failed)} of {result.expectations} expectations are broken, by at most {broken} of {result.rows} rows"
    return _gate(
        "suite_violations",
        "Synthetic rows that break a rule of the data dictionary",
        found,
        threshold=0.0,
        rule="none may",
        verdict="pass" if result.passed else "fail",
        detail=f"{detail}: {named}{more}." if named else f"{detail}.",
    )


def copies_gate(tables: Tables) -> Gate:
    """Does a synthetic row repeat a training case? Not more often than real hold-out cases do by coincidence."""
    majority = (tables.majority, tables.majority_holdout)
    found = exact_copies(tables.synthetic, tables.cases, tables.cases_holdout, majority=majority)
    return _gate(
        "exact_copies",
        "Synthetic cases that equal a training case, and no other patient, in every feature",
        found.rate,
        threshold=found.reference,
        rule="at most as often as one real case equals another by coincidence",
        verdict="fail" if found.excess else "pass",
        detail=f"{found.count} of {len(tables.synthetic)} synthetic cases; {100 * found.reference:.2g} % of real cases do. "
        f"{found.shared} more equal a training case whose values other patients have too.",
    )


def two_sample_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Can a classifier tell synthetic cases from real ones? Never fails: with few cases 0.5 is not realistic."""
    real = pd.concat([tables.cases, tables.cases_holdout], ignore_index=True)
    found = two_sample_auc(real, tables.synthetic, seed=seed)
    between = two_sample_auc(tables.cases, tables.cases_holdout, seed=seed, repeats=2)
    most = config.gates.c2st_warn
    reference = (
        f"Real training against real hold-out cases: {_shown(between)}."
        if between
        else "Too few hold-out cases to compare with."
    )
    return _gate(
        "c2st_auc",
        "How well a classifier tells synthetic from real cases (AUC)",
        found,
        threshold=most,
        rule=f"0.5 is ideal; above {most:g} warns; never fails",
        verdict="pass" if found is not None and found.value <= most else "warn",
        detail=reference if found else "Too few real cases to judge.",
    )


def separation_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Are they rare cases at all, or majority patients with another label?"""
    names = ("synthetic", "majority", "cases", "majority_holdout", "cases_holdout")
    found = separation(*(tables.near[name] for name in names), seed=seed)
    warn, fail = config.gates.separation_warn, config.gates.separation_fail
    kept = found.kept if found else None
    return _gate(
        "separation",
        "Separation from the majority that synthetic cases keep (1: as real cases, 0: none)",
        kept,
        threshold=warn,
        rule=f"at least {warn:g}; fails below {fail:g} when the interval lies below {warn:g}",
        verdict=_judge(kept, warn=warn, fail=fail, sign=1),
        detail=_separation_detail(found),
    )


def parent_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Is a synthetic case just its parent, slightly changed?"""
    found = parent_closeness(tables.near["synthetic"], tables.parents, tables.near["majority"], seed=seed)
    warn, fail = config.gates.parent_share_warn, config.gates.parent_share_fail
    detail = "Every parent judged has an exact twin among the majority."
    if found is not None:
        detail = f"Median distance to the parent {found.median_distance:.3g}; from the parent to its nearest majority "
        detail += f"patient {found.median_neighbour:.3g}."
    return _gate(
        "parent_copies",
        "Synthetic cases nearer to their parent than the parent's nearest majority patient",
        found.share if found else None,
        threshold=warn,
        rule=f"at most {warn:g}; fails above {fail:g} when the interval lies above {warn:g}",
        verdict=_judge(found.share if found else None, warn=warn, fail=fail, sign=-1),
        detail=detail,
    )


def closeness_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Do synthetic cases lie closer to training cases than to unseen ones? A diagnostic: it warns, and never fails."""
    found = closer_to_training(*(tables.near[name] for name in ("synthetic", "cases", "cases_holdout")), seed=seed)
    low, high = config.gates.dcr_low, config.gates.dcr_high
    strays = found is not None and (found.low > high or found.high < low)
    return _gate(
        "dcr_share",
        "Synthetic cases closer to a training than to a hold-out case",
        found,
        threshold=(low, high),
        rule=f"between {low:g} and {high:g}; warns when the interval lies outside; never fails",
        verdict="warn" if strays else "pass",
        detail="Equal numbers of training and hold-out cases are compared." if found else "Too few cases to judge.",
    )


def _gate(
    name: str,
    label: str,
    found: Interval | None,
    *,
    threshold: float | tuple[float, float],
    rule: str,
    verdict: Verdict,
    detail: str,
) -> Gate:
    value, low, high = (found.value, found.low, found.high) if found else (None, None, None)
    return Gate(
        name=name,
        label=label,
        value=value,
        low=low,
        high=high,
        threshold=threshold,
        rule=rule,
        verdict=verdict,
        detail=detail,
    )


def _judge(found: Interval | None, *, warn: float, fail: float, sign: Literal[1, -1]) -> Verdict:
    """Return the verdict where more is better (sign 1) or worse (sign -1); a measure that cannot be taken warns."""
    if found is None:
        return "warn"
    best = found.high if sign > 0 else found.low
    if sign * found.value < sign * fail and sign * best < sign * warn:
        return "fail"
    return "warn" if sign * found.value < sign * warn else "pass"


def _separation_detail(found: Separation | None) -> str:
    if found is None:
        return "Cannot be judged: too few real rows."
    aucs = f"AUC against held-out majority: synthetic cases {found.synthetic:.3f}, real cases {_shown(found.real)}"
    return f"{aucs}." if found.kept else f"Cannot be judged: real cases are not clearly separated from the majority. {aucs}."


def _shown(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


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
