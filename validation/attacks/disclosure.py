"""Attribute inference, singling out and linkage, each with a control group.

An attack guesses something of real patients from synthetic rows. What succeeds against patients who were held out is knowledge
of the population; only what succeeds more often against those trained on is a leak.

Source: Giomi et al. 2023, arXiv:2211.10459.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import Floats, nearest, numbers, squared_distances
from mgvae.reproducibility import numpy_generator
from validation.intervals import LEVEL, Interval

FEWEST = 4  # patients attacked on each side
MOST_PATIENTS = 500
MOST_SYNTHETIC = 10_000
MOST_COLUMNS = 500  # that are guessed
GUESSES = 500  # predicates that try to single a patient out
PREDICATE_COLUMNS = 3
SPLITS = 100  # of the patients into members and others
Z = float(stats.norm.ppf((1 + LEVEL) / 2))
LINK_NEIGHBOURS = 5
CLOSE = 0.05  # a guessed number is right within this share of the true one


@dataclass(frozen=True)
class Rate:
    """How often an attack succeeds: Wilson's centre and half-width."""

    value: float
    reach: float


@dataclass(frozen=True)
class Disclosure:
    """What an attack learns of patients trained on beyond what it learns of others.

    Attributes:
        risk: excess of success over the control group, as a share of what the control group leaves; may be negative.
        attack, control: rates of success.
        attacked: patients, or guesses, on the attacked side.
    """

    risk: Interval
    attack: Rate
    control: Rate
    attacked: int


def success_rate(successes: float, total: int, *, level: float = LEVEL) -> Rate:
    """Return a rate with Wilson's interval around its own centre (J Am Stat Assoc 1927)."""
    z2 = float(stats.norm.ppf((1 + level) / 2)) ** 2
    rate = successes / total
    centre = (rate + z2 / (2 * total)) / (1 + z2 / total)
    reach = math.sqrt(z2) / (1 + z2 / total) * math.sqrt(rate * (1 - rate) / total + z2 / (4 * total**2))
    return Rate(centre, reach)


def excess_risk(attack: Rate, control: Rate) -> Interval:
    """Return ``(attack - control) / (1 - control)``, errors propagated.

    Source: Giomi et al. 2023, section 3.
    """
    left = max(1 - control.value, 1e-9)
    risk = (attack.value - control.value) / left
    reach = math.hypot(attack.reach / left, (1 - attack.value) / left**2 * control.reach)
    return Interval(risk, risk - reach, risk + reach)


def attribute_inference(
    synthetic: Floats, members: Floats, others: Floats, owners: Floats, frames: tuple[pd.DataFrame, ...], *, seed: int
) -> Disclosure | None:
    """Guess each column of a patient from all the other columns.

    The guess is the value in the synthetic row nearest in the other columns. It is right where levels (or missing cells) agree,
    and numbers within 5 %. A patient counts with the share of columns guessed right, of at most ``MOST_COLUMNS``, drawn.

    Args:
        synthetic, members, others: embedded rows.
        owners: the column of each coordinate.
        frames: the same three tables before embedding.
        seed: of the subsamples.
    """
    draw = numpy_generator(seed, "inference")
    near, cells = [], []
    for table, frame, most in zip(
        (synthetic, members, others), frames, (MOST_SYNTHETIC, MOST_PATIENTS, MOST_PATIENTS), strict=True
    ):
        rows = draw.permutation(len(table))[:most]
        near.append(table[rows])
        cells.append(_cells(frame)[rows])
    if min(map(len, near)) < FEWEST or owners.max() == 0:
        return None
    numeric = _is_numeric(frames[0])
    guessed, right = np.sort(draw.permutation(len(numeric))[:MOST_COLUMNS]), [0.0, 0.0]
    for side, rows in enumerate(near[1:]):
        squares = squared_distances(rows, near[0])
        for column in guessed:
            own = owners == column
            guess = cells[0][(squares - squared_distances(rows[:, own], near[0][:, own])).argmin(axis=1), column]
            right[side] += _right(guess, cells[1 + side][:, column], within=CLOSE if numeric[column] else 0.0).sum()
    shares = [found / len(guessed) for found in right]
    return _disclosure(shares[0], len(near[1]), shares[1], len(near[2]))


