"""Gates on fidelity: do synthetic cases resemble real ones, in all of their variety?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import numbers as cells_of
from mgvae.config.study import CohortConfig
from mgvae.results.gates import Gate, Verdict
from validation.dependence import dependence
from validation.energy import energy
from validation.intervals import LEVEL, Interval, difference, numbers
from validation.judging import at_least, at_most, worse
from validation.separation import Separation, separation
from validation.support import coverage, effective_number, precision
from validation.tables import Tables
from validation.twosample import two_sample_auc

UNLIKELY = 0.025
REPEATS = 3  # subsamples of synthetic cases that are compared with real ones


def fidelity_gates(tables: Tables, *, config: CohortConfig, seed: int) -> list[Gate]:
    """Return the gates on fidelity, in the order of the report."""
    return [
        two_sample_gate(tables, config=config, seed=seed),
        energy_gate(tables, seed=seed),
        dependence_gate(tables, config=config),
        missing_gate(tables, config=config),
        coverage_gate(tables, config=config, seed=seed),
        precision_gate(tables, config=config, seed=seed),
        variety_gate(tables, config=config),
        separation_gate(tables, config=config, seed=seed),
    ]


def two_sample_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that a classifier cannot separate synthetic from real cases."""
    real = pd.concat([tables.cases, tables.cases_holdout], ignore_index=True)
    found = two_sample_auc(real, tables.synthetic, seed=seed, repeats=REPEATS)
    between = two_sample_auc(tables.cases, tables.cases_holdout, seed=seed, repeats=1)
    most = config.gates.c2st_warn
    reference = (
        f"Real training against real hold-out cases: {between}." if between else "Too few hold-out cases to compare with."
    )
    return Gate(
        name="c2st_auc",
        label="How well the best of three classifiers separates synthetic from real cases (AUC)",
        **numbers(found),
        threshold=most,
        rule=f"0.5 is ideal; above {most:g} warns; fails when the interval lies above that and above real against real",
        verdict=_separable(found, between, most),
        detail=reference if found else "Too few real cases to judge.",
        real=between.value if between else None,
    )


def _separable(found: Interval | None, between: Interval | None, most: float) -> Verdict:
    if found is None:
        return "cannot_tell"
    if found.low > max(most, between.value if between else 0.0):
        return "fail"
    return "warn" if found.value > most else "pass"


def energy_gate(tables: Tables, *, seed: int) -> Gate:
    """Check by energy distance that both samples have one distribution; it never fails.

    With many rows any difference is significant, however small.
    """
    found = energy(tables.all_near("cases", "cases_holdout"), tables.near["synthetic"], seed=seed)
    detail = "Too few cases to judge."
    if found:
        detail = f"Shuffled labels give {found.by_chance:.3f} on average, and as much with probability {found.p_value:.2g}."
    unlikely = found is not None and found.p_value < UNLIKELY
    return Gate(
        name="energy",
        label="Energy distance between synthetic and real cases (0: alike, 1: apart)",
        **numbers(found.coefficient if found else None),
        threshold=None,
        rule=f"warns where chance explains it with probability below {UNLIKELY:g}; never fails: Székely and Rizzo 2013",
        verdict="cannot_tell" if found is None else "warn" if unlikely else "pass",
        detail=detail,
        real=found.by_chance if found else None,
    )


def dependence_gate(tables: Tables, *, config: CohortConfig) -> Gate:
    """Check that columns depend on each other as among real cases, no less and no more."""
    near, names = tables.near, list(tables.cases.columns)
    found = dependence(near["synthetic"], tables.all_near("cases", "cases_holdout"), near["majority"], tables.owners)
    kept = found.kept if found else None
    warn, fail = config.gates.kept_warn, config.gates.kept_fail
    detail = "Cannot be judged: too few rows, or real cases show no clear dependence."
    if found:
        first, second, real, made = found.largest
        detail = (
            f"Largest difference: correlation of {names[first]} with {names[second]}, {real:.2f} in real and {made:.2f} in "
        )
        detail += "synthetic cases."
    verdict = at_least(kept, warn=warn, fail=fail)
    if kept is not None:
        verdict = worse(verdict, at_most(kept, warn=1 / warn, fail=1 / fail))
    return Gate(
        name="dependence",
        label="Dependence between columns that synthetic cases keep (1: as real cases, 0: none)",
        **numbers(kept),
        threshold=(warn, 1 / warn),
        rule=f"between {warn:g} and {1 / warn:g}; fails beyond {fail:g} and {1 / fail:g} when the interval lies outside",
        verdict=verdict,
        detail=detail,
        real=1.0,
    )


def missing_gate(tables: Tables, *, config: CohortConfig) -> Gate:
    """Check the share of missing cells, column by column; the intervals hold together.

    A column without any value fails, too, where the rows are enough to say that real cases have more.
    """
    real = pd.concat([tables.cases, tables.cases_holdout], ignore_index=True)
    counts = {name: [int(np.isnan(cells_of(part[name])).sum()) for part in (real, tables.synthetic)] for name in real.columns}
    level = 1 - (1 - LEVEL) / len(counts)
    sizes = len(real), len(tables.synthetic)
    gaps = {name: _absolute(difference(a, sizes[0], b, sizes[1], level=level)) for name, (a, b) in counts.items()}
    emptied = {name for name, (_, b) in counts.items() if b == sizes[1] and gaps[name].low > 0}
    worst = max(gaps, key=lambda name: (name in emptied, gaps[name].low, gaps[name].value))
    found, (warn, fail) = gaps[worst], (config.gates.missing_warn, config.gates.missing_fail)
    shares = [count / size for count, size in zip(counts[worst], sizes, strict=True)]
    return Gate(
        name="missingness",
        label="Largest difference in the share of missing cells of a column",
        **numbers(found),
        threshold=warn,
        rule=f"at most {warn:g}; fails above {fail:g} when the interval lies above {warn:g}, or all values are lost",
        verdict="fail" if emptied else "pass" if found.low <= 0 else at_most(found, warn=warn, fail=fail),
        detail=f"{worst}: {100 * shares[0]:.0f} % missing in real and {100 * shares[1]:.0f} % in synthetic cases.",
        real=0.0,
    )


