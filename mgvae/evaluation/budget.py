"""The fits that an evaluation plans, and what a budget means for intervals and time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mgvae.config.budget import Budget
from mgvae.config.study import CohortConfig
from mgvae.evaluation.arm_kinds import GENERATIVE, SAME_FIT, cells_of, compared_arms
from mgvae.evaluation.fits import FEWEST_FOR_PAIRS, INNER_FOLDS

GENERATOR_SECONDS, CLASSIFIER_SECONDS = 18.0, 0.15  # of a processor, for one fit on the table of NAFLD, see docs/performance.md
LIMIT_ERROR = (
    1.363  # standard error of a 97.5 % quantile of B normal draws, times the root of B, over half the interval's width
)

OTHERS_AN_EVENT = 5  # patients without the event for each event, an example


@dataclass(frozen=True)
class PlannedFits:
    """How many fits of a study train a generator, and how many fit a classifier alone."""

    generators: int
    classifiers: int

    @property
    def seconds(self) -> float:
        """Seconds of one processor on a table of NAFLD's size."""
        return GENERATOR_SECONDS * self.generators + CLASSIFIER_SECONDS * self.classifiers


def fits_a_repeat(folds: int) -> int:
    """Return the most fits of one cross-validation: fewer where folds have many events, see `mgvae.evaluation.fits`."""
    return folds + (folds * (folds - 1) // 2 if folds >= FEWEST_FOR_PAIRS else folds * INNER_FOLDS)


def planned_fits(config: CohortConfig) -> PlannedFits:
    """Return the fits of evaluation, instability and learning curve, where ``mgvae`` is recommended.

    Fewer where few groups have an event, or so many that not every pair of folds is left out, or where another arm is
    recommended.
    """
    settings, curve = config.evaluation, config.learning_curve
    arms = [arm for arm in settings.arms if SAME_FIT.get(arm) not in settings.arms]
    trained = [arm for arm in arms if arm in GENERATIVE]
    splits = fits_a_repeat(settings.folds) * settings.repeats + 1  # the last one predicts the hold-out
    points = fits_a_repeat(settings.folds) * (len(curve.shares) + 1)
    redeveloped = compared_arms(config, "none")
    generators = len(trained) * splits + (points if trained else 0) + 2  # the study's own, and the model's
    generators += sum(config.instability.generated + 1 for arm in redeveloped if arm in GENERATIVE)
    classifiers = len(arms) * splits * len(settings.classifiers) + points * curve.repeats
    classifiers += sum(
        cells_of(config.instability.redevelopments, relearn=True) for arm in redeveloped if arm not in GENERATIVE
    )
    return PlannedFits(generators, classifiers)


def statement(budget: Budget, config: CohortConfig, *, cores: int) -> str:
    """Return what a budget does, with its expected effect on intervals, and time, in sentences.

    Args:
        budget: its name.
        config: the study with the budget's settings, and whatever else was changed.
        cores: how many fits run side by side.
    """
    settings, fits = config.evaluation, planned_fits(config)
    redevelopments = f"{config.instability.redevelopments} redevelopments of models without a generator"
    generated = f"{config.instability.generated} of those with one"
    return " ".join(
        (
            f"Budget {budget}: {settings.folds} folds, {_plural(settings.repeats, 'repeat')}, {len(settings.arms)} arms, "
            f"{_plural(len(settings.classifiers), 'classifier')}, {settings.bootstrap} bootstrap resamples, {redevelopments}, "
            f"{generated}.",
            f"Each fit learns from {1 - 1 / settings.folds:.0%} of the training events{_majority(settings.majority_rows)}.",
            "Intervals are about as wide in each budget, since all training patients are tested; where a limit lies varies by "
            f"{LIMIT_ERROR / math.sqrt(settings.bootstrap):.0%} of half the width with the bootstrap, and what the draw of "
            f"folds adds to a value is {1 / math.sqrt(settings.repeats):.0%} of that of one repeat.",
            f"At most {_plural(fits.generators, 'fit')} of a generator and {fits.classifiers:,} of a classifier: about "
            f"{max(1, round(fits.seconds / cores / 60))} min on {_plural(cores, 'idle core')} for 15,000 rows and 20 "
            "columns, more for a larger one.",
        )
    )


def _majority(most: int | None) -> str:
    """Return what is said of the patients without the event that a fit learns from.

    With E events and N others the variance of a coefficient is about proportional to 1/E + 1/N.
    """
    if most is None:
        return ""
    return (
        f" and from at most {most:,} patients without the event: with {most // OTHERS_AN_EVENT:,} events, standard errors of "
        f"coefficients are about {math.sqrt(1 + 1 / OTHERS_AN_EVENT) - 1:.0%} larger than with all, with fewer events less; "
        "probabilities are moved back to the prevalence of all"
    )


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
