"""The verdicts on simulated studies against the truth, and the coverage of intervals, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mgvae.config.sections import Evaluation
from mgvae.evaluation.findings import evaluation_findings
from mgvae.evaluation.recommendation import recommend
from mgvae.results.evaluation import EvaluationResult, Metric
from mgvae.results.findings import unreliable
from mgvae.results.recommendation import Recommendation
from tests.benchmarks.truth.worlds import ORACLE, WORLDS

MEASURES: tuple[Metric, ...] = (
    "auroc",
    "auprc",
    "scaled_brier",
    "net_benefit",
    "log_loss",
    "observed_expected",
    "calibration_slope",
)
DIFFERENCES: tuple[Metric, ...] = ("auroc", "scaled_brier", "net_benefit", "log_loss")
Kind = tuple[str, int]


@dataclass(frozen=True)
class Study:
    """A study as it was kept, and what the product says of it now."""

    record: dict[str, Any]

    @cached_property
    def evaluation(self) -> EvaluationResult:
        """What the product measured."""
        return EvaluationResult.model_validate(self.record["evaluation"])

    @cached_property
    def verdict(self) -> Recommendation:
        """What the product recommends."""
        return recommend(self.evaluation, relevant_gain=Evaluation().relevant_gain)

    @property
    def unreliable(self) -> bool:
        """Whether the product says that the study is not to be relied on."""
        return unreliable(evaluation_findings(self.evaluation, self.verdict))

    def truth(self, arm: str, classifier: str, measure: Metric) -> float:
        """Return what is true of an arm's models."""
        return float(self.record["truth"][f"{arm}/{classifier}"][measure])

    def gain(self, arm: str, classifier: str, measure: Metric = "auroc") -> float:
        """Return the true difference from the reference."""
        reference = self.evaluation.contrasts.reference
        return self.truth(arm, classifier, measure) - self.truth(reference.arm, reference.classifier, measure)

    @property
    def wrong(self) -> bool:
        """Whether a correction is recommended that in truth does not raise AUROC."""
        return self.verdict.answer == "use" and self.gain(self.verdict.arm, self.verdict.classifier) <= 0


def table(records: Iterable[dict[str, Any]]) -> str:
    """Return both tables as Markdown."""
    kinds: dict[Kind, list[Study]] = {}
    for record in records:
        kinds.setdefault((record["world"], record["events"]), []).append(Study(record))
    order = [(world.name, events) for world in WORLDS.values() for events in world.events if (world.name, events) in kinds]
    found = {kind: kinds[kind] for kind in order}
    return "\n\n".join(["## Verdicts", verdicts(found), "## Coverage of 95 % intervals", coverage(found)])


def verdicts(kinds: dict[Kind, list[Study]]) -> str:
    """Return, for each kind of study, how often each answer is given."""
    head = "world|events|studies|usual arm used|wrongly|oracle used|its true gain|deploy none|no gain|cannot tell|unreliable"
    rows = []
    for (world, events), studies in kinds.items():
        use = [one for one in studies if one.verdict.answer == "use"]
        has = ORACLE in WORLDS[world].arms
        gains = [one.gain(ORACLE, "logistic_regression") for one in studies] if has else []
        answers = [sum(one.verdict.answer == answer for one in studies) for answer in ("deploy_none", "no_gain", "cannot_tell")]
        n = len(studies)
        rows.append(
            [
                world,
                str(events),
                str(n),
                _share(sum(one.verdict.arm != ORACLE for one in use), n),
                _share(sum(one.wrong for one in use), n),
                _share(sum(one.verdict.arm == ORACLE for one in use), n) if has else "",
                f"{np.mean(gains):+.3f}" if has else "",
                *(_share(count, n) for count in answers),
                _share(sum(one.unreliable for one in studies), n),
            ]
        )
    return _markdown(head.split("|"), rows)


def coverage(kinds: dict[Kind, list[Study]]) -> str:
    """Return how often an interval of no correction, and of a difference from it, holds the truth."""
    head = ["world", "events", *MEASURES, *(f"difference in {name}" for name in DIFFERENCES)]
    rows = [
        [
            world,
            str(events),
            *(_percent(_held(studies, name)) for name in MEASURES),
            *(_percent(_held_differences(studies, name)) for name in DIFFERENCES),
        ]
        for (world, events), studies in kinds.items()
        if world != "leak"  # its measures end at 1
    ]
    return _markdown([name.replace("_", " ") for name in head], rows)


def _held(studies: Sequence[Study], measure: Metric) -> list[bool]:
    found = []
    for one in studies:
        reference = one.evaluation.contrasts.reference
        estimate = one.evaluation.arms[reference.arm][reference.classifier]["recalibrated"][measure]
        if estimate.low is not None and estimate.high is not None:
            found.append(estimate.low <= one.truth(reference.arm, reference.classifier, measure) <= estimate.high)
    return found


def _held_differences(studies: Sequence[Study], measure: Metric) -> list[bool]:
    found = []
    for one in studies:
        for arm, classifiers in one.evaluation.contrasts.against.items():
            for classifier, contrast in classifiers.items():
                gain = getattr(contrast, measure)
                if gain.low is not None and gain.high is not None:
                    found.append(gain.low <= one.gain(arm, classifier, measure) <= gain.high)
    return found


def _percent(found: Sequence[bool]) -> str:
    return f"{100 * np.mean(found):.0f}" if found else ""


def _share(count: int, n: int) -> str:
    return f"{100 * count / n:.0f} %" if n else ""


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
