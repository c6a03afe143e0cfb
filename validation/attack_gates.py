"""Gates on attacks: membership, attribute inference, linkage, singling out."""

from __future__ import annotations

from mgvae.config.study import CohortConfig
from mgvae.results.gates import Attack, Gate, Verdict
from mgvae.results.numbers import Estimate
from validation.attacks.disclosure import Disclosure, attribute_inference, linkage, singling_out
from validation.attacks.matching import comparable
from validation.attacks.membership import Attacked, Membership, membership
from validation.intervals import numbers
from validation.judging import at_most, worse
from validation.tables import Tables

CUSTOMARY = "EMA policy 0070, Health Canada PRCI 2019"


def membership_gates(tables: Tables, *, config: CohortConfig, seed: int) -> list[Gate]:
    """Check that nobody can tell who was trained on: of the cases, and of the parents."""
    near = tables.near
    cases = membership(near["cases"], near["cases_holdout"], near["synthetic"], seed=seed)
    parents, others = comparable(tables.parents, near["majority"], near["majority_holdout"], seed=seed)
    majority = membership(parents, others, near["synthetic"], seed=seed)
    return [
        _membership_gate(
            "membership_cases", "Training cases distinguished from held-out cases by the strongest attack (AUC)", cases, config
        ),
        _membership_gate(
            "membership_parents",
            "Parents distinguished from held-out patients like them by the strongest attack (AUC)",
            majority,
            config,
        ),
    ]


def disclosure_gates(tables: Tables, *, config: CohortConfig, seed: int) -> list[Gate]:
    """Check that no more is learned of training cases than of others."""
    near, owners = tables.near, tables.owners
    rows = near["synthetic"], near["cases"], near["cases_holdout"]
    frames = tables.synthetic, tables.cases, tables.cases_holdout
    inferred = attribute_inference(*rows, owners, frames, seed=seed)
    linked, singled = linkage(*rows, owners, seed=seed), singling_out(*frames, seed=seed)
    return [
        _disclosure_gate(
            "attribute_inference", "Columns of a training case guessed from the others, beyond hold-out cases", inferred, config
        ),
        _disclosure_gate("linkage", "Training cases whose record's halves are linked, beyond hold-out cases", linked, config),
        _disclosure_gate("singling_out", "Predicates that single out a training case, beyond hold-out cases", singled, config),
    ]


def _membership_gate(name: str, label: str, found: Membership | None, config: CohortConfig) -> Gate:
    warn, fail = config.gates.membership_warn, config.gates.membership_fail
    return Gate(
        name=name,
        label=label,
        **numbers(found.strongest if found else None),
        threshold=fail,
        rule=f"0.5 is ideal; above {warn:g} warns; fails above {fail:g} when the interval lies above {warn:g}",
        verdict=_judge(found, warn=warn, fail=fail),
        detail=_membership_detail(found) if found else "Cannot be judged: too few patients on a side.",
        real=found.blind.value if found and found.blind else None,
        attacks=tuple(_attack(one) for one in found.attacks) if found else (),
    )


def _attack(one: Attacked) -> Attack:
    caught = Estimate(**numbers(one.caught)) if one.caught else None
    return Attack(name=one.name, auc=Estimate(**numbers(one.auc)), caught=caught)


def _judge(found: Membership | None, *, warn: float, fail: float) -> Verdict:
    if found is None:
        return "cannot_tell"
    # where members differ from non-members anyway, as with time, an attack must do better than that
    blind = found.blind.value if found.blind is not None and found.blind.low > 0.5 else 0.0
    verdict = at_most(found.strongest, warn=max(warn, blind), fail=max(fail, blind))
    if found.outlying is None:
        return verdict
    outlying = at_most(found.outlying.strongest, warn=max(warn, blind), fail=max(fail, blind))
    return worse(verdict, outlying) if outlying == "fail" else verdict


def _membership_detail(found: Membership) -> str:
    best = found.best
    caught = f"; it finds {best.caught} of them at 10 % false alarms" if best.caught else ""
    text = f"{found.members} trained on, {found.others} not. Strongest of {len(found.attacks)} attacks: {best.name}{caught}. "
    text += f"Shuffled membership gives {found.by_chance:.3f} on average, and as much with probability {found.p_value:.2g}. "
    if found.blind is not None:
        text += f"Without synthetic cases: {found.blind}. "
    tenth = found.outlying
    text += f"Most outlying tenth: {tenth.strongest}." if tenth else "The most outlying tenth has too few patients to judge."
    return text


def _disclosure_gate(name: str, label: str, found: Disclosure | None, config: CohortConfig) -> Gate:
    limit = config.gates.disclosure
    detail = "Cannot be judged: too few patients."
    if found is not None:
        detail = f"Succeeds in {100 * found.attack.value:.0f} % of {found.attacked} attempts; "
        detail += f"against patients who were not trained on in {100 * found.control.value:.0f} %."
    return Gate(
        name=name,
        label=label,
        **numbers(found.risk if found else None),
        threshold=limit,
        rule=f"at most {limit:g}; fails when the interval lies above; {CUSTOMARY}",
        verdict=at_most(found.risk if found else None, warn=limit, fail=limit),
        detail=detail,
        real=0.0 if found else None,
    )
