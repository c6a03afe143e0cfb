"""The results as text: a table per cohort and classifier, differences to no correction, rankings, and the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tests.benchmarks.oversamplers.arms import ABLATIONS, MGVAE_ARMS, OVERSAMPLING
from tests.benchmarks.oversamplers.cohorts import Table
from tests.benchmarks.oversamplers.ranks import Interval, Ranking, against, corrected_interval, holm, ranked
from tests.benchmarks.oversamplers.results import Result

WITH_INTERVAL = ("auroc", "auprc", "balanced_accuracy")
RANKED = {"auprc": "AUPRC", "balanced_accuracy": "balanced accuracy"}
OURS, REFERENCE = "mgvae", "none"
LEVEL = 0.05
HEAD = (
    f"{'arm':22}{'AUROC':>22}{'AUPRC':>22}{'balanced accuracy':>22}{'G-mean':>8}{'Brier':>8}{'O/E':>8}{'seconds':>9}\n"
    + "-" * 121
)

Block = tuple[str, str]  # cohort, classifier
Blocks = dict[Block, dict[str, list[Result]]]  # of each arm, in the order of seed and fold


def report(
    results: Sequence[Result],
    tables: Sequence[Table],
    arms: Sequence[str],
    classifiers: Sequence[str],
    *,
    seeds: int,
    ablation_seeds: int,
    n_folds: int,
) -> str:
    """Return everything that is printed.

    Args:
        results: of all arms and folds; an arm that lacks a fold of a cohort is not compared there.
        tables: the cohorts.
        arms: in the order of the rows.
        classifiers: one table each per cohort.
        seeds, ablation_seeds, n_folds: of the study.
    """
    fewer = min(seeds, ablation_seeds)
    blocks = _blocks(results, tables, classifiers, folds=seeds * n_folds, ablation_folds=fewer * n_folds)
    share = 1 / (n_folds - 1)
    parts = [
        f"{seeds} seeds x {n_folds} folds, raw probabilities, threshold 0.5. Means over folds; in brackets 95 % intervals\n"
        "of the corrected resampled t test (Nadeau & Bengio 2003). O/E is observed over expected events, all folds\n"
        "together: 1 is calibrated. Seconds: median of resampling. A dash: the arm does not apply, or lacks a fold.\n"
        f"Ablations of the sampler: seeds 0 to {fewer - 1} alone; where they are compared, all arms on those."
    ]
    for table in tables:
        n, p = table.features.shape
        events = int(table.event.sum())
        for name in classifiers:
            title = f"== {table.name}, {name}: {n} rows, {events} events ({events / n:.2%}), {p} columns"
            measured = blocks[table.name, name]
            rows = [_row(arm, measured.get(arm), name, share) for arm in arms]
            parts.append("\n".join([title, HEAD, *rows]))
    parts += [_differences(blocks, arms, share), *_rankings(blocks, arms), _targets(blocks, arms, share)]
    return "\n\n".join(part for part in parts if part)


def _blocks(
    results: Sequence[Result], tables: Sequence[Table], classifiers: Sequence[str], *, folds: int, ablation_folds: int
) -> Blocks:
    """Return the results by block and arm, of arms that have every fold."""
    by_arm: dict[tuple[str, str], list[Result]] = {}
    for result in sorted(results, key=lambda one: (one.seed, one.fold)):
        by_arm.setdefault((result.cohort, result.arm), []).append(result)
    wanted = {arm: ablation_folds if arm in ABLATIONS else folds for _, arm in by_arm}
    whole = {at: found for at, found in by_arm.items() if len(found) == wanted[at[1]]}
    return {
        (table.name, name): {arm: found for (cohort, arm), found in whole.items() if cohort == table.name}
        for table in tables
        for name in classifiers
    }


def _values(results: Sequence[Result], classifier: str, measure: str) -> list[float]:
    return [result.scores[classifier][measure] for result in results]


def _row(arm: str, results: Sequence[Result] | None, classifier: str, share: float) -> str:
    if results is None:
        return f"{arm:22}" + "".join(f"{'-':>{width}}" for width in (22, 22, 22, 8, 8, 8, 9))
    cells = [_bracketed(corrected_interval(_values(results, classifier, name), test_share=share)) for name in WITH_INTERVAL]
    g_mean, brier = (float(np.mean(_values(results, classifier, name))) for name in ("g_mean", "brier"))
    observed, expected = (sum(_values(results, classifier, name)) for name in ("events", "expected"))
    seconds = float(np.median([result.seconds for result in results]))
    return (
        f"{arm:22}"
        + "".join(f"{cell:>22}" for cell in cells)
        + f"{g_mean:8.3f}{brier:8.4f}{observed / expected:8.3f}{seconds:9.1f}"
    )


def _bracketed(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f}, {interval.high:.3f})"


def _auroc_less_none(blocks: Blocks, arm: str, share: float) -> dict[Block, tuple[Interval, float]]:
    """Return on each block an arm's AUROC less that of no correction, and its p value by Holm over the blocks."""
    found = {}
    for (cohort, name), measured in blocks.items():
        if arm in measured and REFERENCE in measured:
            shared = len(measured[arm])  # an ablation has the first seeds alone
            ours, theirs = (_values(measured[one][:shared], name, "auroc") for one in (arm, REFERENCE))
            found[cohort, name] = corrected_interval(np.subtract(ours, theirs).tolist(), test_share=share)
    adjusted = holm([interval.p for interval in found.values()])
    return {block: (interval, p) for (block, interval), p in zip(found.items(), adjusted, strict=True)}


