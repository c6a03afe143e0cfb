"""Predict by repeated grouped cross-validation and on the hold-out, cross-fitted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.classifiers.recalibration import Recalibration, fit_recalibration, offset
from mgvae.cohort.stored_rows import AnyRows, joined
from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.arm_kinds import SAME_FIT
from mgvae.evaluation.cells import HERE, Outcomes, Run, compute_cells
from mgvae.evaluation.fits import Fit, Plan, Tested, plan_folds
from mgvae.evaluation.one_split import ArmOutcome, Chain
from mgvae.evaluation.predictions import Key, Predictions
from mgvae.reproducibility import derive

Model = tuple[Arm, Classifier]
Learned = tuple[IntArray, FloatArray, FloatArray]  # outcome, predicted probability and weight of the same rows
WHOLE = "whole"  # the fit on all training rows, which predicts the test part


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation predicted, and how models on more rows are recalibrated.

    Attributes:
        inner: out-of-fold predictions of the training part.
        holdout: predictions of the test part by the models fitted on the training part; None where there is none.
        training: recalibration of a model fitted on the training part, learned from its out-of-fold predictions.
        final: of a model refitted on training and test part, learned from the predictions of both; as ``training`` where there
            is no test part.
    """

    inner: Predictions
    holdout: Predictions | None
    training: dict[Model, Recalibration]
    final: dict[Model, Recalibration]


def cross_validate(
    rows: AnyRows,
    chain: Chain,
    *,
    n_folds: int,
    repeats: int,
    seed: int,
    usable: BoolArray | None = None,
    run: Run = HERE,
) -> Predictions:
    """Return out-of-fold predictions of ``rows``; see `mgvae.evaluation.fits.plan_folds`.

    Raises:
        OutcomeError: fewer than two groups with an event.
    """
    plan = plan_folds(rows.labels, n_folds=n_folds, repeats=repeats, seed=seed, usable=usable)
    return _Assembly(rows, plan, chain, plan.fits, compute_cells(rows, plan.fits, chain, run)).folds()


def predict_both(
    train: AnyRows, test: AnyRows | None, chain: Chain, *, n_folds: int, repeats: int, seed: int, run: Run = HERE
) -> Evaluated:
    """Return out-of-fold predictions of ``train`` and predictions of ``test``.

    All cells are computed in one go, those of the largest fit first.

    Raises:
        OutcomeError: fewer than two groups with an event.
    """
    plan = plan_folds(train.labels, n_folds=n_folds, repeats=repeats, seed=seed)
    rows, fits = train, plan.fits
    if test is not None:
        n = len(train)
        rows, whole = joined(train, test), Fit(WHOLE, np.arange(n), np.arange(n, n + len(test)), holdout_seed(seed))
        fits = {WHOLE: whole, **plan.fits}
    found = _Assembly(rows, plan, chain, fits, compute_cells(rows, fits, chain, run))
    learned = {model: found.out_of_fold(model) for model in found.models}
    recalibration = {model: _average(parts) for model, parts in learned.items()}
    if test is None:
        return Evaluated(found.folds(), None, recalibration, recalibration)
    final = {model: _average([_together(part, found.tested(WHOLE, model)) for part in learned[model]]) for model in learned}
    return Evaluated(found.folds(), found.holdout(test, recalibration), recalibration, final)


def holdout_seed(seed: int) -> int:
    """Return the seed of the chain on the whole training part."""
    return derive(seed, "holdout")