def _absolute(gap: Interval) -> Interval:
    """Return the interval of an absolute difference."""
    ends = sorted((abs(gap.low), abs(gap.high)))
    return Interval(abs(gap.value), 0.0 if gap.low <= 0 <= gap.high else ends[0], ends[1])


def coverage_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that synthetic cases lie near real cases of every sort."""
    found = coverage(tables.near["synthetic"], tables.near["cases"], seed=seed)
    warn, fail = config.gates.kept_warn, config.gates.kept_fail
    return Gate(
        name="coverage",
        label="Real cases with a synthetic case nearby (1: as with further real cases)",
        **numbers(found),
        threshold=warn,
        rule=f"at least {warn:g}; fails below {fail:g} when the interval lies below {warn:g}; arXiv:2002.09797",
        verdict=at_least(found, warn=warn, fail=fail),
        detail="As many synthetic as real cases; nearby: as near as the fifth-nearest real case."
        if found
        else "Too few cases.",
        real=1.0,
    )


def precision_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that synthetic cases lie where real cases do; it never fails."""
    found = precision(tables.near["synthetic"], tables.near["cases"], tables.near["cases_holdout"], seed=seed)
    made, real = found or (None, None)
    least = config.gates.kept_warn * real.value if real else None
    low = made is not None and least is not None and made.high < least
    return Gate(
        name="precision",
        label="Synthetic cases that lie where real training cases do",
        **numbers(made),
        threshold=least,
        rule=f"warns below {config.gates.kept_warn:g} times that of hold-out cases; never fails (arXiv:1904.06991)",
        verdict="cannot_tell" if made is None else "warn" if low else "pass",
        detail=f"Of hold-out cases {real} do." if real else "Too few cases to judge.",
        real=real.value if real else None,
    )


def variety_gate(tables: Tables, *, config: CohortConfig) -> Gate:
    """Check that synthetic cases are not few rows, repeated."""
    found, real = effective_number(tables.near["synthetic"]), effective_number(tables.near["cases"])
    as_many = min(real.value if real else np.inf, len(tables.cases))
    warn, fail = (share * as_many for share in (config.gates.kept_warn, config.gates.kept_fail))
    if found is None:
        detail = "Too few synthetic cases to judge."
    elif np.isinf(found.value):
        detail = "No two synthetic cases are equal."
    else:
        detail = (
            f"{len(tables.synthetic)} synthetic cases are as varied as {found.value:,.0f} different ones, equally frequent."
        )
    return Gate(
        name="effective_rows",
        label="Effective number of different synthetic cases",
        **numbers(_at_most_all(found, len(tables.synthetic))),
        threshold=warn,
        rule=f"at least {warn:.4g}, by the {len(tables.cases)} training cases; fails below {fail:.4g} on evidence (Hill 1973)",
        verdict=at_least(found, warn=warn, fail=fail),
        detail=detail,
        real=float(as_many),
    )


def _at_most_all(found: Interval | None, rows: int) -> Interval | None:
    return Interval(*(min(x, float(rows)) for x in (found.value, found.low, found.high))) if found else None


def separation_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that they are rare cases: no majority patients with another label, and no caricatures."""
    names = ("synthetic", "majority", "cases", "majority_holdout", "cases_holdout")
    found = separation(*(tables.near[name] for name in names), seed=seed)
    warn, fail = config.gates.separation_warn, config.gates.separation_fail
    kept = found.kept if found else None
    most = [_most_separated(found, share) for share in (warn, fail)] if found and kept else [np.inf, np.inf]
    verdict = at_least(kept, warn=warn, fail=fail)
    if kept is not None:
        verdict = worse(verdict, at_most(kept, warn=most[0], fail=most[1]))
    return Gate(
        name="separation",
        label="Separation from the majority that synthetic cases keep (1: as real cases, 0: none)",
        **numbers(kept),
        threshold=(warn, most[0]) if np.isfinite(most[0]) else warn,
        rule=f"at least {warn:g}; fails below {fail:g} when the interval lies below {warn:g}"
        + (f"; at most {most[0]:.2f}, fails above {most[1]:.2f} likewise" if np.isfinite(most).all() else ""),
        verdict=verdict,
        detail=_separation_detail(found),
        real=1.0,
    )


def _most_separated(found: Separation, share: float) -> float:
    """Return the separation at which the shift from the majority is ``1 / share`` times that of real cases.

    The shift between normal distributions that an AUC belongs to is the square root of 2 times its normal quantile.
    """
    if not 0 < share < 1:
        return np.inf
    return (float(stats.norm.cdf(stats.norm.ppf(found.real.value) / share)) - 0.5) / (found.real.value - 0.5)


def _separation_detail(found: Separation | None) -> str:
    if found is None:
        return "Cannot be judged: too few real rows."
    aucs = f"AUC against held-out majority: synthetic cases {found.synthetic:.3f}, real cases {found.real}"
    return f"{aucs}." if found.kept else f"Cannot be judged: real cases are not clearly separated from the majority. {aucs}."
