"""How strongly a study speaks for an arm: standard errors, luck, and shrinkage.

Evidence is the mean of the gains in net benefit and in log loss, each in units of its own standard error. The two are so
correlated that the standard error of the mean is close to 1, its upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from mgvae.results.evaluation import Contrast, Contrasts, Gain
from mgvae.results.numbers import Estimate, number
from mgvae.results.recommendation import SmallestGain

FAMILY_LEVEL = 0.975  # of the critical value in `Contrasts`
LUCK = 0.25  # how often the luckiest of several useless arms may reach the needed evidence
POWER = 0.8
WORTH = 0.5  # share of the relevant gain that must be left after shrinkage
NORMAL = NormalDist()


@dataclass(frozen=True)
class Prior:
    """What is believed of an arm's gain in AUROC before the study: normals around 0.

    Published comparisons find that corrections change AUROC by about nothing, with a spread of 0.01 to 0.02; the wide part
    leaves room for an arm that does more, so that a large gain is hardly shrunk.

    Attributes:
        parts: (weight, standard deviation) of each normal.
    Source: van den Goorbergh et al. 2022, doi 10.1093/jamia/ocac093; Carriero et al. 2025, doi 10.1002/sim.10320.
    """

    parts: tuple[tuple[float, float], ...] = ((0.8, 0.01), (0.2, 0.1))

    def shrunk(self, evidence: float, error: float) -> tuple[float, float]:
        """Return mean and standard deviation of the gain after the study.

        Args:
            evidence: the gain that the study saw, in standard errors.
            error: standard error of the gain in AUROC.
        """
        seen = evidence * error
        weights = [weight * NormalDist(0, math.hypot(sd, error)).pdf(seen) for weight, sd in self.parts]
        kept = [sd**2 / (sd**2 + error**2) for _, sd in self.parts]
        total = math.fsum(weights)
        shares = [weight / total for weight in weights]
        mean = math.fsum(share * keep * seen for share, keep in zip(shares, kept, strict=True))
        square = math.fsum(share * (keep * error**2 + (keep * seen) ** 2) for share, keep in zip(shares, kept, strict=True))
        return mean, math.sqrt(max(square - mean**2, 0.0))


PRIOR = Prior()


def evidence(contrast: Contrast) -> float | None:
    """Return the mean gain in net benefit and log loss, in standard errors; None if unknown."""
    benefit, loss = in_errors(contrast.net_benefit), in_errors(contrast.log_loss)
    return None if benefit is None or loss is None else (benefit - loss) / 2


def in_errors(gain: Gain) -> float | None:
    """Return a difference in units of its standard error; None where one is unknown or 0."""
    return None if gain.value is None or not gain.se else gain.value / gain.se


def needed(contrasts: Contrasts, *, luck: float = LUCK) -> float | None:
    """Return the evidence that the luckiest of the arms has in a share ``luck`` of studies if none is any better.

    The critical value says how many independent arms the correlated ones amount to.
    """
    if contrasts.critical is None or contrasts.candidates == 0:
        return None
    alone = NORMAL.cdf(max(contrasts.critical, NORMAL.inv_cdf(FAMILY_LEVEL)))
    amount = min(math.log(FAMILY_LEVEL) / math.log(alone), contrasts.candidates) if alone < 1 else contrasts.candidates
    return NORMAL.inv_cdf((1 - luck) ** (1 / amount))


def expected_gain(contrast: Contrast) -> Estimate:
    """Return the shrunk gain in AUROC with a 95 % range; unknown where a number is."""
    seen, error = evidence(contrast), contrast.auroc.se
    if seen is None or not error:
        return Estimate(value=None)
    mean, sd = PRIOR.shrunk(seen, error)
    reach = NORMAL.inv_cdf(0.975) * sd
    return Estimate(value=number(mean), low=number(mean - reach), high=number(mean + reach))


def worth(relevant_gain: float) -> float:
    """Return the least shrunk gain in AUROC for which an arm is recommended."""
    return WORTH * relevant_gain


def smallest_gain(contrasts: Contrasts, compared: Iterable[Contrast], *, relevant: float) -> SmallestGain | None:
    """Return the smallest true gain that the study finds with a power of 80 %, for the least precise arm.

    Args:
        contrasts: of all arms.
        compared: those of the arms that might be recommended.
        relevant: see `SmallestGain`.
    """
    threshold = needed(contrasts)
    errors = [(one.net_benefit.se, one.auroc.se) for one in compared]
    known = [(benefit, auroc) for benefit, auroc in errors if benefit and auroc]
    if threshold is None or not known:
        return None
    benefit, auroc = (max(column) for column in zip(*known, strict=True))
    reach = max(threshold, _evidence_for(worth(relevant), auroc)) + NORMAL.inv_cdf(POWER)
    return SmallestGain(metric="net_benefit", value=number(reach * benefit), auroc=number(reach * auroc), relevant=relevant)


def _evidence_for(gain: float, error: float) -> float:
    """Return the evidence from which the shrunk gain is at least ``gain``: it rises with the evidence."""
    low, high = 0.0, 1.0
    while PRIOR.shrunk(high, error)[0] < gain:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if PRIOR.shrunk(middle, error)[0] < gain else (low, middle)
    return high
