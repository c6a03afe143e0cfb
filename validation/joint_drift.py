"""Drift that no column shows alone: the joint table, the dependence between columns, the relation to the outcome.

Every p-value is exact or by permutation. A classifier learns on one half of the patients and is tested on the other by the
Mann-Whitney test, where its scores are exchangeable if nothing drifted, whatever it learned (Lopez-Paz and Oquab 2017,
arXiv:1610.06545). Half of the patients means whole groups, by a hash of their names, the same in both extracts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.linear_model import LogisticRegression

from mgvae.cohort.embedding import Floats
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.reproducibility import derive, numpy_generator
from validation.twosample import Learner, density_ratio, grow_forest

FEWEST_ROWS, FEWEST_EVENTS, MOST_ROWS, DRAWS = 40, 5, 600, 2999
RAREST = 0.01  # share from which a level has a column of its own


@dataclass(frozen=True)
class Sample:
    """Patients of an extract as numbers.

    Attributes:
        rows: normal scores and indicators, ``(n, K)``.
        event: outcome, 0, 1 or NaN, ``(n,)``.
        group: names of what is drawn whole, ``(n,)``.
    """

    rows: Floats
    event: Floats
    group: Sequence[str]

    def take(self, at: Floats) -> Sample:
        """Return the patients at a bool mask."""
        return Sample(self.rows[at], self.event[at], np.asarray(self.group, dtype=object)[at].tolist())

    @property
    def first_half(self) -> Floats:
        """Which patients belong to the first half, bool ``(n,)``; the same in every extract."""
        return np.array([hashlib.blake2b(name.encode(), digest_size=1).digest()[0] < 128 for name in self.group], dtype=bool)


@dataclass(frozen=True)
class Evidence:
    """A measure of drift with its p-value."""

    value: float
    p: float
    detail: str = ""


def samples(before: pd.DataFrame, after: pd.DataFrame, config: CohortConfig) -> tuple[Sample, Sample, Sample]:
    """Return the earlier patients, those of now, and of these the `newcomers`."""
    before, after = (_in_order(frame, config) for frame in (before, after))
    both = pd.concat([before, after], ignore_index=True)
    was = np.arange(len(both)) < len(before)
    table = _numbers(both, config)
    name = config.outcome.column
    known = both[name].notna().to_numpy() if name in both else np.zeros(len(both), bool)
    event = np.full(len(both), np.nan)
    if known.any():
        event[known] = both.loc[known, name].map(canonical) == canonical(config.outcome.event)
    subject = _names(both, config.subject_id, was)
    group = _names(both, config.group, was) if config.group else subject
    whole = Sample(table, event, [own if text == "" else text for text, own in zip(group, subject, strict=True)])
    now = whole.take(~was)
    return whole.take(was), now, now.take(newcomers(before, after, config))


def newcomers(before: pd.DataFrame, after: pd.DataFrame, config: CohortConfig) -> Floats:
    """Return which patients the earlier extract did not have, bool; all where they are few or have no names."""
    name = config.subject_id
    if name is None or name not in before or name not in after:
        return np.ones(len(after), dtype=bool)
    new = ~after[name].isin(before[name]).to_numpy()
    return new if new.sum() >= FEWEST_ROWS else np.ones(len(after), dtype=bool)


def joint(first: Sample, second: Sample, *, seed: int) -> Evidence | None:
    """Return how well a random forest tells two samples apart, as its AUROC above 0.5; None with few rows."""
    return _told_apart(first, second, grow_forest, seed)


def dependence(first: Sample, second: Sample, *, seed: int) -> Evidence | None:
    """Return the same of the ratio of two normal densities, which sees changed dependence between columns."""
    return _told_apart(first, second, density_ratio, seed)


def relation(first: Sample, second: Sample, *, seed: int) -> Evidence | None:
    """Return how the AUROC of the earlier extract's own model changed.

    Logistic regression learns on the first half of the earlier patients. Its scores of the others are compared with those of
    now, among patients with the event and among those without it; permuting earlier and now within both gives the p-value of
    the difference between the two differences. None where events are few.
    """
    learn = first.first_half & np.isfinite(first.event)
    past, now = first.take(~first.first_half & np.isfinite(first.event)), second.take(_unseen(first, second))
    counts = [(sample.event == kind).sum() for sample in (first.take(learn), past, now) for kind in (0, 1)]
    if min(counts) < FEWEST_EVENTS:
        return None
    model = LogisticRegression(C=0.1, max_iter=500).fit(first.rows[learn], first.event[learn])
    score = stats.rankdata(model.decision_function(np.concatenate([past.rows, now.rows])))
    event = np.concatenate([past.event, now.event]) == 1
    recent = np.arange(len(score)) >= len(past.event)
    rng = numpy_generator(seed, "relation")
    parts = [_permuted(score[event == kind], recent[event == kind], rng) for kind in (True, False)]
    found = parts[0][0] - parts[1][0]
    p = (1 + (np.abs(parts[0][1] - parts[1][1]) >= abs(found) - 1e-9).sum()) / (1 + DRAWS)
    before, after = (_auroc(score[recent == one], event[recent == one]) for one in (False, True))
    return Evidence(after - before, float(p), f"AUROC {before:.3f} before, {after:.3f} now.")


def revised(before: pd.DataFrame, after: pd.DataFrame, config: CohortConfig) -> Evidence | None:
    """Return the share of patients with the event who have it no more, though the outcome is known; None where there are few.

    Events do not unhappen; a few corrections, up to ``drift.revised_warn``, are the null hypothesis of the exact binomial test.
    """
    subject, name = config.subject_id, config.outcome.column
    if subject is None or any(column not in frame for column in (subject, name) for frame in (before, after)):
        return None
    then, now = (frame.dropna(subset=[subject, name]).set_index(subject)[name].map(canonical) for frame in (before, after))
    had = then.index[then == canonical(config.outcome.event)].intersection(now.index)
    if len(had) < FEWEST_EVENTS:
        return None
    lost = int((now.loc[had] != canonical(config.outcome.event)).sum())
    p = float(stats.binom.sf(lost - 1, len(had), config.drift.revised_warn))
    return Evidence(lost / len(had), p, f"{lost:,} of {len(had):,} patients with the event have it no more.")


def _told_apart(first: Sample, second: Sample, learner: Learner, seed: int) -> Evidence | None:
    values, p = [], []
    halves = [(sample.take(sample.first_half), sample.take(~sample.first_half)) for sample in (first, second)]
    if min(len(half.event) for pair in halves for half in pair) < FEWEST_ROWS // 2:
        return None
    for learn in (0, 1):
        rng = numpy_generator(seed, "halves", learn)
        train = [_some(pair[learn].rows, rng) for pair in halves]
        size = min(map(len, train))  # equal sizes: a learner need not know how many there are
        rows = np.concatenate([one[:size] for one in train])
        label = np.repeat([0, 1], size)
        test = [pair[1 - learn] for pair in halves]
        score = learner(rows, label, np.concatenate([one.rows for one in test]), derive(seed, "learner", learn))
        cut = len(test[0].event)
        a, b = (_by_group(part, one.group) for part, one in zip((score[:cut], score[cut:]), test, strict=True))
        found = stats.mannwhitneyu(b, a, alternative="greater")
        values.append(float(found.statistic) / (len(a) * len(b)) - 0.5)
        p.append(float(found.pvalue))
    detail = f"{len(first.event):,} patients before, {len(second.event):,} now."
    return Evidence(float(np.mean(values)), min(1.0, 2 * min(p)), detail)


def _permuted(score: Floats, recent: Floats, rng: np.random.Generator) -> tuple[float, Floats]:
    """Return the difference in mean score, now less before, and the same for `DRAWS` permutations.

    In large samples their distribution is normal with a known variance (Hajek 1960); in small ones they are drawn.
    """
    n, m = len(score), int(recent.sum())
    found = float(score[recent].mean() - score[~recent].mean())
    if min(m, n - m) > 100:
        return found, rng.normal(0.0, float(score.std(ddof=1)) * np.sqrt(1 / m + 1 / (n - m)), DRAWS)
    smaller, total = min(m, n - m), score.sum()
    sums = np.array([score[rng.choice(n, smaller, replace=False, shuffle=False)].sum() for _ in range(DRAWS)])
    means = sums / smaller - (total - sums) / (n - smaller)
    return found, means if smaller == m else -means


def _unseen(first: Sample, second: Sample) -> Floats:
    """Return the patients with a known outcome whom no model of the first half has seen, bool."""
    return ~second.first_half & np.isfinite(second.event)


def _auroc(score: Floats, event: Floats) -> float:
    return float(stats.mannwhitneyu(score[event], score[~event]).statistic / (event.sum() * (~event).sum()))


def _by_group(score: Floats, group: Sequence[str]) -> Floats:
    return pd.Series(score).groupby(np.asarray(group, dtype=object)).mean().to_numpy()


def _some(rows: Floats, rng: np.random.Generator) -> Floats:
    return rows[rng.permutation(len(rows))[:MOST_ROWS]]


def _in_order(frame: pd.DataFrame, config: CohortConfig) -> pd.DataFrame:
    """Return the rows in an order that does not depend on theirs: halves, draws and trees are then the same."""
    used = (config.subject_id, config.group, config.outcome.column, config.index_date, *config.columns.features)
    names = [name for name in dict.fromkeys(used) if name is not None and name in frame]
    if names and frame[names[0]].astype(str).is_unique:  # nothing is left to decide: spelling hundreds of columns takes long
        names = names[:1]
    return frame.sort_values(names, key=lambda cells: cells.astype(str), kind="stable", ignore_index=True)


def _names(frame: pd.DataFrame, column: str | None, was: Floats) -> list[str]:
    """Return names; rows without a column of names are all distinct, also between extracts."""
    if column is None or column not in frame:
        return [f"{number}/{before}" for number, before in enumerate(was)]
    return frame[column].map(lambda cell: "" if pd.isna(cell) else str(cell)).tolist()


def _numbers(both: pd.DataFrame, config: CohortConfig) -> Floats:
    """Return normal scores by the ranks of both extracts, levels and missing cells as indicators, each of some spread."""
    parts: list[Floats] = []
    for name, column in config.columns.features.items():
        if name not in both:
            continue
        cells = both[name]
        if config.index_date is not None and config.index_date in both and pd.api.types.is_datetime64_any_dtype(cells):
            cells = (cells - both[config.index_date]).dt.days.astype(float)
        missing = cells.isna().to_numpy()
        parts += [missing.astype(float)] if RAREST < missing.mean() < 1 - RAREST else []
        if column.kind in LEVEL_KINDS or not pd.api.types.is_numeric_dtype(cells):
            shares = cells.astype(str)[~missing].value_counts(normalize=True)
            text = cells.astype(str).to_numpy()
            parts += [(text == level).astype(float) for level in sorted(shares.index[shares > RAREST])[:20]]
        elif not missing.all():
            ranks = cells.rank(method="average").to_numpy() / (len(cells) - missing.sum() + 1)
            parts.append(np.where(missing, 0.0, stats.norm.ppf(np.where(missing, 0.5, ranks))))
    return np.stack(parts, axis=1) if parts else np.zeros((len(both), 1))
