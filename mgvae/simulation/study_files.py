"""The data dictionary and cohort.yaml of a simulated extract."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator

from mgvae.simulation.associations import ASSOCIATIONS
from mgvae.simulation.code_book import code_book
from mgvae.simulation.records import COLUMNS, EVENT, FAMILY, INDEX, SITES, SUBJECT, RecordColumn

BOUNDED = """\
# bounds on a run with 2,000 predictors; without these lines it is the whole study, and takes hours
training: {pretrain_epochs: 10, finetune_epochs: 40}
synthesis: {prevalence: 0.1}
evaluation:
  arms: [none, mgvae, guided]
  classifiers: [logistic_regression]
  folds: 3
  repeats: 1
instability: {redevelopments: 10, generated: 0, arms: [none]}
learning_curve: {shares: [0.5], repeats: 1}
"""
COHORT, DICTIONARY, EXTRACT, TRUTH = "cohort.yaml", "dictionary.yaml", "extract.parquet", "truth.parquet"


def cohort_text(n: int, *, seed: int, prevalence: float) -> str:
    """Return cohort.yaml."""
    chance = 4 * math.sqrt(prevalence * (1 - prevalence) / n)
    low, high = max(0.0, min(prevalence / 2, prevalence - chance)), min(1.0, max(2 * prevalence, prevalence + chance))
    return "\n".join(
        [
            f"# Written by: mgvae simulate autism --n {n} --seed {seed} --prevalence {prevalence:g}",
            f"# {TRUTH} holds the true risk of each subject; it is no predictor and no part of the extract.",
            "study: simulated-autism",
            "title: Autism by the eighth birthday, simulated children",
            f"extract: {EXTRACT}",
            f"dictionary: {DICTIONARY}",
            f"subject_id: {SUBJECT}",
            f"group: {FAMILY}",
            f"index_date: {INDEX}",
            "lookback_days: 1096",
            "horizon_days: 1826",
            "outcome:",
            f"  column: {EVENT}",
            "  event: 1",
            "  label: Autism",
            f"  expected_prevalence: [{low:.6g}, {high:.6g}]",
            BOUNDED,
        ]
    )


def dictionary_text(varying: Collection[str]) -> str:
    """Return dictionary.yaml: a line a column.

    Args:
        varying: the predictors with two different values in the extract; others can predict nothing, and are excluded.
    """
    return "\n".join(_dictionary(varying)) + "\n"


def _dictionary(varying: Collection[str]) -> Iterator[str]:
    yield "# Simulated records of the first three years. The risk follows published associations; odds ratios given all others:"
    for one in ASSOCIATIONS:
        yield f"#   {one.exposure} {one.odds_ratio:g}: {one.source}, doi {one.doi}"
    yield "columns:"
    yield _line(SUBJECT, kind="count", role="identifier", label="Child")
    yield _line(FAMILY, kind="count", role="identifier", label="Family")
    yield _line("site", kind="categorical", role="subgroup", label="Site", categories=list(SITES))
    yield _line(INDEX, kind="date", role="excluded", label="Third birthday")
    yield _line(EVENT, kind="binary", role="excluded", label="Autism diagnosed by the eighth birthday", categories=[0, 1])
    for name, column in COLUMNS.items():
        yield _line(name, **_entry(column), **_role(name, varying, subgroup=column.subgroup))
    book = code_book()
    for name, label in zip(book.names, book.labels, strict=True):
        yield _line(name, kind="binary", label=label, categories=[0, 1], max_missing=0, **_role(name, varying))


def _entry(column: RecordColumn) -> dict[str, object]:
    entry: dict[str, object] = {"kind": column.kind, "label": column.label, "max_missing": column.max_missing}
    if column.unit is not None:
        entry["unit"] = column.unit
    if column.range is not None:
        entry["range"] = list(column.range)
    if column.kind == "binary":
        entry["categories"] = [0, 1]
    elif column.levels:
        entry["categories"] = list(column.levels)
    return entry


def _role(name: str, varying: Collection[str], *, subgroup: bool = False) -> dict[str, object]:
    if name not in varying:
        return {"role": "excluded"}
    return {"role": ["feature", "subgroup"]} if subgroup else {}


def _line(name: str, **entry: object) -> str:
    inner = ", ".join(f"{key}: {json.dumps(value)}" for key, value in entry.items())
    return f"  {name}: {{{inner}}}"
