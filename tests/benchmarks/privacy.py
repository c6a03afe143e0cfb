"""What differential privacy of the rare cases costs, and what it stops.

    python -m tests.benchmarks.privacy [--folds 5] [--minutes 30] [--out FOLDER]
    python -m tests.benchmarks.privacy --attack [--repeats 10]

The first command cross-validates on NAFLD: AUROC and AUPRC of classifiers on real rows alone, and with the cases of a generator
without privacy (as it is, and with its judges off) and with epsilon 20, 5 and 1, as many as balance the classes. A stopped
benchmark goes on where it was; after a change of the generator take another folder.

The second attacks generators that were trained on 20 cases: without privacy for 2,000 epochs without anchor, early stopping or
judges, and with epsilon 5. It prints AUCs of the validation's attacks on 20 members and 60 others.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from mgvae.arrays import Array
from mgvae.classifiers.factory import make
from mgvae.cohort.rows import Rows, cases_to_add
from mgvae.cohort.split import folds
from mgvae.config.privacy import Privacy
from mgvae.config.sections import Training
from mgvae.evaluation.arms import with_cases
from mgvae.generator.synthesis import Pretrained, encoded, pretrain_majority, synthesise
from mgvae.model.encoding import fit_encoding
from mgvae.reproducibility import derive
from mgvae.threads import one_thread
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.inputs import GeneratorInputs, divide_by_event, encoding_rows
from mgvae.training.loops import FinetunePlan, finetune
from mgvae.training.tuning import finetune_cases
from tests.benchmarks.oversamplers.cohorts import Table, load
from tests.benchmarks.rules import _column
from tests.mgvae.small_cohort import COLUMNS, cohort, quick
from validation.attacks.membership import Membership, membership

CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")
EPSILONS = (20.0, 5.0, 1.0)
PLAIN = Training(device="cpu")
ARMS: dict[str, Training | None] = {
    "real rows alone": None,
    "not private": PLAIN,
    "not private, judges off": PLAIN.model_copy(update={"plausibility": "none"}),
    **{
        f"epsilon {epsilon:g}": PLAIN.model_copy(update={"privacy": Privacy(epsilon=epsilon, noise_seed=0)})
        for epsilon in EPSILONS
    },
}
MEMBERS, OTHERS, MADE = 20, 60, 1000


def measure(table: Table, train: Array, test: Array, wanted: list[str], *, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the scores of each wanted arm on one fold; arms of one encoding share a pre-training."""
    event = np.asarray(table.event, dtype=bool)
    rows = Rows(
        table.features.iloc[train].reset_index(drop=True), event[train].astype(np.int64), np.asarray(table.group)[train]
    )
    columns = {str(name): _column(cells) for name, cells in table.features.items()}
    shared: dict[bool, tuple[GeneratorInputs, Pretrained]] = {}
    for arm in wanted:
        settings, treated = ARMS[arm], None
        if settings is not None:
            private = settings.privacy is not None
            if private not in shared:
                encoding = fit_encoding(encoding_rows(rows.features, rows.event, settings), columns)
                inputs = divide_by_event(encoding, encoded(encoding, rows.features, settings), rows.event == 1, rows.group)
                shared[private] = (
                    inputs,
                    pretrain_majority(encoding, inputs.majority, inputs.majority_group, settings, seed=seed),
                )
            inputs, start = shared[private]
            tuned = finetune_cases(start.model, start.anchor, inputs, settings, seed=seed)
            made = synthesise(inputs, tuned.model, settings, n=cases_to_add(rows.event, 0.5), seed=seed, tilt=tuned.tilt)
            treated = with_cases(rows, made.features, ())
        yield arm, _scores(rows, treated, table.features.iloc[test].reset_index(drop=True), event[test], seed)


def _scores(rows: Rows, treated: object, features: pd.DataFrame, event: Array, seed: int) -> dict[str, float]:
    given = (rows.features, rows.event, None) if treated is None else (treated.features, treated.event, treated.weights)
    out = {}
    for name in CLASSIFIERS:
        risk = make(name, derive(seed, name)).fit(*given).predict_proba(features)
        out |= {
            f"{name} auroc": float(roc_auc_score(event, risk)),
            f"{name} auprc": float(average_precision_score(event, risk)),
        }
    return out


