"""Measure performance against the number of training events.

Where it still rises between two thirds of the events and all of them, more patients are likely to help; see Christodoulou et
al. 2021, doi 10.1186/s41512-021-00096-8, for such curves of clinical prediction models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mgvae.arrays import BoolArray
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.groups import deal_groups
from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Classifier
from mgvae.config.study import CohortConfig
from mgvae.errors import OutcomeError
from mgvae.evaluation.arm_kinds import GENERATIVE, SAME_FIT
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.cells import HERE, KeptCells, Run
from mgvae.evaluation.cross_validation import cross_validate
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.fits import plan_folds, usable_folds
from mgvae.evaluation.intervals import estimates
from mgvae.evaluation.one_split import ArmOutcome
from mgvae.evaluation.predictions import Key, Predictions
from mgvae.evaluation.sample_size import sample_size
from mgvae.evaluation.summary import score
from mgvae.reproducibility import derive
from mgvae.results.evaluation import JUDGED, Metric, ModelName, Scores, Variant
from mgvae.results.learning_curve import LearningCurveResult, LearningLine, LearningPoint
from mgvae.results.numbers import Estimate

ByClassifier = Mapping[Classifier, Mapping[Variant, Scores]]
METRICS: tuple[Metric, ...] = ("auroc", "log_loss", "net_benefit", "scaled_brier", "calibration_slope")


@dataclass(frozen=True)
class Thinned:
    """A repeat of the cross-validation and the rows that it may fit on.

    Attributes:
        share: of the rows that may be fitted on.
        repeat: number of the repeat, from 0; it decides the folds.
        usable: these rows, bool ``(N,)``.
    """

    share: float
    repeat: int
    usable: BoolArray

    @property
    def name(self) -> str:
        """Its name among all of a learning curve."""
        return f"share-{self.share:.3f}-repeat-{self.repeat}"


def learning_curve(
    train: AnyRows,
    config: CohortConfig,
    *,
    reference: ModelName,
    recommended: ModelName,
    plain: ByClassifier,
    run: Run = HERE,
    follow_up: FollowUp | None = None,
) -> LearningCurveResult:
    """Return performance against the number of training events, and the sample size needed.

    Args:
        train: the training part; cross-validated.
        config: the study.
        reference: no correction with its best classifier.
        recommended: the recommended model.
        plain: measures of no correction, by classifier and variant; the AUROC of the logistic regression (of the reference
            where there is none) decides the sample size needed.
        run: how the cells are computed. The numbers do not depend on it.
        follow_up: of the training part, with the patients whose outcome is unknown; its rows then have weights.
    Raises:
        OutcomeError: too few events to cross-validate with all rows.
    """
    lines: list[Callable[[], LearningLine]] = []
    remarks: list[str] = []
    models = dict.fromkeys(_fitted_model(model) for model in (reference, recommended))
    parts = {model: thinned(train, config, repeats=_repeats(model, config)) for model in models}
    cells, before = {model: [_count(train, config, part) for part in chosen] for model, chosen in parts.items()}, 0
    total = sum(map(sum, cells.values()))
    for model, chosen in parts.items():
        found: dict[float, list[Predictions]] = {}
        for part, count in zip(chosen, cells[model], strict=True):
            predictions = _predicted(train, config, model, part, run.part(before, total))
            before += count
            if isinstance(predictions, str):
                remarks.append(f"With {part.share:.0%} of the fitting rows: {predictions}")
            else:
                found.setdefault(part.share, []).append(predictions)
        if found:
            lines.append(run.beside(_line, train, config, model, found, chosen, follow_up))
    return LearningCurveResult(
        folds=usable_folds(train.labels, config.evaluation.folds),
        lines=tuple(line() for line in lines),
        sample_size=sample_size(train, _auroc(plain, reference)),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def thinned(train: AnyRows, config: CohortConfig, *, repeats: int) -> list[Thinned]:
    """Return which rows may be fitted on, by share and repeat.

    Whole groups are taken, cases and non-cases at natural prevalence; the rows of a share are among those of the next one.
    Other repeats take other rows.
    """
    shares = (*config.learning_curve.shares, 1.0)
    steps = np.diff([0.0, *shares]).tolist()
    found = []
    for repeat in range(repeats):
        seed = derive(_seed(config), "thinning", repeat)
        part = deal_groups(train.event == 1, train.group, steps, seed=seed, use="learning curve")
        found += [Thinned(share, repeat, np.asarray(part <= place)) for place, share in enumerate(shares)]
    return sorted(found, key=lambda one: one.share)


def stacked(repeats: Sequence[Predictions]) -> Predictions:
    """Return several cross-validations of the same rows as one."""
    first = repeats[0]
    return replace(
        first,
        fold=np.concatenate([one.fold for one in repeats]),
        prevalence=np.concatenate([one.prevalence for one in repeats]),
        probability={key: np.concatenate([one.probability[key] for one in repeats]) for key in first.probability},
        remarks=tuple(dict.fromkeys(remark for one in repeats for remark in one.remarks)),
    )


def _predicted(train: AnyRows, config: CohortConfig, model: ModelName, part: Thinned, run: Run) -> Predictions | str:
    """Return out-of-fold predictions by models fitted on a part of the rows, or why there are none."""
    chain = replace(chain_of(config), arms=(model.arm,), classifiers=(model.classifier,))
    seed = _fold_seed(config, part.repeat)
    kept = None if run.kept is None else _OfPart(run.kept, f"{part.name}-{model.classifier}")
    try:
        found = cross_validate(
            train,
            chain,
            n_folds=config.evaluation.folds,
            repeats=1,
            seed=seed,
            usable=part.usable,
            run=replace(run, kept=kept),
        )
    except OutcomeError as error:
        if part.share == 1:
            raise
        return str(error)
    return found.unavailable.get(model.arm, found)


def _line(
    train: AnyRows,
    config: CohortConfig,
    model: ModelName,
    found: dict[float, list[Predictions]],
    parts: Sequence[Thinned],
    follow_up: FollowUp | None,
) -> LearningLine:
    n, seed = config.evaluation.bootstrap, derive(_seed(config), "bootstrap")
    plan = resamples(train.event, train.group, n=n, seed=seed, follow_up=follow_up)
    key: Key = (model.arm, model.classifier, JUDGED)
    scores = {share: score(stacked(repeats), plan, config.evaluation)[key] for share, repeats in found.items()}
    fitted = 1 - 1 / usable_folds(train.labels, config.evaluation.folds)  # each row is left out of one fit
    points = tuple(
        LearningPoint(
            share=share,
            n=fitted * float(np.mean([part.usable.sum() for part in parts if part.share == share])),
            events=fitted * float(np.mean([train.event[part.usable].sum() for part in parts if part.share == share])),
            scores={name: estimate for name, estimate in estimates(measures).items() if name in METRICS},
        )
        for share, measures in scores.items()
    )
    last = list(scores.values())[-2:]
    gain = {name: (last[1][name] - last[0][name]).difference(name) for name in METRICS} if len(last) == 2 else {}
    return LearningLine(arm=model.arm, classifier=model.classifier, repeats=_repeats(model, config), points=points, gain=gain)


@dataclass(frozen=True)
class _OfPart:
    """Kept cells of a part: the names of its cells are unique within it alone."""

    cells: KeptCells
    part: str

    def load(self, name: str) -> ArmOutcome | None:
        return self.cells.load(f"{self.part}-{name}")

    def save(self, name: str, outcome: ArmOutcome, seconds: float) -> None:
        self.cells.save(f"{self.part}-{name}", outcome, seconds)


def _auroc(plain: ByClassifier, reference: ModelName) -> Estimate:
    known = plain.get("logistic_regression") or plain[reference.classifier]
    return known[JUDGED]["auroc"]


def _seed(config: CohortConfig) -> int:
    return derive(config.seed, "learning curve")


def _fold_seed(config: CohortConfig, repeat: int) -> int:
    return derive(_seed(config), "repeat", repeat)


def _count(train: AnyRows, config: CohortConfig, part: Thinned) -> int:
    """Return how many fits a part of the rows takes."""
    seed = _fold_seed(config, part.repeat)
    return len(plan_folds(train.labels, n_folds=config.evaluation.folds, repeats=1, seed=seed, usable=part.usable).fits)


def _repeats(model: ModelName, config: CohortConfig) -> int:
    return 1 if model.arm in GENERATIVE else config.learning_curve.repeats


def _fitted_model(model: ModelName) -> ModelName:
    """Return the model that is fitted: an arm that moves the threshold alone has that of another."""
    return ModelName(arm=SAME_FIT.get(model.arm, model.arm), classifier=model.classifier)
