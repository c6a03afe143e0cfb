"""Run the chain on one split: hold out, treat, fit, predict, recalibrate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from mgvae.arrays import FloatArray
from mgvae.classifiers.models import Classifier, make
from mgvae.classifiers.recalibration import Recalibration, fit_recalibration, offset
from mgvae.cohort.rows import Rows
from mgvae.cohort.split import inner_part
from mgvae.config.sections import Arm
from mgvae.config.sections import Classifier as ClassifierName
from mgvae.errors import DataError, TrainingError
from mgvae.evaluation.arms import SAME_FIT, Recipe, Treated, treat
from mgvae.reproducibility import derive
from mgvae.results.evaluation import Variant

VARIANTS: tuple[Variant, ...] = ("raw", "offset", "recalibrated")
Key = tuple[Arm, ClassifierName, Variant]


@dataclass(frozen=True)
class Chain:
    """What is done on each split.

    Attributes:
        arms, classifiers: names, see `mgvae.config.study`.
        calibration_fraction: share of the training rows held out for recalibration.
        recipe: what the arms need.
    """

    arms: tuple[Arm, ...]
    classifiers: tuple[ClassifierName, ...]
    calibration_fraction: float
    recipe: Recipe


@dataclass(frozen=True)
class Outcome:
    """What one split gives.

    Attributes:
        probability: predicted probability of each test row, ``(N_test,)``, by arm, classifier and variant.
        prevalence: share of events among the fitting rows, before any arm.
        unavailable: arm -> why it could not be run on this split.
        remarks: what a reader must know, in full sentences: where groups could not be kept whole inside the training part.
    """

    probability: dict[Key, FloatArray]
    prevalence: float
    unavailable: dict[Arm, str]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A classifier fitted on treated rows, and the repair of its probabilities.

    Attributes:
        classifier: gives raw probabilities.
        fitted_share: (weighted) share of events that it was fitted on.
        prevalence: share of events among the fitting rows, before the arm.
        recalibration: learned from rows that neither arm nor classifier saw.
    """

    classifier: Classifier
    fitted_share: float
    prevalence: float
    recalibration: Recalibration

    def moved(self, features: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        """Return raw probabilities and those moved back to the prevalence, ``(N,)`` each."""
        raw = self.classifier.predict_proba(features)
        return raw, offset(raw, fitted_share=self.fitted_share, share=self.prevalence)

    def predict(self, features: pd.DataFrame) -> dict[Variant, FloatArray]:
        """Return the event's probability for each row, ``(N,)`` by variant."""
        raw, moved = self.moved(features)
        return {"raw": raw, "offset": moved, "recalibrated": self.recalibration(moved)}


def run_chain(train: Rows, test: Rows, chain: Chain, *, seed: int) -> Outcome:
    """Fit every arm and classifier on ``train`` and predict ``test``.

    All arms share the calibration rows, drawn first and passed to no arm and no classifier. An arm that cannot be run on so few
    cases is left out and named; without the no-correction arm there is nothing to report, so its error is raised.

    Args:
        train: training rows, real.
        test: rows to predict, real; of these only ``features`` is read.
        chain: what to do.
        seed: the seed of this split.
    Raises:
        OutcomeError: the fitting rows hold one class only.
    """
    fitting, calibration, remarks = _calibration_rows(train, chain, seed)
    probability: dict[Key, FloatArray] = {}
    unavailable: dict[Arm, str] = {}
    for arm in chain.arms:
        if SAME_FIT.get(arm) in chain.arms:
            continue
        try:
            treated = _treated(arm, fitting, chain, seed)
        except (DataError, TrainingError) as error:
            if arm == "none":
                raise
            unavailable[arm] = str(error)
            continue
        remarks += treated.remarks
        for classifier in chain.classifiers:
            fitted = _fitted(classifier, treated, fitting.prevalence, calibration, seed)
            for variant, values in fitted.predict(test.features).items():
                probability[arm, classifier, variant] = values
    distinct = tuple(dict.fromkeys(remarks))
    return Outcome(_with_shared_fits(probability, chain), fitting.prevalence, unavailable, distinct)


def fit_chain(train: Rows, chain: Chain, arm: Arm, classifier: ClassifierName, *, seed: int) -> Fitted:
    """Return the model with which `run_chain`, given the same seed, predicts.

    Raises:
        OutcomeError: the fitting rows hold one class only, or are too few for this arm.
        TrainingError: a generator could not be trained.
    """
    fitting, calibration, _ = _calibration_rows(train, chain, seed)
    treated = _treated(SAME_FIT.get(arm, arm), fitting, chain, seed)
    return _fitted(classifier, treated, fitting.prevalence, calibration, seed)


def _calibration_rows(train: Rows, chain: Chain, seed: int) -> tuple[Rows, Rows, tuple[str, ...]]:
    """Return the rows to fit on, those to recalibrate on, and remarks."""
    parts = inner_part(train.event == 1, train.group, fraction=chain.calibration_fraction, seed=derive(seed, "calibration"))
    fitting, calibration = train.take(~parts.held_out), train.take(parts.held_out)
    fitting.require_both_classes("Fitting a classifier")
    return fitting, calibration, parts.remarks("Recalibration was learned")


def _treated(arm: Arm, fitting: Rows, chain: Chain, seed: int) -> Treated:
    return treat(arm, fitting, chain.recipe, seed=derive(seed, "arm", arm))


def _fitted(classifier: ClassifierName, treated: Treated, prevalence: float, calibration: Rows, seed: int) -> Fitted:
    model = make(classifier, derive(seed, "classifier", classifier)).fit(treated.features, treated.event, treated.weights)
    plain = Fitted(model, treated.share, prevalence, Recalibration())
    _, held = plain.moved(calibration.features)
    return replace(plain, recalibration=fit_recalibration(calibration.event, held))


def _with_shared_fits(probability: dict[Key, FloatArray], chain: Chain) -> dict[Key, FloatArray]:
    """Add the arms that only move the threshold of another arm's fit."""
    shared = {
        (arm, classifier, variant): probability[SAME_FIT[arm], classifier, variant]
        for arm in chain.arms
        if SAME_FIT.get(arm) in chain.arms
        for classifier in chain.classifiers
        for variant in VARIANTS
    }
    return {**probability, **shared}
