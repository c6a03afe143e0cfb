"""The evaluation: all arms and classifiers, cross-validated and on the hold-out."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from mgvae.cohort.rows import Rows
from mgvae.config.study import CohortConfig
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.cross_validation import OnDone, Predictions, cross_validate, predict_both, usable_folds
from mgvae.evaluation.one_split import Chain
from mgvae.evaluation.summary import ScoreTable, arms_table, contrasts, curves_table, differences_table, score
from mgvae.reproducibility import derive
from mgvae.results.evaluation import Bootstrap, EvaluationResult, PartResult


def evaluate(
    train: Rows,
    test: Rows | None,
    config: CohortConfig,
    *,
    executor: Executor | None = None,
    on_done: OnDone | None = None,
) -> EvaluationResult:
    """Measure every arm with every classifier.

    Args:
        train: the training part of the cohort; cross-validated.
        test: the test part, predicted once by the chain run on the whole training part; None for none.
        config: arms, classifiers, folds, generator, seed.
        executor: computes the splits side by side; None: here, one after another. The numbers do not depend on it.
        on_done: called with (done, total) after each split.

    Raises:
        OutcomeError: too few events to cross-validate.
    """
    settings = config.evaluation
    chain = chain_of(config)
    plan: dict[str, Any] = {"n_folds": settings.folds, "repeats": settings.repeats, "seed": evaluation_seed(config)}
    held: Predictions | None = None
    if test is not None and 0 < test.event.sum() < len(test):
        inner, held = predict_both(train, test, chain, executor=executor, on_done=on_done, **plan)
    else:
        inner = cross_validate(train, chain, executor=executor, on_done=on_done, **plan)
    scores, part = _summarise(inner, config, "cross-validation")
    return EvaluationResult(
        **dict(part),
        folds=usable_folds(train, settings.folds),
        repeats=settings.repeats,
        contrasts=contrasts(scores),
        holdout=None if held is None else _summarise(held, config, "hold-out")[1],
    )


def chain_of(config: CohortConfig) -> Chain:
    """Return the steps that the configuration asks for on each split."""
    settings = config.evaluation
    recipe = Recipe(columns=config.columns.features, training=config.training, prevalence=config.synthesis.prevalence)
    return Chain(
        arms=settings.arms, classifiers=settings.classifiers, calibration_fraction=settings.calibration_fraction, recipe=recipe
    )


def evaluation_seed(config: CohortConfig) -> int:
    """Return the seed of folds, hold-out, arms and classifiers."""
    return derive(config.seed, "evaluation")


def _summarise(predictions: Predictions, config: CohortConfig, use: str) -> tuple[ScoreTable, PartResult]:
    seed = derive(config.seed, "bootstrap", use)
    plan = resamples(predictions.event, predictions.group, n=config.evaluation.bootstrap, seed=seed)
    scores = score(predictions, plan, config.evaluation)
    events = int(predictions.event.sum())
    return scores, PartResult(
        n=len(predictions.event),
        events=events,
        prevalence=events / len(predictions.event),
        bootstrap=Bootstrap(n=plan.n, redrawn=plan.redrawn),
        unavailable=predictions.unavailable,
        remarks=predictions.remarks,
        arms=arms_table(scores),
        differences=differences_table(scores),
        curves=curves_table(predictions),
    )
