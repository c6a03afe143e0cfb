"""The comparison of a champion with its challenger, as audit.jsonl keeps it."""

from __future__ import annotations

from typing import Literal

from mgvae.config.strict import Strict
from mgvae.results.findings import Finding
from mgvae.results.numbers import Count, Estimate, Number, Share

Outcome = Literal["promoted", "kept", "cannot_judge"]


class MeasureComparison(Strict):
    """A measure of both models on the same patients.

    Attributes:
        champion, challenger: the measure of each model.
        value, low, high: challenger less champion, with its 95 % interval; None where undefined.
    """

    champion: Number | None
    challenger: Number | None
    value: Number | None
    low: Number | None
    high: Number | None


class ModelComparison(Strict):
    """Two models on the same patients.

    Attributes:
        n, events: patients, and how many of them have the event.
        bootstrap: resamples behind each interval.
        auroc, scaled_brier: the measures.
    """

    n: Count
    events: Count
    bootstrap: Count
    auroc: MeasureComparison
    scaled_brier: MeasureComparison


class ChampionChange(Strict):
    """The champion on these patients, against itself on its own hold-out when it was promoted.

    Attributes:
        events: with the event then.
        auroc: then.
        auroc_change: AUROC now less then, with limits at `mgvae.config.promotion.Promotion.level`.
        calibration_change: observed/expected now as a ratio to then, with such limits.
    """

    events: Count
    auroc: Number | None
    auroc_change: Estimate
    calibration_change: Estimate


class HoldoutUse(Strict):
    """How often the patients who judge have judged before, and which hold-out is the next.

    Attributes:
        median, most: comparisons before this one in which they judged.
        window: number of the hold-out by which was judged, from 0; see `mgvae.config.sections.Split.window`.
        next_window: number of the hold-out from the next night on.
    """

    median: Number
    most: Count
    window: Count
    next_window: Count


class HoldoutPool(Strict):
    """Whose hold-outs judge: the one of this extract, and those of extracts that were accepted before it.

    Attributes:
        nights: hold-outs of which patients judge, this one's included.
        newest, newest_events: patients of this extract's hold-out, and how many of them have the event.
        earlier, earlier_events: further patients of earlier hold-outs, each by the newest record.
        alone: why no earlier hold-out was asked; empty where any was.
    """

    nights: Count
    newest: Count
    newest_events: Count
    earlier: Count
    earlier_events: Count
    alone: str = ""


class PromotionComparison(ModelComparison):
    """A comparison that decides on a promotion.

    Attributes:
        left_out: patients of these hold-outs that a model may have been trained on.
        margin: by how much a measure may be lower.
        floor: the challenger's AUROC, with limits at `mgvae.config.promotion.Promotion.level`; None in older lines, as below.
        change: the champion on this extract's hold-out, if events there suffice, against itself at its promotion.
        new_patients: share of the challenger's training patients whom the champion's extract did not have.
        lost: by measure, the sum of the recorded differences since the last clear gain, this one included.
        gained: whether the challenger is clearly better in a measure.
        use: how often these patients have judged.
        pool: of which hold-outs they are.
    """

    left_out: Count
    margin: Number
    floor: Estimate | None = None
    change: ChampionChange | None = None
    new_patients: Share | None = None
    lost: dict[str, Number] | None = None
    gained: bool | None = None
    use: HoldoutUse | None = None
    pool: HoldoutPool | None = None


class PromotionRecord(Strict):
    """What was decided of a run before it was published: whether it becomes champion.

    Attributes:
        outcome: promoted, kept (the champion stayed), cannot_judge (it stayed, and somebody must look), or refused (a gate).
        reason: in words.
        previous: the champion that it was compared with; None for none.
        use: how often the patients of the hold-out have judged; None where none of them did.
        pool: the hold-outs that the comparison rests on; None where there was no comparison.
        finding: why nobody can judge; None where one can. It is among the findings of the report.
    """

    outcome: Outcome | Literal["refused"]
    reason: str
    previous: str | None
    use: HoldoutUse | None = None
    pool: HoldoutPool | None = None
    finding: Finding | None = None
