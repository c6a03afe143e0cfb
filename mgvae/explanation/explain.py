"""Explain the recommended model beside the one without correction, on held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mgvae.arrays import FloatArray
from mgvae.classifiers.classifier import Classifier as Fittable
from mgvae.classifiers.portable import LinearScorer, Scorer, scorer_of
from mgvae.classifiers.terms import coefficients
from mgvae.cohort.split import folds
from mgvae.cohort.stored_rows import AnyRows
from mgvae.cohort.subgroups import Subgroup
from mgvae.config.sections import Arm, Classifier
from mgvae.config.study import CohortConfig
from mgvae.evaluation.arm_kinds import GENERATIVE, SAME_FIT
from mgvae.evaluation.arms import with_cases
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.cross_validation import holdout_seed
from mgvae.evaluation.evaluate import chain_of, evaluation_seed
from mgvae.evaluation.fits import usable_folds
from mgvae.evaluation.majority import draw_majority
from mgvae.evaluation.one_split import fit_chain, fit_classifier
from mgvae.explanation.contributions import Contributions, contributions
from mgvae.explanation.importance import Explained, dependences, group_importances, importances, largest, sizes
from mgvae.generator.synthetic import Synthetic
from mgvae.reproducibility import derive
from mgvae.results.evaluation import ModelName
from mgvae.results.explanations import Explanations, ModelExplanation
from mgvae.results.recommendation import Recommendation

FEWEST_EVENTS = 15  # of a hold-out that is explained; a smaller one says little of the cases
CASES_ARM: Arm = "mgvae"  # whose cases the stages of the generator have made from the training part
OnDone = Callable[[int, int], None]
Model = Scorer | Fittable


@dataclass(frozen=True)
class Part:
    """Rows to fit on and rows to explain.

    Attributes:
        name: hold-out or fold.
        fitting, explained: rows without a group in common.
        groups: subgroups of the explained rows.
        seed: of arms and classifiers on these fitting rows.
        cases: synthetic cases made from the fitting rows, where there are any.
        fitted: models of the recommended classifier that are fitted on these rows already.
    """

    name: str
    fitting: AnyRows
    explained: AnyRows
    groups: tuple[Subgroup, ...]
    seed: int
    cases: Synthetic | None = None
    fitted: Mapping[Arm, Model] = field(default_factory=dict)


def explain(
    train: AnyRows,
    held: AnyRows,
    groups: tuple[Sequence[Subgroup], Sequence[Subgroup]],
    config: CohortConfig,
    chosen: Recommendation,
    cases: Synthetic | None,
    *,
    fitted: Mapping[Arm, Model] | None = None,
    on_done: OnDone | None = None,
) -> Explanations:
    """Explain the recommended classifier without correction and with an arm.

    The models are those that predicted the hold-out: fitted on the whole training part.

    Args:
        train, held: the training part and the hold-out.
        groups: subgroups of both.
        config: the study.
        chosen: its classifier is explained, without correction and with the arm of `compared_arm`.
        cases: synthetic cases made from the training part; without them, an arm that generates cases trains its generator.
        fitted: models of the recommended classifier that are fitted on the training part already, by arm.
        on_done: called with (done, total) after each model.
    Raises:
        OutcomeError: too few events to fit a model.
        TrainingError: a generator could not be trained.
    """
    splits = _fold_parts(train, groups[0], config)
    seed = holdout_seed(evaluation_seed(config))
    whole = Part("hold-out", train, held, tuple(groups[1]), seed, cases, fitted or {})
    part = whole if held.event.sum() >= FEWEST_EVENTS else splits[0]
    arm = compared_arm(chosen, config.evaluation.arms)
    arms: tuple[Arm, ...] = ("none",) if arm is None else ("none", arm)
    cheap = [arm for arm in arms if arm not in GENERATIVE]
    total, done = len(arms) + len(cheap) * len(splits), 0

    def note() -> None:
        nonlocal done
        done += 1
        if on_done is not None:
            on_done(done, total)

    by_arm: dict[Arm, list[FloatArray]] = {}
    for name in cheap:
        by_arm[name] = []
        for split in splits:
            by_arm[name].append(sizes(_contributions(split, name, chosen.classifier, config)[1].values))
            note()
    found: dict[Arm, tuple[Model, Contributions]] = {}
    for name in arms:
        found[name] = _contributions(part, name, chosen.classifier, config)
        note()
    followed = largest([one.values for _, one in found.values()], list(config.columns.features))
    models = [
        _summary(part, ModelName(arm=name, classifier=chosen.classifier), made, by_arm.get(name, []), followed, config)
        for name, made in found.items()
    ]
    return Explanations(
        part="hold-out" if part.name == "hold-out" else "fold",
        n=len(part.explained),
        events=int(part.explained.event.sum()),
        bootstrap=config.evaluation.bootstrap,
        models=tuple(models),
        remarks=_remarks(part, arms),
    )


def compared_arm(chosen: Recommendation, arms: Sequence[Arm]) -> Arm | None:
    """Return the arm to set beside no correction; None where no other changes a model.

    It is the recommended one, else the best challenger, else the one with translated cases, else the last.
    """
    challenger = chosen.difference.arm if chosen.difference is not None else None
    others = [arm for arm in arms if arm != "none" and arm not in SAME_FIT]
    return next((arm for arm in (chosen.arm, challenger, CASES_ARM, *reversed(others)) if arm in others), None)


def _fold_parts(train: AnyRows, groups: Sequence[Subgroup], config: CohortConfig) -> list[Part]:
    """Return the folds of the first cross-validation."""
    seed, event = evaluation_seed(config), train.event == 1
    count = usable_folds(train.labels, config.evaluation.folds)
    parts = []
    for number, (fit, test) in enumerate(folds(event, train.group, n_folds=count, seed=derive(seed, "folds", 0))):
        own = tuple(replace(group, member=group.member[test]) for group in groups)
        parts.append(Part("fold", train.part(fit), train.part(test), own, derive(seed, "split", 0, number)))
    return parts


def _fitted(part: Part, arm: Arm, classifier: Classifier, config: CohortConfig) -> Model:
    """Return the classifier fitted on the part's rows as the arm treats them."""
    if arm in part.fitted:
        return part.fitted[arm]
    chain = chain_of(config)
    if arm == CASES_ARM and part.cases is not None:
        drawn = draw_majority(part.fitting.event, part.fitting.group, chain.majority_rows, seed=part.seed).rows
        treated = with_cases(part.fitting.take(drawn), part.cases.features, part.cases.remarks)
        return _plain(fit_classifier(classifier, treated, chain, part.seed))
    return _plain(fit_chain(part.fitting, chain, arm, classifier, seed=part.seed).classifier)