def _differences(blocks: Blocks, arms: Sequence[str], share: float) -> str:
    lines = [
        "== AUROC less that of no correction on the same folds\n"
        "Mean with the 95 % interval of the corrected resampled t test, its p value, and that by Holm over the arm's blocks."
    ]
    for arm in arms:
        if arm == REFERENCE:
            continue
        for (cohort, name), (interval, p) in _auroc_less_none(blocks, arm, share).items():
            verdict = {True: "worse", False: "better"}[interval.mean < 0] if p < LEVEL else ""
            numbers = f"{interval.mean:+.3f} ({interval.low:+.3f}, {interval.high:+.3f})  p {interval.p:.3f}  Holm {p:.3f}"
            lines.append(f"{arm:22}{cohort:18}{name:32}{numbers}  {verdict}".rstrip())
    return "\n".join(lines) if len(lines) > 1 else ""


def _table(blocks: Blocks, arms: Sequence[str], measure: str) -> dict[str, list[float]]:
    """Return by arm the mean on each block where all of ``arms`` were measured, over the folds that all of them have."""
    shared = {block: measured for block, measured in blocks.items() if all(arm in measured for arm in arms)}
    if not shared:
        return {}
    folds = min(len(measured[arm]) for measured in shared.values() for arm in arms)
    return {
        arm: [float(np.mean(_values(measured[arm][:folds], block[1], measure))) for block, measured in shared.items()]
        for arm in arms
    }


def _competitors(blocks: Blocks, arms: Sequence[str]) -> list[str]:
    """Return the oversampling arms that are measured on every block: ADASYN is not where it does not apply everywhere."""
    return [arm for arm in OVERSAMPLING if arm in arms and all(arm in measured for measured in blocks.values())]