@dataclass(frozen=True)
class _Assembly:
    """The outcomes of all cells.

    Attributes:
        rows: what the positions of the fits refer to.
    """

    rows: AnyRows
    plan: Plan
    chain: Chain
    fits: dict[str, Fit]
    outcomes: Outcomes

    @property
    def unavailable(self) -> dict[Arm, str]:
        """Arm -> why it could not be run on some fit."""
        return {arm: one.unavailable for arm, one in self._all() if one.unavailable is not None}

    @property
    def models(self) -> list[Model]:
        """The arms with a fit of their own, with each classifier, that ran everywhere."""
        arms = [arm for arm in self.chain.fitted_arms if arm not in self.unavailable]
        possible = [(arm, classifier) for arm in arms for classifier in self.chain.classifiers]
        return [(arm, name) for arm, name in possible if all(name in found[arm].raw for found in self.outcomes.values())]

    def folds(self) -> Predictions:
        """Return the out-of-fold predictions of the training part."""
        n = 1 + max(int(tested.rows.max()) for tested in self.plan.folds)
        shape = (1 + max(tested.repeat for tested in self.plan.folds), n)
        fold, prevalence = np.zeros(shape, dtype=np.int16), np.full(shape, np.nan)
        probability: dict[Key, FloatArray] = {}
        for tested in self.plan.folds:
            at = tested.repeat, tested.rows
            fold[at], prevalence[at] = tested.fold, self._prevalence(tested.fit)
            for model in self.models:
                for key, values in self._variants(tested.fit, model, self._recalibration(tested, model)).items():
                    probability.setdefault(key, np.full(shape, np.nan))[at] = values
        training = self.rows.labels.take(np.arange(n))
        return self._predictions(training, fold, prevalence, probability)

    def holdout(self, test: AnyRows, recalibration: dict[Model, Recalibration]) -> Predictions:
        """Return the predictions of the test part."""
        found = [self._variants(WHOLE, model, recalibration[model]) for model in self.models]
        probability = {key: values[None] for variants in found for key, values in variants.items()}
        shape = (1, len(test))
        return self._predictions(test, np.zeros(shape, dtype=np.int16), np.full(shape, self._prevalence(WHOLE)), probability)

    def out_of_fold(self, model: Model) -> list[Learned]:
        """Return outcome and offset prediction of all training rows, by repeat."""
        repeats: dict[int, list[Learned]] = {}
        for tested in self.plan.folds:
            repeats.setdefault(tested.repeat, []).append(self.tested(tested.fit, model))
        return [_together(*parts) for parts in repeats.values()]

    def tested(self, name: str, model: Model, rows: IntArray | None = None) -> Learned:
        """Return outcome and offset prediction of rows that a fit predicts; all by default."""
        fit, outcome = self.fits[name], self.outcomes[name][model[0]]
        chosen = fit.predicted if rows is None else rows
        raw = outcome.raw[model[1]][np.searchsorted(fit.predicted, chosen)]
        moved = offset(raw, fitted_share=outcome.fitted_share, share=self._prevalence(name))
        return self.rows.event[chosen], moved, self.rows.weights[chosen]

    def _recalibration(self, tested: Tested, model: Model) -> Recalibration:
        if not tested.inner:
            return Recalibration()
        return fit_recalibration(*_together(*(self.tested(name, model, rows) for name, rows in tested.inner)))

    def _variants(self, name: str, model: Model, recalibration: Recalibration) -> dict[Key, FloatArray]:
        """Return the predictions of a fit in all variants, also for the arms that share it."""
        arm, classifier = model
        moved = self.tested(name, model)[1]
        values = {"raw": self.outcomes[name][arm].raw[classifier], "offset": moved, "recalibrated": recalibration(moved)}
        arms = (arm, *(other for other, same in SAME_FIT.items() if same == arm and other in self.chain.arms))
        return {(each, classifier, variant): found for each in arms for variant, found in values.items()}  # type: ignore[misc]

    def _prevalence(self, name: str) -> float:
        return self.rows.share(self.fits[name].fitted)

    def _all(self) -> Iterable[tuple[Arm, ArmOutcome]]:
        return ((arm, one) for found in self.outcomes.values() for arm, one in found.items())

    def _predictions(
        self, rows: AnyRows, fold: NDArray[np.int16], prevalence: FloatArray, probability: dict[Key, FloatArray]
    ) -> Predictions:
        remarks = (*self.plan.remarks, *(remark for _, one in self._all() for remark in one.remarks))
        distinct = tuple(dict.fromkeys(remarks))
        return Predictions(rows.event, rows.group, fold, prevalence, probability, self.unavailable, distinct, rows.weight)


def _together(*parts: Learned) -> Learned:
    event, probability, weight = (np.concatenate(each) for each in zip(*parts, strict=True))
    return event, probability, weight


def _average(repeats: list[Learned]) -> Recalibration:
    """Return the mean recalibration over repeats: each subject counts once in each."""
    found = [fit_recalibration(*learned) for learned in repeats]
    slope = float(np.exp(np.mean([np.log(one.slope) for one in found])))
    return Recalibration(intercept=float(np.mean([one.intercept for one in found])), slope=slope)
