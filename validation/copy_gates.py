"""Gates on copies of patients: exact, near, of the parent."""

from __future__ import annotations

from mgvae.config.study import CohortConfig
from mgvae.errors import first_few
from mgvae.results.gates import Gate, Verdict
from validation.intervals import numbers
from validation.judging import at_most
from validation.near_copies import near_case_copies, near_majority_copies
from validation.privacy import closer_to_training, exact_copies, majority_copies, parent_closeness
from validation.quasi_identifiers import matches
from validation.tables import Tables

NO_QUASI_IDENTIFIERS = (
    "The data dictionary names no quasi-identifiers, so none was matched; give age, dates or places the role "
    "[feature, quasi_identifier]."
)


def copies_gate(tables: Tables) -> Gate:
    """Check that copies of a training patient are no more frequent than by coincidence.

    Any patient counts, case or majority, parent or not; the class with more evidence is reported.
    """
    cases, majority = (tables.cases, tables.cases_holdout), (tables.majority, tables.majority_holdout)
    both = {
        "case": exact_copies(tables.synthetic, *cases, majority=majority),
        "majority patient": majority_copies(tables.synthetic, *majority, cases=cases),
    }
    who = max(both, key=lambda name: (both[name].excess, both[name].count))
    found = both[who]
    counts = ", ".join(f"{one.count} equal a training {name} ({100 * one.reference:.2g} %)" for name, one in both.items())
    return Gate(
        name="exact_copies",
        label="Synthetic cases that equal one training patient, and no other, in every feature",
        **numbers(found.rate),
        threshold=found.reference,
        rule="at most as often as real patients equal one another by coincidence",
        verdict="fail" if any(one.excess for one in both.values()) else "pass",
        detail=f"Of {len(tables.synthetic)} synthetic cases {counts}; in brackets: of real patients of that class. "
        f"{both['case'].shared} more equal a training case whose values other patients have too.",
        real=found.reference,
    )


def near_copies_gate(tables: Tables, *, config: CohortConfig, seed: int) -> Gate:
    """Check that near copies of a training patient are no more frequent than among real patients."""
    near, ratio = tables.near, config.gates.near_copies
    all_majority = tables.all_near("majority", "majority_holdout")
    both = {
        "case": near_case_copies(near["synthetic"], near["cases"], near["cases_holdout"], all_majority, ratio=ratio, seed=seed),
        "majority patient": near_majority_copies(
            near["synthetic"], near["majority"], near["majority_holdout"], ratio=ratio, seed=seed
        ),
    }
    found = max(both.values(), key=lambda one: (one.excess, one.rate.value - one.reference))
    rates = "; ".join(
        f"near a training {name}: {one.rate} of synthetic cases, expected {100 * one.reference:.2g} %"
        for name, one in both.items()
    )
    return Gate(
        name="near_copies",
        label="Synthetic cases that nearly equal a training patient",
        **numbers(found.rate),
        threshold=found.reference,
        rule="fails where more frequent than chance explains (one-sided, 0.5 %)",
        verdict="fail" if any(one.excess for one in both.values()) else "pass",
        detail=f"Nearer than {ratio:.2g} times that patient's distance to the nearest other. {rates[0].upper()}{rates[1:]}.",
        real=found.reference,
    )


def quasi_identifiers_gate(tables: Tables, *, config: CohortConfig) -> Gate:
    """Check that quasi-identifiers of training patients are met no more often than those of patients held out."""
    names = [name for name, _ in config.columns.with_role("quasi_identifier") if name in tables.synthetic]
    detail, found = NO_QUASI_IDENTIFIERS, None
    verdict: Verdict = "pass"
    if names:
        classes = {"case": ("cases", "cases_holdout"), "majority patient": ("majority", "majority_holdout")}
        real = {name: getattr(tables, name)[names] for pair in classes.values() for name in pair}
        both = {who: matches(tables.synthetic[names], real, *pair) for who, pair in classes.items()}
        found = max(both.values(), key=lambda one: (one.excess, one.rate.value - one.reference))
        verdict = "fail" if any(one.excess for one in both.values()) else "pass"
        listed = "; ".join(
            f"{one.known} of {one.met} unique patients who are met were trained on ({who}; expected {100 * one.share:.0f} %)"
            for who, one in both.items()
        )
        detail = f"By {first_few(names)}: {listed}. Rates: synthetic cases that meet a unique training patient."
    return Gate(
        name="quasi_identifiers",
        label="Synthetic cases that equal one training patient in all quasi-identifiers",
        **numbers(found.rate if found else None),
        threshold=found.reference if found else None,
        rule="fails where more of the patients met were trained on than chance explains (one-sided, 0.5 %)",
        verdict=verdict,
        detail=detail,
        real=found.reference if found else None,
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
        verdict=at_most(found.share if found else None, warn=warn, fail=fail),
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
        rule=f"between {low:g} and {high:g}; warns when the interval lies outside; never fails (arXiv:2505.01524)",
        verdict="cannot_tell" if found is None else "warn" if outside else "pass",
        detail="Equal numbers of training and hold-out cases are compared." if found else "Too few cases to judge.",
        real=0.5,
    )