def compute(path: Path, *, parts: int, minutes: float) -> None:
    """Measure what the file lacks, a line an arm and fold, until the time is over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end, table = time.monotonic() + 60 * minutes, load("nafld")
    known = {(line["fold"], line["arm"]) for line in read(path)}
    pairs = folds(np.asarray(table.event, dtype=bool), table.group, n_folds=5, seed=0)
    for fold, (train, test) in enumerate(pairs[:parts]):
        wanted = [arm for arm in ARMS if (fold, arm) not in known]
        for arm, scores in measure(table, train, test, wanted, seed=derive(0, "privacy", fold)):
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"fold": fold, "arm": arm, "scores": scores}) + "\n")
            if time.monotonic() > end:
                return


def read(path: Path) -> list[dict[str, object]]:
    """Return the lines of a file of results; a line that was cut off does not count."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def table(lines: list[dict[str, object]]) -> str:
    """Return means over the folds that all arms have, and the difference from real rows alone with its standard error."""
    frame = pd.DataFrame([{"fold": line["fold"], "arm": line["arm"], **line["scores"]} for line in lines])
    whole = frame.groupby("fold")["arm"].nunique()
    frame = frame[frame["fold"].isin(whole[whole == len(ARMS)].index)]
    measures = [name for name in frame.columns if name not in ("fold", "arm")]
    out = [
        f"NAFLD, {frame['fold'].nunique()} of 5 folds",
        "| cases from | " + " | ".join(measures) + " |",
        "|---" * (len(measures) + 1) + "|",
    ]
    base = frame[frame["arm"] == "real rows alone"].set_index("fold")[measures]
    for arm in ARMS:
        own = frame[frame["arm"] == arm].set_index("fold")[measures]
        gap = own - base
        cells = [
            f"{own[name].mean():.3f}"
            + (f" ({gap[name].mean():+.3f} ± {gap[name].sem():.3f})" if arm != "real rows alone" else "")
            for name in measures
        ]
        out.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def attacked(seed: int, epsilon: float | None, *, epochs: int = 2000) -> Membership | None:
    """Return the attacks on a generator of `MEMBERS` simulated cases; None for epsilon: over-trained, without privacy."""
    drawn = draw(seed)
    embed, made = generated(drawn.majority, drawn.members, epsilon, epochs=epochs, seed=seed)
    return membership(embed(drawn.members), embed(drawn.others), embed(made), seed=seed)


@dataclass(frozen=True)
class Drawn:
    """Simulated majority patients, the cases to train on, and others."""

    majority: pd.DataFrame
    members: pd.DataFrame
    others: pd.DataFrame


def draw(seed: int) -> Drawn:
    """Draw 520 majority patients, `MEMBERS` cases and `OTHERS` more."""
    features, event, _ = cohort(600, MEMBERS + OTHERS, seed=seed)
    cases = np.random.default_rng(seed).permutation(np.flatnonzero(event))
    parts = np.flatnonzero(~event), np.sort(cases[:MEMBERS]), cases[MEMBERS:]
    return Drawn(*(features.iloc[rows].reset_index(drop=True) for rows in parts))


def generated(
    majority: pd.DataFrame, cases: pd.DataFrame, epsilon: float | None, *, epochs: int | None, seed: int
) -> tuple[Callable[[pd.DataFrame], Array], pd.DataFrame]:
    """Return an embedding of rows, and `MADE` cases of a generator.

    Args:
        majority, cases: what it is trained on.
        epsilon: None for no privacy.
        epochs: fine-tuning without anchor and early stopping for so many epochs; None: as the product trains.
        seed: the seed.
    """
    privacy = None if epsilon is None else Privacy(epsilon=epsilon, noise_seed=seed)
    settings = quick(plausibility="none", privacy=privacy, finetune_learning_rate=3e-3, pretrain_epochs=30)
    rows, is_case = pd.concat([majority, cases], ignore_index=True), np.arange(len(majority) + len(cases)) >= len(majority)
    encoding = fit_encoding(encoding_rows(rows, is_case, settings), COLUMNS)
    inputs = divide_by_event(encoding, encoded(encoding, rows, settings), is_case, np.arange(len(rows)))
    start = pretrain_majority(encoding, inputs.majority, inputs.majority_group, settings, seed=seed)
    if privacy is None and epochs is not None:
        model, tilt = copy.deepcopy(start.model), None
        schedule = ExemplarSchedule(inputs.majority, settings)
        finetune(model, inputs.cases, schedule, settings, FinetunePlan(None, 0.0, epochs, seed))
    else:
        tuned = finetune_cases(start.model, start.anchor, inputs, settings, seed=seed)
        model, tilt = tuned.model, tuned.tilt
    made = synthesise(inputs, model, settings, n=MADE, seed=seed, tilt=tilt)

    def embedded(frame: pd.DataFrame) -> Array:
        return encoding.encode(frame.reset_index(drop=True))[:, : encoding.inputs]

    return embedded, made.features


def attack(repeats: int) -> None:
    """Print the mean AUC of each attack, without privacy and with it."""
    print("| generator | " + " | ".join(["strongest", "by chance"]) + " | each attack |\n|---|---|---|---|")
    for name, epsilon in (("over-trained, not private", None), ("epsilon 5", 5.0), ("epsilon 1", 1.0)):
        found = [one for one in (attacked(seed, epsilon) for seed in range(repeats)) if one is not None]
        each = {one.name: np.mean([other.attacks[at].auc.value for other in found]) for at, one in enumerate(found[0].attacks)}
        strongest, chance = ([getattr(one, key) for one in found] for key in ("strongest", "by_chance"))
        mean = np.mean([one.value for one in strongest])
        cells = ", ".join(f"{key} {value:.2f}" for key, value in each.items())
        print(f"| {name} | {mean:.2f} | {np.mean(chance):.2f} | {cells} |", flush=True)


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.privacy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=5, help="how many of the five are computed")
    parser.add_argument("--minutes", type=float, default=30, help="then nothing further is begun")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/privacy"))
    parser.add_argument("--attack", action="store_true")
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with one_thread():
        if options.attack:
            attack(options.repeats)
            return
        path = options.out / "folds.jsonl"
        compute(path, parts=options.folds, minutes=options.minutes)
    print(table(read(path)))


if __name__ == "__main__":
    main()
