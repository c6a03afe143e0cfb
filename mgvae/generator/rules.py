"""Rules between columns in synthetic rows: what a rule defines is calculated, the rest drawn again.

The decoder draws each column by itself, so a rule that all patients keep is broken by some of the rows made. Cells that are
missing together share one draw. A number that an equation gives is calculated. A row that breaks another rule is drawn again
from the same parent, which is rejection sampling. If too few rows are left, the columns of a broken rule, and of those that
share columns with it, come from another synthetic row that keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from torch import Tensor

from mgvae.arrays import Array, BoolArray, IntArray
from mgvae.cohort.rules import RowRules, calculated, definition
from mgvae.config.conditions import MissingTogether, Value, columns_of
from mgvae.generator.translation import decode
from mgvae.model.encoding import Encoding
from mgvae.reproducibility import numpy_generator
from mgvae.results.synthetic import RuleRecord

DECIMALS = 10  # of a calculated number: sums of decimals are not exact


@dataclass(frozen=True, eq=False)
class Repaired:
    """Rows to choose from.

    Attributes:
        features: all rows made, repaired where that was needed.
        usable: positions of at least as many rows as are needed.
        borrowed, broken: bool, of each row, see `RuleRecord`.
    """

    features: pd.DataFrame
    usable: IntArray
    borrowed: BoolArray
    broken: BoolArray


@dataclass(frozen=True, eq=False)
class RuleKeeper:
    """Decodes rows so that they keep rules, as far as that is possible.

    Attributes:
        rules: between columns of the encoding.
        encoding: of the table.
    """

    rules: RowRules
    encoding: Encoding

    def decoded(self, rows: Tensor) -> pd.DataFrame:
        """Return encoded rows ``(n, P)`` as a table, with joint missing cells and calculated numbers."""
        for indicators in self._panels:
            rows[:, indicators] = rows[:, indicators[:1]]
        features = decode(self.encoding, rows)
        for _ in self._definitions:  # one may need what a later one gives: as many passes as there are settle any chain
            for name, value in self._definitions:
                features[name] = self._defined(name, value, features)
        return features

    def broken(self, features: pd.DataFrame) -> BoolArray:
        """Return which rows break a rule, or lie outside a range by calculation, bool ``(n,)``."""
        outside = np.zeros(len(features), dtype=bool)
        for name, _ in self._definitions:
            low, high = self.rules.columns[self._named[name]].bounds
            outside |= ((features[name] < low) | (features[name] > high)).to_numpy()
        return outside | self.rules.broken(features).any(axis=1)

    def repaired(self, features: pd.DataFrame, n: int, *, seed: int) -> Repaired:
        """Return rows of which at least ``n`` are usable: repaired, and at last broken, ones if it must be.

        Args:
            features: rows made, at least n.
            n: how many are needed.
            seed: of the rows that columns are borrowed from.
        """
        broken = self.broken(features) if self.rules else np.zeros(len(features), dtype=bool)
        whole, none = np.flatnonzero(~broken), np.zeros(len(features), dtype=bool)
        if len(whole) >= n:
            return Repaired(features, whole, none, broken)
        features = self._borrowed(features, seed)
        still = self.broken(features)
        usable = np.flatnonzero(~still)
        last = np.flatnonzero(still)[: max(0, n - len(usable))]
        return Repaired(features, np.sort(np.concatenate([usable, last])), broken & ~still, still)

    def record(self, repaired: Repaired, kept: Array, redrawn: int) -> RuleRecord:
        """Return the counts of rows of which those at ``kept`` are kept."""
        features = repaired.features
        defined = np.zeros(len(features), dtype=bool)
        for name, value in self._definitions:
            defined |= ~np.isnan(calculated(self.rules, value, features)) & features[name].notna().to_numpy()
        return RuleRecord(
            made=len(features),
            redrawn=redrawn,
            calculated=int(defined.sum()),
            kept=len(kept),
            borrowed=int(repaired.borrowed[kept].sum()),
            broken=int(repaired.broken[kept].sum()),
        )

    @cached_property
    def _named(self) -> dict[str, str]:
        """The rules' name of each column of the table that they name."""
        return {self.rules.place(name).name: name for bound in self.rules.bound for name in columns_of(bound)}

    @cached_property
    def _definitions(self) -> tuple[tuple[str, Value], ...]:
        """Columns of the table, each with the value that a rule gives it; the first rule counts."""
        found: dict[str, Value] = {}
        for bound in self.rules.bound:
            defined = definition(bound, self.rules.columns)
            if defined is not None:
                found.setdefault(self.rules.place(defined[0]).name, defined[1])
        return tuple(found.items())

    @cached_property
    def _panels(self) -> tuple[list[int], ...]:
        """The missing indicators of columns that are missing together, where all have one."""
        at = {slot.name: slot.missing_at for slot in self.encoding.slots}
        panels = []
        for bound in self.rules.bound:
            if isinstance(bound, MissingTogether):
                slots = [at[self.rules.place(name).name] for name in bound.columns]
                panels.append([slot for slot in slots if slot is not None])
        return tuple(panel for panel in panels if len(panel) > 1)

    def _defined(self, name: str, value: Value, features: pd.DataFrame) -> pd.Series:
        """Return a column with what a rule gives it, where both are known."""
        place, column = self.rules.place(self._named[name]), self.rules.columns[self._named[name]]
        given = (np.round(calculated(self.rules, value, features), DECIMALS) - place.origin) / place.step
        given = np.rint(given) if column.kind == "count" else given
        return features[name].mask(~np.isnan(given) & features[name].notna(), pd.Series(given, index=features.index))

    def _borrowed(self, features: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Return rows with the columns of broken rules from rows that keep them."""
        broken, draws = self.rules.broken(features), numpy_generator(seed, "rules")
        features = features.copy()
        for rules, columns in self._connected():
            bad = broken[:, rules].any(axis=1)
            if not bad.any() or bad.all():
                continue
            source = np.arange(len(features))
            source[bad] = draws.choice(np.flatnonzero(~bad), int(bad.sum()))
            for name in columns:
                features[name] = features[name].take(source).reset_index(drop=True)
        return features

    def _connected(self) -> Iterator[tuple[list[int], Sequence[str]]]:
        """Yield positions of rules that are connected by shared columns, and these columns of the table."""
        groups: list[tuple[list[int], set[str]]] = []
        for at, bound in enumerate(self.rules.bound):
            names = {self.rules.place(name).name for name in columns_of(bound)}
            near = [group for group in groups if group[1] & names]
            groups = [group for group in groups if not group[1] & names]
            rules = sorted([at, *(rule for group in near for rule in group[0])])
            groups.append((rules, names.union(*(group[1] for group in near))))
        for rules, names in groups:
            yield rules, sorted(names)