def _plain(model: Fittable) -> Model:
    """Return a model as plain numbers, which are explained by their form; one of the user's own as it is."""
    try:
        return scorer_of(model)
    except TypeError:
        return model


def _contributions(part: Part, arm: Arm, classifier: Classifier, config: CohortConfig) -> tuple[Model, Contributions]:
    """Return a model and its contributions; all models of a part see the same sample."""
    scorer = _fitted(part, arm, classifier, config)
    generator = np.random.default_rng(derive(part.seed, "explanations"))
    return scorer, contributions(scorer, part.explained.features, part.fitting.features, generator)


def _summary(
    part: Part,
    name: ModelName,
    made: tuple[Model, Contributions],
    by_fold: Sequence[FloatArray],
    followed: list[str],
    config: CohortConfig,
) -> ModelExplanation:
    """Return the aggregates of a model's contributions."""
    scorer, found = made
    rows = part.explained.take(found.rows)
    plan = resamples(rows.event, rows.group, n=config.evaluation.bootstrap, seed=derive(config.seed, "bootstrap", "explain"))
    weights = np.concatenate(list(plan.chunks()), axis=1)
    explained = Explained(found.values, rows.features, config.columns.features, weights)
    groups = [replace(group, member=group.member[found.rows]) for group in part.groups]
    return ModelExplanation(
        arm=name.arm,
        classifier=name.classifier,
        explainer=found.explainer,
        n=len(rows),
        base=found.base,
        columns=importances(explained, by_fold),
        groups=group_importances(explained, groups, followed),
        dependence=dependences(explained, followed),
        coefficients=coefficients(scorer, rows.features) if isinstance(scorer, LinearScorer) else (),
    )


def _remarks(part: Part, arms: Sequence[Arm]) -> tuple[str, ...]:
    remarks = []
    if part.name == "fold":
        remarks.append(
            f"The hold-out has fewer than {FEWEST_EVENTS} events: the patients of the first fold are explained, by models "
            "fitted on the other folds."
        )
    if any(arm in GENERATIVE for arm in arms):
        remarks.append("Over the folds only models without a generator are fitted again.")
    return tuple(remarks)
