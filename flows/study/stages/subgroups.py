"""The stage subgroups: how the recommended model does by subgroup."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.progress import reporter
from flows.study.stages.stage import SUBGROUPS, Inputs, Stage, read_result, sections, write_result
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import load_cohort
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.split import followed_sides
from mgvae.config.sections import Arm
from mgvae.config.study import CohortConfig
from mgvae.results.recommendation import RECOMMENDATION, Recommendation
from mgvae.results.subgroups import SubgroupPart, Subgroups

if TYPE_CHECKING:
    from mgvae.cohort.subgroups import Cuts
    from mgvae.evaluation.predictions import Predictions


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Measure models by subgroup; write ``subgroups.json``."""
    from mgvae.cohort.subgroups import cut_points
    from mgvae.evaluation.prediction_files import load_predictions
    from mgvae.evaluation.subgroups import FEWEST_EVENTS, FEWEST_OF_A_PART

    cohort, test = load_cohort(inputs["split"], features=False)
    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    train, held = cohort.take(~test), cohort.take(test)
    measure = partial(_measure, config, chosen, cut_points(train, config))
    followed = followed_sides(cohort, test)
    inner, outer = load_predictions(inputs["evaluate"])
    training = measure(train, inner, followed[0], use="cross-validation")
    reporter().advanced(1, 2, "cross-validation")
    enough = outer is not None and outer.event.sum() >= FEWEST_OF_A_PART
    holdout = measure(held, outer, followed[1], use="hold-out") if outer is not None and enough else None
    reporter().advanced(2, 2, "hold-out")
    bootstrap = config.evaluation.bootstrap
    found = Subgroups(fewest_events=FEWEST_EVENTS, bootstrap=bootstrap, training=training, holdout=holdout)
    write_result(folder / SUBGROUPS, found)


def _measure(
    config: CohortConfig,
    chosen: Recommendation,
    cuts: Cuts,
    part: Cohort,
    predictions: Predictions,
    followed: FollowUp | None,
    *,
    use: str,
) -> SubgroupPart:
    """Measure no correction and the recommended arm on a part of the cohort."""
    from mgvae.cohort.subgroups import subgroups_of
    from mgvae.evaluation.bootstrap import resamples
    from mgvae.evaluation.subgroups import subgroup_part
    from mgvae.reproducibility import derive
    from mgvae.threads import one_thread

    seed = derive(config.seed, "bootstrap", use)  # the resamples of the evaluation
    n = config.evaluation.bootstrap
    plan = resamples(predictions.event, predictions.group, n=n, seed=seed, follow_up=followed)
    arms: tuple[Arm, ...] = tuple(dict.fromkeys(("none", chosen.arm)))
    with one_thread(torch=False):
        return subgroup_part(predictions, subgroups_of(part, config, cuts), [(arm, chosen.classifier) for arm in arms], plan)


READS = sections("group", "columns", "evaluation")
STAGE = Stage("subgroups", make, needs=("split", "evaluate", "model"), reads=READS)