def linkage(synthetic: Floats, members: Floats, others: Floats, owners: Floats, *, seed: int) -> Disclosure | None:
    """Link two halves of a patient's record through a synthetic row.

    The columns are dealt into two halves; a link succeeds where a synthetic row is among the five nearest by either half.
    """
    draw = numpy_generator(seed, "linkage")
    made = synthetic[draw.permutation(len(synthetic))[:MOST_SYNTHETIC]]
    sides = [rows[draw.permutation(len(rows))[:MOST_PATIENTS]] for rows in (members, others)]
    if min(map(len, sides)) < FEWEST or owners.max() == 0 or len(made) <= 2 * LINK_NEIGHBOURS:
        return None
    first = np.isin(owners, draw.permutation(int(owners.max()) + 1)[: (int(owners.max()) + 1) // 2])
    found = []
    for rows in sides:
        a, b = (nearest(rows[:, half], made[:, half], neighbours=LINK_NEIGHBOURS)[1] for half in (first, ~first))
        found.append(int((a[:, :, None] == b[:, None, :]).any(axis=(1, 2)).sum()))
    return _disclosure(found[0], len(sides[0]), found[1], len(sides[1]))


def singling_out(synthetic: pd.DataFrame, members: pd.DataFrame, others: pd.DataFrame, *, seed: int) -> Disclosure | None:
    """Guess predicates that hold for exactly one patient.

    A predicate that holds for exactly one synthetic row joins three random columns: a level, or a number beyond the row's own
    on the side away from the median. It succeeds where exactly one patient meets it, of as many members as there are others.

    Predicates are many, and patients few: an outlying one meets hundreds of them. So the interval is at least as wide as
    shuffling who is a member makes the difference of both rates.
    """
    draw = numpy_generator(seed, "singling out")
    made, inside, outside = (_cells(frame) for frame in (synthetic, members, others))
    made = made[draw.permutation(len(made))[: max(len(inside), FEWEST)]]
    count = min(len(inside), len(outside))
    if count < FEWEST or len(made) < FEWEST:
        return None
    numeric = _is_numeric(synthetic)
    middle = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0.0 for column in made.T])
    width = min(PREDICATE_COLUMNS, made.shape[1])
    met, patients = [], np.concatenate([inside, outside])
    for _ in range(5 * GUESSES):
        columns = draw.choice(made.shape[1], width, replace=False)
        row = made[draw.integers(len(made))]
        if int(_meet(made, row, columns, numeric, middle).sum()) == 1:
            met.append(_meet(patients, row, columns, numeric, middle))
        if len(met) == GUESSES:
            break
    if len(met) < FEWEST:
        return None
    met_by = np.stack(met)
    places = np.split(np.arange(len(patients)), [len(inside)])
    drawn = [[draw.permutation(side)[:count] for side in places] for _ in range(SPLITS)]
    mixed = [np.split(draw.permutation(len(patients))[: 2 * count], 2) for _ in range(SPLITS)]
    found, shuffled = (
        np.array([[_single(met_by[:, side]) for side in split] for split in splits]) for splits in (drawn, mixed)
    )
    attack, control = found.mean(axis=0)
    scatter = float((shuffled[:, 0] - shuffled[:, 1]).std()) / len(met)
    return _disclosure(attack, len(met), control, len(met), scatter=scatter)


def _single(met_by: Floats) -> int:
    """Return how many predicates exactly one of the patients meets."""
    return int((met_by.sum(axis=1) == 1).sum())


def _meet(rows: Floats, row: Floats, columns: Floats, numeric: Floats, middle: Floats) -> Floats:
    kept = np.ones(len(rows), dtype=bool)
    for column in columns:
        cells, value = rows[:, column], row[column]
        if np.isnan(value):
            kept &= np.isnan(cells)
        elif numeric[column]:
            kept &= (cells >= value) if value > middle[column] else (cells <= value)
        else:
            kept &= cells == value
    return kept


def _right(guess: Floats, true: Floats, *, within: float) -> Floats:
    missing = np.isnan(guess) & np.isnan(true)
    return np.asarray(missing | (np.abs(guess - true) <= within * np.abs(true) + 1e-9))


def _is_numeric(frame: pd.DataFrame) -> Floats:
    return np.array([not isinstance(dtype, pd.CategoricalDtype) for dtype in frame.dtypes])


def _cells(frame: pd.DataFrame) -> Floats:
    return np.stack([numbers(frame[name]) for name in frame.columns], axis=1)


def _disclosure(successes: float, attacked: int, by_chance: float, controls: int, *, scatter: float = 0.0) -> Disclosure:
    """Return the disclosure; ``scatter`` is a standard deviation of the rates' difference that the interval allows for."""
    attack, control = success_rate(successes, attacked), success_rate(by_chance, controls)
    risk = excess_risk(attack, control)
    reach = max(risk.high - risk.value, Z * scatter / max(1 - control.value, 1e-9))
    return Disclosure(Interval(risk.value, risk.value - reach, risk.value + reach), attack, control, attacked)
