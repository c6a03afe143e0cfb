"""Rules between columns, as the data dictionary states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from mgvae.config.conditions import Bound, Described, MissingTogether, bind, column_named
from mgvae.config.expression import parse
from mgvae.config.formats import plain_text
from mgvae.config.strict import Strict


class Rule(Strict):
    """A rule between columns. A text alone stands for ``rule``.

    A comparison with a missing cell is undecided, and a row breaks a rule only if it is certainly false.

    Attributes:
        rule: a condition, such as ``cigarettes > 0 implies smoker == yes``, ``dbp <= sbp``, ``urban + rural == visits``,
            ``sex == male implies missing(pregnancies)`` or ``ward in (A, B)``. Names that are no words stand between
            backquotes, such levels between quotes; ordinal levels have an order.
        tolerance: numbers that differ by no more count as equal.
        missing_together: columns of which in each row all are missing or none, such as those of one blood sample; stands
            instead of ``rule``.
        max_broken: largest tolerable share of rows that break the rule.
    """

    rule: str | None = None
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    missing_together: tuple[str, ...] | None = None
    max_broken: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, values: object) -> object:
        return {"rule": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _states_one_thing(self) -> Rule:
        if (self.rule is None) == (self.missing_together is None):
            raise ValueError("must have either 'rule' or 'missing_together'")
        if self.rule is not None:
            parse(self.rule)
        elif len(set(self.missing_together or ())) < max(2, len(self.missing_together or ())):
            raise ValueError("missing_together must name at least two columns, each once")
        return self

    @property
    def text(self) -> str:
        """The rule in one line."""
        return self.rule.strip() if self.rule is not None else f"missing together: {', '.join(self.missing_together or ())}"

    def bound(self, columns: Mapping[str, Described]) -> Bound:
        """Return the rule with its words as columns and levels.

        Raises:
            ValueError: it does not fit the columns; the message names the rule.
        """
        try:
            if self.rule is not None:
                return bind(parse(self.rule), columns, tolerance=self.tolerance)
            return MissingTogether(tuple(column_named(plain_text(name), columns) for name in self.missing_together or ()))
        except ValueError as error:
            raise ValueError(f"rule '{self.text}' {error}") from None


def distinct(rules: Sequence[Rule]) -> None:
    """Check that no rule is stated twice.

    Raises:
        ValueError: one is.
    """
    texts = [rule.text for rule in rules]
    doubled = next((text for text in texts if texts.count(text) > 1), None)
    if doubled is not None:
        raise ValueError(f"rules must be stated once each; '{doubled}' stands there twice. Take one out")
