"""The evaluation: all arms and classifiers, cross-validated and on the hold-out."""

from __future__ import annotations

from collections import ChainMap

from mgvae.classifiers.factory import options_of
from mgvae.classifiers.own import remarks_on
from mgvae.classifiers.recalibration import Recalibration
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.rules import rules_within
from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Arm, Classifier
from mgvae.config.study import CohortConfig
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.cells import HERE, Run
from mgvae.evaluation.cross_validation import Evaluated, predict_both
from mgvae.evaluation.curves import curves_table, decision_curves
from mgvae.evaluation.fits import usable_folds
from mgvae.evaluation.one_split import Chain
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.summary import ScoreTable, arms_table, by_fit, contrasts, differences_table, score
from mgvae.reproducibility import derive
from mgvae.results.evaluation import Bootstrap, EvaluationResult, Line, PartResult, Recalibrations


def evaluate(
    train: AnyRows,
    test: AnyRows | None,
    config: CohortConfig,
    *,
    run: Run = HERE,
    follow_up: tuple[FollowUp | None, FollowUp | None] = (None, None),
) -> tuple[EvaluationResult, Evaluated]:
    """Measure every arm with every classifier.

    Args:
        train: the training part of the cohort; cross-validated.
        test: the test part, predicted once by the chain run on the whole training part; None for none.
        config: arms, classifiers, folds, generator, seed.
        run: how the cells are computed. The numbers do not depend on it.
        follow_up: of both parts, with the patients whose outcome is unknown; the rows then have weights.

    Returns:
        The measures, and the predictions behind them.

    Raises:
        OutcomeError: too few events to cross-validate.
        ConfigError: a user's own classifier cannot be used.
    """
    settings = config.evaluation
    remarks = remarks_on(settings.own_classifiers)
    held = test if test is not None and 0 < test.event.sum() < len(test) else None
    found = predict_both(
        train,
        held,
        chain_of(config),
        n_folds=settings.folds,
        repeats=settings.repeats,
        seed=evaluation_seed(config),
        run=run,
    )
    measured = None if found.holdout is None else run.beside(_holdout, found.holdout, config, follow_up[1])
    scores, part = _summarise(found.inner, config, "cross-validation", follow_up[0], run)
    result = EvaluationResult(
        **dict(part) | {"remarks": (*remarks, *part.remarks)},
        folds=usable_folds(train.labels, settings.folds),
        repeats=settings.repeats,
        contrasts=contrasts(scores),
        recalibration=_recalibrations(found),
        holdout=None if measured is None else measured(),
    )
    return result, found


def chain_of(config: CohortConfig) -> Chain:
    """Return the steps that the configuration asks for on each split."""
    settings = config.evaluation
    features = config.columns.features
    recipe = Recipe(
        columns=features,
        training=config.training,
        prevalence=config.synthesis.prevalence,
        rules=rules_within(config.columns, features),
        repair=config.synthesis.repair,
    )
    return Chain(
        arms=settings.arms,
        classifiers=settings.classifiers,
        recipe=recipe,
        options=options_of(settings),
        majority_rows=settings.majority_rows,
    )


def evaluation_seed(config: CohortConfig) -> int:
    """Return the seed of folds, hold-out, arms and classifiers."""
    return derive(config.seed, "evaluation")


def _summarise(
    predictions: Predictions, config: CohortConfig, use: str, follow_up: FollowUp | None, run: Run = HERE
) -> tuple[ScoreTable, PartResult]:
    seed = derive(config.seed, "bootstrap", use)
    plan = resamples(predictions.event, predictions.group, n=config.evaluation.bootstrap, seed=seed, follow_up=follow_up)
    parts = [predictions] if run.executor is None else by_fit(predictions)
    calls = [run.beside(score, part, plan, config.evaluation) for part in parts]
    curves, decisions = curves_table(predictions, plan), decision_curves(predictions, plan, config.evaluation)
    found = ChainMap(*(call() for call in calls))
    scores = {key: found[key] for key in predictions.probability}
    return scores, PartResult(
        n=len(predictions.event),
        events=int(predictions.event.sum()),
        prevalence=predictions.share,
        bootstrap=Bootstrap(n=plan.n, redrawn=plan.redrawn),
        unavailable=predictions.unavailable,
        remarks=predictions.remarks,
        arms=arms_table(scores),
        differences=differences_table(scores),
        curves=curves,
        decision_curves=decisions,
    )


def _holdout(predictions: Predictions, config: CohortConfig, follow_up: FollowUp | None) -> PartResult:
    return _summarise(predictions, config, "hold-out", follow_up)[1]


def _recalibrations(found: Evaluated) -> dict[Arm, dict[Classifier, Recalibrations]]:
    table: dict[Arm, dict[Classifier, Recalibrations]] = {}
    for (arm, classifier), training in found.training.items():
        both = Recalibrations(training=_line(training), final=_line(found.final[arm, classifier]))
        table.setdefault(arm, {})[classifier] = both
    return table


def _line(recalibration: Recalibration) -> Line:
    return Line(intercept=recalibration.intercept, slope=recalibration.slope)
