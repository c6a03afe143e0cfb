"""Gates: requirements on data, with the measure and the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from mgvae.config.strict import Strict
from mgvae.results.numbers import Number

Verdict = Literal["pass", "warn", "fail"]
RANK: dict[Verdict, int] = {"pass": 0, "warn": 1, "fail": 2}


class Gate(Strict):
    """A requirement on an extract or on synthetic cases, and the verdict.

    Attributes:
        name: key in report.json.
        label: its name in the report.
        value: the measure; None where it cannot be taken.
        low, high: its interval.
        threshold: a limit, or the lowest and the highest tolerable value.
        rule: the thresholds in words: which side is good.
        verdict: pass, warn or fail.
        detail: how the value comes about, in a sentence or two.
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

    @property
    def bounds(self) -> tuple[float | None, ...]:
        """The limits of the threshold: one or two."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts; pass if there are none."""
    return max(verdicts, key=RANK.__getitem__, default="pass")
