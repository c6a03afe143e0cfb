"""Gates: requirements on data, with the measure and the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number

Verdict = Literal["pass", "warn", "cannot_tell", "fail"]
Status = Literal["pass", "warn", "fail"]
RANK: dict[Verdict, int] = {"pass": 0, "warn": 1, "cannot_tell": 1, "fail": 2}


class Attack(Strict):
    """An attack that tells patients who were trained on from others, on its own.

    Attributes:
        name: of the attack.
        auc: of those trained on against the others, with its interval; that of the gate allows for the choice of the strongest.
        caught: share of those trained on above the score that 10 % of the others exceed; None where these are fewer than ten.
    """

    name: str
    auc: Estimate
    caught: Estimate | None


class Gate(Strict):
    """A requirement on an extract or on synthetic cases, and the verdict.

    Attributes:
        name: key in report.json.
        label: its name in the report.
        value: the measure; None where it cannot be taken.
        low, high: its interval.
        threshold: a limit, or the lowest and the highest tolerable value.
        rule: the thresholds in words: which side is good.
        verdict: pass, warn, fail, or cannot_tell where the measure cannot be taken.
        detail: how the value comes about, in a sentence or two.
        real: the same measure of real cases against other real cases, the best that can be hoped for; None where unknown.
        attacks: what the measure is the strongest of; empty where it is none of several.
    """

    name: str
    label: str
    value: Number | None
    low: Number | None
    high: Number | None
    threshold: Number | tuple[Number, Number] | None
    rule: str = ""
    verdict: Verdict
    detail: str
    real: Number | None = None
    attacks: tuple[Attack, ...] = ()

    @property
    def bounds(self) -> tuple[float | None, ...]:
        """The limits of the threshold: one or two."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)


class ShadowAudit(Strict):
    """Membership by shadow generators.

    Attributes:
        shadows: how many were trained.
        without: how many of them each case was left out of.
        members, others: cases that the run trained on, and cases held out, which were attacked.
        rows: synthetic cases of each generator that were looked at.
        attack: AUC and share caught at 10 % false alarms; None with fewer than four cases on a side.
    """

    shadows: Count
    without: Count
    members: Count
    others: Count
    rows: Count
    attack: Attack | None

    @property
    def sentence(self) -> str:
        """What was done, and what was found."""
        text = (
            f"{self.shadows} shadow generators, each case left out of {self.without}; {self.members} cases trained on, "
            f"{self.others} not; {self.rows:,} synthetic cases of each generator. "
        )
        if self.attack is None:
            return f"{text}Cannot be judged: too few cases on a side."
        auc, found = self.attack.auc, self.attack.caught
        text += f"Likelihood ratio (arXiv:2112.03570): AUC {_spelt(auc)}, 0.5 is ideal"
        return f"{text}." if found is None else f"{text}; at 10 % false alarms it finds {_spelt(found)} of those trained on."


def _spelt(found: Estimate) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def worst(verdicts: Iterable[Verdict]) -> Status:
    """Return the worst of some verdicts; pass if there are none.

    A gate that cannot tell is no pass: it counts as a warning.
    """
    found: Status = "pass"
    for verdict in verdicts:
        if RANK[verdict] > RANK[found]:
            found = "warn" if verdict == "cannot_tell" else verdict
    return found
