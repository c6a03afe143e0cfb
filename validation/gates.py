"""The gates that synthetic cases must pass; ``config.gates`` holds the thresholds.

A gate fails on evidence: its value lies beyond the limit that fails, and its 95 % interval lies wholly beyond the limit that
passes. A value beyond the passing limit without that evidence is a warning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from mgvae.cohort.rules import RowRules, rows_broken, rules_within
from mgvae.config.study import CohortConfig
from mgvae.errors import ShapeError, first_few
from mgvae.results.cohort import ValidationResult
from mgvae.results.gates import Gate, Verdict
from mgvae.results.synthetic import RuleRecord
from validation.embedding import Floats, fit_embedding
from validation.intervals import Interval, numbers, share
from validation.privacy import closer_to_training, exact_copies, parent_closeness
from validation.separation import Separation, separation
from validation.twosample import two_sample_auc

NO_RULES = "The data dictionary names no rules between predictors, so none was checked; see 'rules' in Describe the study."


@dataclass(frozen=True)
class Tables:
    """Frames typed as ``Cohort.features``, and the same rows embedded.

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
    rule_record: RuleRecord | None = None,
) -> list[Gate]:
    """Judge synthetic cases by all gates, in the order of the report.

    Args:
        synthetic: synthetic cases.
        parents: position of each row's parent in ``majority_train``.
        majority_train, cases_train: real rows that the generator was trained on.
        majority_holdout, cases_holdout: real rows that it has not seen.
        config: the study; ``config.gates`` holds the thresholds.
        seed: of every draw; the same seed gives the same gates.
        suite_result: of ``validate(..., scope="synthetic")``.
        rule_record: what it took for synthetic rows to keep rules between columns.

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
        rules_gate(tables, config=config, record=rule_record),
        copies_gate(tables),
        two_sample_gate(tables, config=config, seed=seed),
        separation_gate(tables, config=config, seed=seed),
        parent_gate(tables, config=config, seed=seed),
        closeness_gate(tables, config=config, seed=seed),
    ]


def suite_gate(result: ValidationResult) -> Gate:
    """Check that all synthetic rows obey the data dictionary."""
    broken = sum(failure.count or 0 for failure in result.failed)
    found = share(min(broken, result.rows), result.rows) if result.rows else None
    named = first_few([f"{failure.column} {failure.rule}" for failure in result.failed], separator="; ")
    detail = f"{len(result.failed)} of {result.expectations} expectations are broken, by at most {broken} of {result.rows} rows"
    return Gate(
        name="suite_violations",
        label="Synthetic rows that break a rule of the data dictionary",
        **numbers(found),
        threshold=0.0,
        rule="none may",
        verdict="pass" if result.passed else "fail",
        detail=f"{detail}: {named}." if named else f"{detail}.",
    )


def rules_gate(tables: Tables, *, config: CohortConfig, record: RuleRecord | None = None) -> Gate:
    """Check that synthetic rows break rules between columns no more often than real ones."""
    rules = rules_within(config.columns, tables.synthetic.columns)
    real = (tables.majority, tables.cases, tables.majority_holdout, tables.cases_holdout)
    broken, rows = rows_broken(rules, real)
    limit, fail = broken / rows, config.gates.broken_rules_fail
    count, made = rows_broken(rules, (tables.synthetic,))
    found = share(count, made) if rules else None
    verdict = "pass" if found is None else _judge(found, warn=limit, fail=limit + fail, sign=-1)
    detail = f"{count} of {made} synthetic rows break one of {len(rules.rules)} rules{_most_broken(rules, tables)}; "
    detail += f"{broken} of {rows} real rows do." + (f" {record.sentence}" if record else "")
    return Gate(
        name="broken_rules",
        label="Synthetic rows that break a rule between columns",
        **numbers(found),
        threshold=limit if rules else None,
        rule=f"at most the share of real rows; fails {fail:g} above it when the interval lies above it",
        verdict=verdict,
        detail=detail if rules else NO_RULES,
    )


def copies_gate(tables: Tables) -> Gate:
    """Check that copies of a training case are no more frequent than by coincidence."""
    majority = (tables.majority, tables.majority_holdout)
    found = exact_copies(tables.synthetic, tables.cases, tables.cases_holdout, majority=majority)
    return Gate(
        name="exact_copies",
        label="Synthetic cases that equal a training case, and no other patient, in every feature",
        **numbers(found.rate),
        threshold=found.reference,
        rule="at most as often as one real case equals another by coincidence",
        verdict="fail" if found.excess else "pass",
        detail=f"{found.count} of {len(tables.synthetic)} synthetic cases; {100 * found.reference:.2g} % of real cases do. "
        f"{found.shared} more equal a training case whose values other patients have too.",
    )


def two_sample_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that a classifier cannot separate synthetic from real cases.

    It never fails: with few cases 0.5 is not realistic.
    """
    real = pd.concat([tables.cases, tables.cases_holdout], ignore_index=True)
    found = two_sample_auc(real, tables.synthetic, seed=seed)
    between = two_sample_auc(tables.cases, tables.cases_holdout, seed=seed, repeats=2)
    most = config.gates.c2st_warn
    reference = (
        f"Real training against real hold-out cases: {between}." if between else "Too few hold-out cases to compare with."
    )
    return Gate(
        name="c2st_auc",
        label="How well a classifier separates synthetic from real cases (AUC)",
        **numbers(found),
        threshold=most,
        rule=f"0.5 is ideal; above {most:g} warns; never fails",
        verdict="pass" if found is not None and found.value <= most else "warn",
        detail=reference if found else "Too few real cases to judge.",
    )


