"""Compare ways to fine-tune, to weigh exemplars and to weigh synthetic rows, on small samples of cohorts.

    python -m tests.benchmarks.finetuning --cohorts nafld mi_rupture crash2 --events 20 --repeats 4 --minutes 20

Of half of a cohort, some events and 1,500 majority rows are kept. The generator is trained on them in several ways. They are
judged by the ELBO of the cases of the other half, which no training saw; synthetic rows by the AUROC and AUPRC of classifiers
there. Differences from the default, paired by block. A stopped benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.factory import make
from mgvae.cohort.groups import balanced_folds
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.evaluation.arms import information_weight
from mgvae.generator.judges import fit_case_ratio
from mgvae.generator.synthesis import Pretrained, encoded, pretrain_majority, synthesise
from mgvae.model.encoding import fit_encoding
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.reproducibility import derive, numpy_generator
from mgvae.threads import one_thread
from mgvae.training.anchor import Anchor
from mgvae.training.early_stopping import heldout_elbo
from mgvae.training.exemplar_weights import fit_tilt, tilted
from mgvae.training.inputs import GeneratorInputs, divide_by_event
from mgvae.training.tuning import finetune_cases
from tests.benchmarks.oversamplers.cohorts import DATA, NAMES, Table, load

MAJORITY, TEST_MAJORITY, FOLDS = 1500, 6000, 3
CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting", "random_forest")
SETTINGS = Training(device="cpu")
DEFAULT = {"elbo": "default", "auroc": "no rows", "auprc": "no rows"}  # what the others are compared with


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to learn from, and rows to judge by."""

    features: pd.DataFrame
    event: IntArray
    group: IntArray
    test: pd.DataFrame
    test_event: IntArray


