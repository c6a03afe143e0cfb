"""The gates that synthetic cases must pass; ``config.gates`` holds the thresholds.

A gate fails on evidence: its value lies beyond the limit that fails, and its 95 % interval lies wholly beyond the limit that
passes. A value beyond the passing limit without that evidence is a warning. A measure that cannot be taken is no pass.
"""

from __future__ import annotations

import pandas as pd

from mgvae.cohort.embedding import Floats
from mgvae.cohort.rules import RowRules, rows_broken, rules_within
from mgvae.config.study import CohortConfig
from mgvae.errors import first_few
from mgvae.results.cohort import ValidationResult
from mgvae.results.gates import Gate
from mgvae.results.synthetic import RuleRecord
from validation.attack_gates import disclosure_gates, membership_gates
from validation.copy_gates import closeness_gate, copies_gate, near_copies_gate, parent_gate, quasi_identifiers_gate
from validation.fidelity_gates import fidelity_gates
from validation.intervals import numbers, share
from validation.judging import at_most
from validation.tables import Tables, tables_of

NO_RULES = "The data dictionary names no rules between predictors, so none was checked; see 'rules' in Describe the study."


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
    tables = tables_of(frames, parents)
    return [
        suite_gate(suite_result),
        rules_gate(tables, config=config, record=rule_record),
        *fidelity_gates(tables, config=config, seed=seed),
        copies_gate(tables),
        near_copies_gate(tables, config=config, seed=seed),
        quasi_identifiers_gate(tables, config=config),
        parent_gate(tables, config=config, seed=seed),
        closeness_gate(tables, config=config, seed=seed),
        *membership_gates(tables, config=config, seed=seed),
        *disclosure_gates(tables, config=config, seed=seed),
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
    verdict = "pass" if found is None else at_most(found, warn=limit, fail=limit + fail)
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


def _most_broken(rules: RowRules, tables: Tables) -> str:
    counts = rules.broken(tables.synthetic).sum(axis=0)
    return f", most often '{rules.rules[int(counts.argmax())].text}'" if counts.any() else ""
