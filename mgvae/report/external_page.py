"""The page of an external validation."""

from __future__ import annotations

from types import SimpleNamespace

from mgvae.report.figures.calibration import calibration, floor_of
from mgvae.report.figures.decision import decision, top_of
from mgvae.report.figures.panel import Panel, rows_by
from mgvae.report.formatting import METRICS, count, measured, plural, share
from mgvae.report.panels import decision_rows
from mgvae.report.render import page
from mgvae.report.subgroup_panels import MEASURES, forest_panels
from mgvae.results.external import ExternalValidation
from mgvae.results.numbers import FEW_EVENTS, Estimate


def render_external(found: ExternalValidation) -> str:
    """Return the page of an external validation, a file that loads nothing."""
    headline, detail = verdict(found)
    return page(
        "external.html",
        r=found,
        headline=headline,
        detail=detail,
        tone="pass" if headline == HOLDS else "warn",
        tiles=_tiles(found),
        metrics=[metric for metric in METRICS if metric in found.scores["as it is"]],
        panels=_panels(found),
        panelled=SimpleNamespace(measures=MEASURES),
        forest=forest_panels(found.subgroups.models[:1]),
        provenance={
            "model": found.model_version,
            "extract_sha256": found.extract_sha256,
            "flagged": f"{found.counts.flagged:,} of {found.counts.rows:,} patients",
            "alerts": f"{found.counts.alerts:,} at a risk of {found.threshold:.2%} or more",
        },
    )


HOLDS, OFF, WORTHLESS = "No disagreement beyond chance", "Its risks do not agree with what happened", "It does not rank"
UNSURE = "Too few patients to tell"


def verdict(found: ExternalValidation) -> tuple[str, str]:
    """Return what the numbers say in a headline and in sentences."""
    scores = found.scores["as it is"]
    auroc, ratio, slope = (scores.get(name) for name in ("auroc", "observed_expected", "calibration_slope"))
    detail = (
        f"AUROC {measured('auroc', auroc)}, observed / expected events {measured('observed_expected', ratio)}, calibration "
        f"slope {measured('calibration_slope', slope)}, on {plural(found.n, 'patient')} with {plural(found.events, 'event')}."
    )
    fewest = min(found.events, found.n - found.events)
    if fewest < FEW_EVENTS:
        few = f"{plural(fewest, 'patient')} {'with' if fewest == found.events else 'without'} the event"
        return UNSURE, f"{detail} With {few}, fewer than {FEW_EVENTS}, every interval is wide: a technical trial, not evidence."
    if auroc is not None and auroc.low is not None and auroc.low <= 0.5:
        return WORTHLESS, f"{detail} The interval of the AUROC includes 0.5: nothing says that it ranks these patients."
    off = [name for name, one in (("their number", ratio), ("their spread", slope)) if _excludes_one(one)]
    if off:
        return OFF, f"{detail} Off by more than chance: {' and '.join(off)}. Recalibrate it before it is used here."
    return HOLDS, f"{detail} Neither level nor slope is off by more than chance explains."


def _excludes_one(estimate: Estimate | None) -> bool:
    return (
        estimate is not None
        and estimate.low is not None
        and estimate.high is not None
        and not estimate.low <= 1 <= estimate.high
    )


def _tiles(found: ExternalValidation) -> list[tuple[str, str, str]]:
    known = "unknown" if found.known is None else count(found.known)
    return [
        ("Patients", count(found.n), f"{count(found.study_n)} in the study"),
        ("Events", count(found.events), f"{share(found.prevalence, 2)}; {count(found.study_events)} in the study"),
        ("Mean risk", share(found.counts.mean_risk, 2), "expected share of events"),
        ("Also in the study", known, "by name"),
    ]


def _panels(found: ExternalValidation) -> list[Panel]:
    panels = []
    if found.curve.predicted:
        drawn = calibration({found.arm: found.curve}, floor=floor_of([found.curve]), key="calibration", title="Calibration")
        panels.append(Panel("calibration", "Calibration, as it is", drawn, rows_by("arm", {found.arm: found.curve})))
    curves = {arm: by[found.classifier] for arm, by in found.decisions.arms.items()}
    drawn = decision(found.decisions, curves, top=top_of(found.decisions), key="decision", title="Decision curve")
    return [*panels, Panel("decision", "Decision curve, as it is", drawn, decision_rows(found.decisions, curves))]
