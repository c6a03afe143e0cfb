"""TODO: describe validation/gate.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Gate:
    """One question asked of the synthetic cases, and its answer.

    Attributes:
        name: key in report.json.
        label: what a reader of the report sees.
        value: the measure; None where it cannot be taken.
        low, high: its 95 % interval.
        threshold: what the value is held against: a limit, or a lowest and a highest value.
        rule: the thresholds in words.
        verdict: pass, warn or fail.
        detail: what the number is made of, in a sentence or two.
    """

    name: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    threshold: float | tuple[float, float]
    rule: str
    verdict: Verdict
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Return the form that report.json holds under ``synthetic.gates``."""
        record = asdict(self)
        record["threshold"] = list(self.threshold) if isinstance(self.threshold, tuple) else self.threshold
        return record


def verdict_of(gates: Iterable[Gate]) -> Verdict:
    """Return the worst verdict of all gates."""
    verdicts = {gate.verdict for gate in gates}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass"
