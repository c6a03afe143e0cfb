"""Every treated arm against the best model without correction, with limits that hold for all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgvae.evaluation.arms import SAME_FIT
from mgvae.evaluation.summary import JUDGED, REFERENCE, Score, Scores, nested, number

FloatArray = NDArray[np.float64]

PRIMARY = "auroc"
SECONDARY = "scaled_brier"
LEVEL = 0.975  # one-sided for the family, so that one arm alone would meet the usual 95 % interval


def contrasts(scores: Scores) -> dict[str, Any]:
    """Return the comparisons that the recommendation reads, recalibrated probabilities throughout.

    The reference is the classifier with the highest AUROC without correction. Candidates are all other arms with all
    classifiers, less the arms that change no prediction. ``family_low`` is the lower limit of the AUROC difference that holds
    for all candidates at once with 97.5 % confidence (single-step max-T over the shared resamples): with many arms the
    luckiest one looks better than it is.

    Returns:
        ``{reference: {arm, classifier}, candidates, critical, against: {arm: {classifier: {auroc: {value, low, high,
        family_low, least_repeat}, scaled_brier: {value, low, high}}}}}``; ``least_repeat`` is the smallest difference over
        the repeats.
    Source: Westfall and Young 1993, Resampling-Based Multiple Testing, for max-T.
    """
    plain = {key[1]: measures for key, measures in scores.items() if key[0] == REFERENCE and key[2] == JUDGED}
    best = max(plain, key=lambda classifier: plain[classifier][PRIMARY].value)
    ours = {key[:2]: measures for key, measures in scores.items() if key[2] == JUDGED and key[0] not in (REFERENCE, *SAME_FIT)}
    gains = {pair: measures[PRIMARY] - plain[best][PRIMARY] for pair, measures in ours.items()}
    critical = critical_value(list(gains.values()))
    tables = {
        pair: {PRIMARY: _gain(gain, critical), SECONDARY: (ours[pair][SECONDARY] - plain[best][SECONDARY]).summary()}
        for pair, gain in gains.items()
    }
    return {
        "reference": {"arm": REFERENCE, "classifier": best},
        "candidates": len(ours),
        "critical": number(critical),
        "against": nested(iter(tables.items())),
    }


def critical_value(gains: list[Score], *, level: float = LEVEL) -> float:
    """Return the multiple of its standard error that the largest of all studentised deviations stays below with ``level``."""
    deviations = [(gain.draws - gain.value) / error for gain in gains if (error := gain.draws.std(ddof=1)) > 0]
    return float(np.quantile(np.max(deviations, axis=0), level)) if deviations else 0.0


def _gain(gain: Score, critical: float) -> dict[str, float | None]:
    low = gain.value - critical * float(gain.draws.std(ddof=1))
    return {**gain.summary(), "family_low": number(low), "least_repeat": number(gain.repeats.min())}
