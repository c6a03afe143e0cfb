"""Results of the learning curve: performance against the number of training events."""

from __future__ import annotations

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.evaluation import Scores
from mgvae.results.numbers import Count, Number, Share
from mgvae.results.sample_size import SampleSize


class LearningPoint(Strict):
    """Performance with a share of the fitting rows.

    Attributes:
        share: of the fitting rows of each fold; the test folds are the same for each share.
        n, events: fitting rows of a fold and events among them, mean over the folds; need not be whole.
        scores: recalibrated, cross-validated.
    """

    share: Share
    n: Number
    events: Number
    scores: Scores


class LearningLine(Strict):
    """The points of a model, by rising share.

    Attributes:
        arm, classifier: the model.
        repeats: cross-validations behind each point.
        points: the last one with all fitting rows.
        gain: measures with all fitting rows less those with the share before, paired over the same subjects.
    """

    arm: Arm
    classifier: Classifier
    repeats: Count
    points: tuple[LearningPoint, ...]
    gain: Scores


class LearningCurveResult(Strict):
    """Performance against the number of training events, and the sample size that is needed.

    Attributes:
        folds: of the cross-validation.
        lines: no correction with its best classifier; and the recommended model where that is another.
        sample_size: what a regression on these predictors needs.
        remarks: what a reader must know, in full sentences.
    """

    folds: Count
    lines: tuple[LearningLine, ...]
    sample_size: SampleSize
    remarks: tuple[str, ...] = ()