def separation_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that they are rare cases, not majority patients with another label."""
    names = ("synthetic", "majority", "cases", "majority_holdout", "cases_holdout")
    found = separation(*(tables.near[name] for name in names), seed=seed)
    warn, fail = config.gates.separation_warn, config.gates.separation_fail
    kept = found.kept if found else None
    return Gate(
        name="separation",
        label="Separation from the majority that synthetic cases keep (1: as real cases, 0: none)",
        **numbers(kept),
        threshold=warn,
        rule=f"at least {warn:g}; fails below {fail:g} when the interval lies below {warn:g}",
        verdict=_judge(kept, warn=warn, fail=fail, sign=1),
        detail=_separation_detail(found),
    )


def parent_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that synthetic cases are not their parents, slightly changed."""
    found = parent_closeness(tables.near["synthetic"], tables.parents, tables.near["majority"], seed=seed)
    warn, fail = config.gates.parent_share_warn, config.gates.parent_share_fail
    detail = "Every parent judged has an exact twin among the majority."
    if found is not None:
        detail = f"Median distance to the parent {found.median_distance:.3g}; from the parent to its nearest majority "
        detail += f"patient {found.median_neighbour:.3g}."
    return Gate(
        name="parent_copies",
        label="Synthetic cases nearer to their parent than the parent's nearest majority patient",
        **numbers(found.share if found else None),
        threshold=warn,
        rule=f"at most {warn:g}; fails above {fail:g} when the interval lies above {warn:g}",
        verdict=_judge(found.share if found else None, warn=warn, fail=fail, sign=-1),
        detail=detail,
    )


def closeness_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that synthetic cases are no closer to training cases than to unseen cases.

    A diagnostic: it warns, and never fails.
    """
    found = closer_to_training(*(tables.near[name] for name in ("synthetic", "cases", "cases_holdout")), seed=seed)
    low, high = config.gates.dcr_low, config.gates.dcr_high
    outside = found is not None and (found.low > high or found.high < low)
    return Gate(
        name="dcr_share",
        label="Synthetic cases closer to a training than to a hold-out case",
        **numbers(found),
        threshold=(low, high),
        rule=f"between {low:g} and {high:g}; warns when the interval lies outside; never fails",
        verdict="warn" if outside else "pass",
        detail="Equal numbers of training and hold-out cases are compared." if found else "Too few cases to judge.",
    )


def _judge(found: Interval | None, *, warn: float, fail: float, sign: Literal[1, -1]) -> Verdict:
    """Judge a measure of which more is better (sign 1) or worse (sign -1).

    A measure that is unknown warns.
    """
    if found is None:
        return "warn"
    best = found.high if sign > 0 else found.low
    if sign * found.value < sign * fail and sign * best < sign * warn:
        return "fail"
    return "warn" if sign * found.value < sign * warn else "pass"


def _most_broken(rules: RowRules, tables: Tables) -> str:
    counts = rules.broken(tables.synthetic).sum(axis=0)
    return f", most often '{rules.rules[int(counts.argmax())].text}'" if counts.any() else ""


def _separation_detail(found: Separation | None) -> str:
    if found is None:
        return "Cannot be judged: too few real rows."
    aucs = f"AUC against held-out majority: synthetic cases {found.synthetic:.3f}, real cases {found.real}"
    return f"{aucs}." if found.kept else f"Cannot be judged: real cases are not clearly separated from the majority. {aucs}."


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