def sample(table: Table, events: int, *, seed: int) -> Sample | None:
    """Return a sample; None where half of the cohort has too few events."""
    draws = numpy_generator(seed, "halves")
    groups = draws.permutation(np.unique(table.group))
    first, event = np.isin(table.group, groups[: len(groups) // 2]), table.event.astype(np.int64)
    cases = draws.permutation(np.flatnonzero(first & (event == 1)))[:events]
    if len(cases) < events:
        return None
    rows = np.sort(np.r_[cases, draws.permutation(np.flatnonzero(first & (event == 0)))[:MAJORITY]])
    judged = [np.flatnonzero(~first & (event == 1)), draws.permutation(np.flatnonzero(~first & (event == 0)))[:TEST_MAJORITY]]
    test = np.sort(np.concatenate(judged))
    take = (table.features.iloc[at].reset_index(drop=True) for at in (rows, test))
    return Sample(next(take), event[rows], table.group[rows], next(take), event[test])


def dictionary(features: pd.DataFrame) -> dict[str, Column]:
    """Return the dictionary's entries of typed columns."""
    return {name: _column(features[name].dtype) for name in features}


def _column(dtype: object) -> Column:
    if not isinstance(dtype, pd.CategoricalDtype):
        return Column(kind="continuous")
    kind = "ordinal" if dtype.ordered else "binary" if len(dtype.categories) == 2 else "categorical"
    return Column(kind=kind, categories=tuple(dtype.categories))


def measure(found: Sample, *, seed: int) -> dict[str, float]:
    """Return the measures of each way, by ``measure: way``."""
    encoding = fit_encoding(found.features, dictionary(found.features))
    inputs = divide_by_event(encoding, encoded(encoding, found.features, SETTINGS), found.event == 1, found.group)
    test = encoded(encoding, found.test, SETTINGS)[torch.from_numpy(found.test_event == 1)]
    start = pretrain_majority(encoding, inputs.majority, inputs.majority_group, SETTINGS, seed=seed)
    out = {"elbo: not fine-tuned": _judged(start.model, inputs, test, slope_of(start.model, inputs))}
    tuned: dict[str, MGVAE] = {}
    for name, (anchor, weight) in _anchors(start, len(inputs.cases)).items():
        settings = SETTINGS.model_copy(update={"ewc_lambda": weight})
        tuned[name] = finetune_cases(start.model, anchor, inputs, settings, seed=seed).model
        out[f"elbo: {name}"] = _judged(tuned[name], inputs, test, slope_of(tuned[name], inputs))
    model = tuned["default"]
    out["elbo: equal weights"] = _judged(model, inputs, test, None)
    out["elbo: tilt cross-fitted"] = _judged(model, inputs, test, _crossfitted(start, model, inputs, seed))
    return out | _rows(found, inputs, model, seed)


def _anchors(start: Pretrained, cases: int) -> dict[str, tuple[Anchor, float]]:
    """Return anchors and lambdas by name; those with a floor hold parameters that have no Fisher information."""
    at = start.anchor

    def floored(least: float) -> Anchor:
        return replace(at, fisher={name: value.clamp(min=least) for name, value in at.fisher.items()})

    by_cases = {f"lambda {weight:g} / n": (at, weight / cases) for weight in (100.0, 1000.0, 4000.0)}
    floors = {f"Fisher at least {least:g}": (floored(least), 10.0) for least in (0.01, 0.1)}
    fixed = {f"lambda {weight:g}": (at, weight) for weight in (30.0, 100.0)}
    return {"default": (at, 10.0), **fixed, **by_cases, **floors}


def slope_of(model: MGVAE, inputs: GeneratorInputs) -> Tensor:
    """Return the tilt as the library fits it: in the codes of the cases that the model was tuned on."""
    return fit_tilt(model.exemplar_means(inputs.majority), model.exemplar_means(inputs.cases))


def _judged(model: MGVAE, inputs: GeneratorInputs, test: Tensor, slope: Tensor | None) -> float:
    means = model.exemplar_means(inputs.majority)
    return heldout_elbo(model, test, Exemplars(means, None if slope is None else tilted(means, slope)), seed=1)


def _crossfitted(start: Pretrained, model: MGVAE, inputs: GeneratorInputs, seed: int) -> Tensor:
    """Return the tilt by codes of cases from models tuned without them, put on the scale of ``model``'s codes."""
    means = model.exemplar_means(inputs.majority)
    codes = torch.empty(len(inputs.cases), means.shape[1])
    part = balanced_folds(inputs.case_group, FOLDS, seed=seed).part
    for fold in np.unique(part):
        out = torch.from_numpy(part == fold)
        kept = replace(inputs, cases=inputs.cases[~out], case_group=inputs.case_group[part != fold])
        other = finetune_cases(start.model, start.anchor, kept, SETTINGS, seed=derive(seed, "crossfit", int(fold))).model
        theirs = other.exemplar_means(inputs.majority)
        scaled = (other.exemplar_means(inputs.cases[out]) - theirs.mean(0)) / theirs.std(0)
        codes[out] = scaled * means.std(0) + means.mean(0)
    return fit_tilt(means, codes)


def _rows(found: Sample, inputs: GeneratorInputs, model: MGVAE, seed: int) -> dict[str, float]:
    """Return AUROC and AUPRC by how much the synthetic rows weigh."""
    count = int((found.event == 0).sum() - (found.event == 1).sum())
    made = synthesise(inputs, model, SETTINGS, n=count, seed=seed).features
    chance = 1 / (1 + np.exp(-fit_case_ratio(found.features, found.event == 1, found.group, seed=seed)(made)))
    out = {}
    for title, (features, event, weight) in _forms(found, made, chance).items():
        for name in CLASSIFIERS:
            p = make(name, derive(seed, name)).fit(features, event, weight).predict_proba(found.test)
            out[f"auroc: {title}, {name}"] = float(roc_auc_score(found.test_event, p))
            out[f"auprc: {title}, {name}"] = float(average_precision_score(found.test_event, p))
    return out


def _forms(
    found: Sample, made: pd.DataFrame, chance: FloatArray
) -> dict[str, tuple[pd.DataFrame, IntArray, FloatArray | None]]:
    """Return what a classifier is fitted on, by title.

    Args:
        found: the real rows.
        made: synthetic rows.
        chance: how likely a judge of the real rows holds each to be a case, where both are equally frequent.
    """
    real, n, cases = found.event, len(made), int(found.event.sum())
    dtypes, ones = found.features.dtypes.to_dict(), np.ones(len(found.event))

    def below(copies: int) -> pd.DataFrame:
        return pd.concat([found.features, *[made] * copies], ignore_index=True).astype(dtypes)

    event = np.r_[real, np.ones(n, dtype=np.int64)]
    both = np.r_[event, np.zeros(n, dtype=np.int64)]
    usual, soft = information_weight(real, event), np.r_[ones, chance, 1 - chance]
    return {
        "no rows": (found.features, real, None),
        "rows": (below(1), event, np.full(len(event), usual)),
        "rows as much as the cases": (below(1), event, np.r_[ones, np.full(n, cases / n)]),
        "half as much": (below(1), event, np.r_[ones, np.full(n, cases / n / 2)]),
        "soft labels": (below(2), both, information_weight(real, both, soft) * soft),
        "soft labels, as much as the cases": (below(2), both, np.r_[ones, chance * cases / n, (1 - chance) * cases / n]),
    }


def summary(results: Mapping[str, Mapping[str, float]]) -> str:
    """Return the differences from the default as text: mean and standard error over blocks, and each cohort's mean."""
    frame = pd.DataFrame(results).T
    if frame.empty:
        return "No block has been measured yet."
    lines = [f"{len(frame)} blocks. Difference from the default, or from no rows: mean (standard error); by cohort"]
    cohort = frame.index.str.partition("/").get_level_values(0)
    for name in frame:
        kind, way = name.split(": ", 1)
        suffix = way[way.rfind(", ") :] if kind != "elbo" else ""
        gain = frame[name] - frame[f"{kind}: {DEFAULT[kind]}{suffix}"]
        by = ", ".join(f"{one} {value:+.3f}" for one, value in gain.groupby(cohort).mean().items())
        lines.append(f"{name:65} {gain.mean():+.4f} ({gain.sem():.4f}); {by}")
    return "\n".join(lines)


def _results(path: Path) -> dict[str, dict[str, float]]:
    """Return the blocks in a file, by key."""
    if not path.is_file():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {line["key"]: line["measures"] for line in lines}


def main() -> None:
    """Measure what is missing, and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--events", nargs="+", type=int, default=(10, 20, 40))
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=20, help="then no further block is begun")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the cohorts that do not ship")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/finetuning.jsonl"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    tables = {name: load(name, data=options.data) for name in options.cohorts}
    known, end = _results(options.out), time.monotonic() + 60 * options.minutes
    keys = [(name, n, r) for r in range(options.repeats) for n in options.events for name in options.cohorts]
    for name, events, repeat in keys:
        key, seed = f"{name}/{events}/{repeat}", derive(0, "fine-tuning", name, events, repeat)
        if key in known or time.monotonic() > end:
            continue
        if (found := sample(tables[name], events, seed=seed)) is not None:
            with one_thread():
                known[key] = measure(found, seed=seed)
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "measures": known[key]}) + "\n")
    print(summary(known))


if __name__ == "__main__":
    main()
