"""Pool the hold-outs of several extracts, each patient once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.cohort.build import Cohort
from mgvae.results.numbers import FEW_EVENTS
from mgvae.results.promotion import HoldoutPool


@dataclass(frozen=True)
class Pooled:
    """Patients who judge two models, none of whom either model was trained on.

    Attributes:
        judges: those of the newest hold-out first.
        newest: how many are of the newest hold-out.
        nights: hold-outs of which patients judge, the newest included.
        left_out: patients who do not judge because a model may have been trained on them.
        alone: why no earlier hold-out was asked; empty where any was.
    """

    judges: Cohort
    newest: int
    nights: int
    left_out: int
    alone: str = ""

    @property
    def counts(self) -> HoldoutPool:
        """The pool in numbers."""
        return HoldoutPool(
            nights=self.nights,
            newest=self.newest,
            newest_events=int(self.judges.event[: self.newest].sum()),
            earlier=len(self.judges) - self.newest,
            earlier_events=int(self.judges.event[self.newest :].sum()),
            alone=self.alone,
        )


def enough(patients: int, events: int) -> bool:
    """Return whether so many events are enough to compare two models, or one with itself."""
    return FEW_EVENTS <= events < patients


def pool_holdouts(
    newest: Cohort, seen: BoolArray, earlier: Sequence[Cohort], trained_on: Callable[[Cohort], BoolArray]
) -> Pooled:
    """Return the patients of several hold-outs, each by the newest record.

    Args:
        newest: the hold-out of the newest extract; without earlier ones it is returned as it is, less ``seen``.
        seen: which of its patients the champion may have been trained on, ``(n,)``.
        earlier: hold-outs of earlier extracts, the newest first; subjects and groups are called the same in all of them.
        trained_on: tells which subjects either model may have been trained on.
    """
    parts, known, left_out = [newest.take(~seen)], set(newest.subject), int(seen.sum())
    for cohort in earlier:
        fresh = cohort.take(~pd.Series(cohort.subject).isin(known).to_numpy(bool))
        known |= set(cohort.subject)
        barred = trained_on(fresh)
        left_out += int(barred.sum())
        parts.append(fresh.take(~barred))
    judging = [part for part in parts[1:] if len(part)]
    judges = _joined([parts[0], *judging]) if judging else parts[0]
    return Pooled(judges, len(parts[0]), 1 + len(judging), left_out)


def _joined(parts: Sequence[Cohort]) -> Cohort:
    """Return cohorts as one, in which those belong together whose group has one name."""
    subject = np.concatenate([part.subject for part in parts])
    name = np.concatenate([part.group_name for part in parts])
    called = [f"subject/{who}" if of is None else f"group/{of}" for who, of in zip(subject, name, strict=True)]
    group, _ = pd.factorize(np.array(called, dtype=object))
    return replace(
        parts[0],
        features=pd.concat([part.features for part in parts], ignore_index=True),
        event=np.concatenate([part.event for part in parts]),
        subject=subject,
        group=group.astype(np.int64),
        group_name=name,
        subgroups=pd.DataFrame(index=range(len(subject))),
        index_date=None,
        weight=None if parts[0].weight is None else np.concatenate([part.weights for part in parts]),
    )