def _rankings(blocks: Blocks, arms: Sequence[str]) -> list[str]:
    main = _competitors(blocks, arms)
    kinds = [("oversampling arms", main)]
    if "adasyn" in arms and "adasyn" not in main:
        kinds.append(("oversampling arms where ADASYN applies", [*main, "adasyn"]))
    kinds.append(("all arms but the ablations", [arm for arm in (REFERENCE, "class_weight") if arm in arms] + main))
    kinds.append(("the sampler and its ablations", [arm for arm in MGVAE_ARMS if arm in arms]))
    texts = []
    for measure, shown in RANKED.items():
        for what, chosen in kinds:
            values = _table(blocks, chosen, measure) if len(chosen) > 1 else {}
            if values:
                texts.append(_ranking_text(f"== Mean ranks in {shown}, {what}", ranked(values), values))
    if texts:
        texts[0] = (
            "A block is a cohort with a classifier. Blocks are not independent (classifiers share folds, outcomes patients),\n"
            "so take the p values of rankings as a guide.\n\n" + texts[0]
        )
    return texts


def _ranking_text(title: str, ranking: Ranking, values: Mapping[str, Sequence[float]]) -> str:
    lines = [f"{title}: {ranking.blocks} blocks, Friedman p {ranking.friedman_p:.4f}"]
    tests = against(values, OURS) if OURS in values else {}
    for arm, rank in zip(ranking.arms, ranking.mean_ranks, strict=True):
        line = f"{arm:22}{rank:6.2f}   mean {np.mean(values[arm]):.4f}"
        if arm in tests:
            wins = int(np.sum(np.greater(values[OURS], values[arm])))
            p, adjusted = tests[arm]
            line += f"   {OURS} better on {wins} of {ranking.blocks}, Wilcoxon p {p:.4f}, Holm {adjusted:.4f}"
        lines.append(line)
    return "\n".join(lines)


def _targets(blocks: Blocks, arms: Sequence[str], share: float) -> str:
    return "\n".join([*(_rank_target(blocks, arms, measure) for measure in RANKED), _auroc_target(blocks, share)])


def _rank_target(blocks: Blocks, arms: Sequence[str], measure: str) -> str:
    """Say whether the sampler has the best mean rank, also where ADASYN applies; and with whom it could not be compared."""
    name = f"TARGET {RANKED[measure].lower()}"
    main = _competitors(blocks, arms)
    if OURS not in main or len(main) < 2:
        return f"{name}: not measured ({OURS} and another oversampling arm are needed on every block)"
    ranking = ranked(_table(blocks, main, measure))
    ranks = dict(zip(ranking.arms, ranking.mean_ranks, strict=True))
    rank, rival = min((rank, arm) for arm, rank in ranks.items() if arm != OURS)
    met = ranks[OURS] < rank
    text = f"mean rank {ranks[OURS]:.2f} of {len(main)} arms on {ranking.blocks} blocks; best other {rival} {rank:.2f}"
    partly = _table(blocks, [*main, "adasyn"], measure) if "adasyn" not in main else {}
    if partly:
        apart = ranked(partly)
        met = met and apart.arms[0] == OURS
        text += f"; on {apart.blocks} blocks with ADASYN the best is {apart.arms[0]}"
    absent = [arm for arm in OVERSAMPLING if arm not in main and not (arm == "adasyn" and partly)]
    if absent:
        text += f"; not compared with {', '.join(absent)}"
    return f"{name}: {'met' if met else 'not met'} ({text})"


def _auroc_target(blocks: Blocks, share: float) -> str:
    """Say on which blocks the sampler's AUROC is significantly worse than that of no correction."""
    differences = _auroc_less_none(blocks, OURS, share)
    if len(differences) < len(blocks) or not blocks:
        return f"TARGET auroc: not measured ({OURS} and {REFERENCE} are needed on every block)"
    lost = [f"{cohort} {name}" for (cohort, name), (interval, p) in differences.items() if interval.mean < 0 and p < LEVEL]
    below = sum(interval.high < 0 for interval, _ in differences.values())
    counts = f"without adjustment on {below} of {len(differences)} blocks"
    if lost:
        return f"TARGET auroc: not met (significantly worse than {REFERENCE} by Holm: {', '.join(lost)}; {counts})"
    return f"TARGET auroc: met (nowhere significantly worse than {REFERENCE} by Holm; {counts})"
