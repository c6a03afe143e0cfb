"""How often the 95 % limits of each measure hold the truth, by number of events.

python -m tests.benchmarks.coverage [--studies 600] [--events 10 20 60 200]

Independent test sets of a world of which the truth is known: logits of the risk are normal, the prevalence is 3.3 %, and the
predictions are somewhat too high and too extreme (a second model, for the differences, is noisier and too moderate). The limits
are those of the report, from resamples of the test set.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.intervals import Sample, Score, estimates
from mgvae.evaluation.measures.net_benefit import threshold_grid
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure_probabilities
from mgvae.reproducibility import derive
from mgvae.results.numbers import Estimate

CENTRE, SPREAD, THRESHOLD = -4.0, 1.2, 0.03
RESAMPLES = 300
MANY = 2_000_000


def draw(n: int, rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """Return outcome, true risk, and the predictions of two models, ``(n,)`` each."""
    risk = rng.normal(CENTRE, SPREAD, size=n)
    noise = rng.normal(size=n)
    first = CENTRE + 0.2 + 1.2 * (risk - CENTRE)
    second = CENTRE + 0.2 + 0.6 * (risk - CENTRE) + 0.8 * noise
    return (rng.random(n) < expit(risk)).astype(np.int64), expit(risk), expit(first), expit(second)


def measured(event: Any, probability: Any, weights: Any) -> dict[str, Any]:
    """Return all measures at a fixed threshold and deployment prevalence, ``(R,)`` each."""
    options = {"threshold": THRESHOLD, "thresholds": threshold_grid((0.015, 0.12)), "deployment_prevalence": 0.01}
    return {**ranking(event, probability, weights), **measure_probabilities(event, probability, weights, **options)}


def truths(seed: int) -> tuple[float, dict[str, float], dict[str, float]]:
    """Return the prevalence, the first model's true measures, and its differences from the second."""
    event, risk, first, second = draw(MANY, np.random.default_rng(derive(seed, "truth")))
    one, other = (
        {name: float(values[0]) for name, values in measured(event, p, unit_weights(MANY)).items()} for p in (first, second)
    )
    distance = np.abs(first - risk)
    values = one | {"ici": float(distance.mean()), "e90": float(np.quantile(distance, 0.9))}
    return float(event.mean()), values, {name: one[name] - other[name] for name in one}


def study(n: int, seed: int) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return the estimates and the differences of a test set of ``n`` rows."""
    rng = np.random.default_rng(seed)
    event, _, *models = draw(n, rng)
    while event.sum() < 2:
        event, _, *models = draw(n, rng)
    weights = np.concatenate(list(resamples(event, np.arange(n), n=RESAMPLES, seed=seed).chunks()), axis=1)
    scores = []
    for probability in models:
        sample = Sample(events=int(event.sum()), others=int(n - event.sum()), alerts=float((probability >= THRESHOLD).sum()))
        whole, drawn = measured(event, probability, unit_weights(n)), measured(event, probability, weights)
        scores.append({name: Score(whole[name], drawn[name], sample) for name in whole})
    first, second = scores
    return estimates(first), {name: (first[name] - second[name]).difference(name) for name in first}


def held(found: Sequence[Estimate], truth: float) -> tuple[float, float]:
    """Return the share of known limits that hold the truth, and the share of studies with known limits."""
    known = [one for one in found if one.low is not None and one.high is not None]
    if not known:
        return float("nan"), 0.0
    return float(np.mean([one.low <= truth <= one.high for one in known])), len(known) / len(found)


def coverage(events: int, studies: int, seed: int) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """Return by measure what `held` says of its limits and of those of its differences, ``events`` being expected."""
    prevalence, values, differences = truths(seed)
    n = round(events / prevalence)
    found = [study(n, derive(seed, "coverage", events, place)) for place in range(studies)]
    return {
        name: (
            held([one[name] for one, _ in found], values[name]),
            held([other[name] for _, other in found], differences[name]),
        )
        for name in values
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=600)
    parser.add_argument("--events", type=int, nargs="+", default=[10, 20, 60, 200])
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    tables = {events: coverage(events, chosen.studies, chosen.seed) for events in chosen.events}
    head = " | ".join(f"{events} events" for events in tables)
    print(f"| measure | {head} | difference: {head} |")
    print("|---|" + "---:|" * 2 * len(tables))
    for name in next(iter(tables.values())):
        cells = [_cell(table[name][kind]) for kind in (0, 1) for table in tables.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(share: tuple[float, float]) -> str:
    covered, known = share
    if known == 0:
        return "–"
    return f"{100 * covered:.1f}" + ("" if known > 0.995 else f" ({100 * known:.0f} % known)")


if __name__ == "__main__":
    main()
