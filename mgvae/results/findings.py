"""Findings of a run, and the verdict that they give with the gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import AliasChoices, Field

from mgvae.config.strict import Strict
from mgvae.findings import RANK, Domain, Severity, kind_of

VerdictStatus = Literal["passed", "warned", "failed", "invalid", "unreliable"]


class Finding(Strict):
    """What a reader must know before relying on the run.

    Attributes:
        code: see `mgvae.findings`.
        detail: what was found here, with numbers.
        remedy: what to do.
        domain: of PROBAST.
        why: why it matters; empty in reports of earlier versions.
        muted: why the study team lets it pass; such a finding does not count. None: it counts.
    """

    code: str
    severity: Severity
    title: str
    detail: str
    remedy: str = Field(validation_alias=AliasChoices("remedy", "mend"))  # "mend" in reports of earlier versions
    domain: Domain
    why: str = ""
    muted: str | None = None


class RunVerdict(Strict):
    """What may be relied on.

    Attributes:
        status: passed, warned, failed (a gate), invalid (the extract), unreliable (a severe finding that is not muted).
        sentence: the same in words.
    """

    status: VerdictStatus
    sentence: str


def found(code: str, detail: str) -> Finding:
    """Return a finding of a registered kind.

    Raises:
        ValueError: there is no such code.
    """
    kind = kind_of(code)
    return Finding(
        code=code,
        severity=kind.severity,
        title=kind.title,
        detail=detail,
        remedy=kind.remedy,
        domain=kind.domain,
        why=kind.why,
    )


def with_muted(findings: Iterable[Finding], mute: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return the findings with reasons where muted: what counts first, severe first."""
    marked = [one.model_copy(update={"muted": mute.get(one.code)}) for one in findings]
    return tuple(sorted(marked, key=lambda one: (one.muted is not None, -RANK[one.severity], one.code)))


def counting(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that are not muted."""
    return tuple(one for one in findings if one.muted is None)


def unreliable(findings: Iterable[Finding]) -> bool:
    """Return whether a severe finding counts."""
    return any(one.severity == "severe" for one in counting(findings))
