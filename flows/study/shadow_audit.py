"""Audit a finished run with shadow generators, for `mgvae gates RUN --audit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.runs.folder import FinishedRun, finished_run
from mgvae.arrays import Array, BoolArray
from mgvae.errors import ConfigError
from mgvae.results.gates import Attack, ShadowAudit
from mgvae.results.numbers import Estimate

if TYPE_CHECKING:
    from mgvae.cohort.build import Cohort
    from validation.attacks.membership import Attacked

NEEDED = ("split", "encode", "pretrain", "synthesise")
FEWEST, MOST = 4, 256  # shadow generators
MOST_PARTS = 10  # of the cases: a hold-out may be small
MOST_ROWS = 5000  # synthetic cases of each generator


def shadow_audit(run: Path, *, shadows: int, store: str | None = None) -> ShadowAudit:
    """Train generators with and without cases, and attack the run's synthetic cases.

    These shadow generators start from the run's pre-trained model, as would an attacker who knows the majority, and share its
    encoding. Each is fine-tuned on all cases, those held out among them, but for a part, so that it has about as many as the
    run had. Whole groups are left out. The same seed gives the same answer.

    Args:
        run: the run folder.
        shadows: how many at most, `FEWEST` to `MOST`: as many as leave every case out equally often.
        store: folder or URL of the artifact store, see `open_store`.

    Raises:
        ConfigError: ``run`` is no run folder, the number is out of range, or there are too few cases.
        StoreError: an artifact of the run is missing or damaged.
    """
    if not FEWEST <= shadows <= MOST:
        raise ConfigError(f"--shadows must be from {FEWEST} to {MOST}; got {shadows}.")
    found = finished_run(run, store, needed=NEEDED)
    from mgvae.cohort.files import load_cohort
    from mgvae.reproducibility import derive
    from validation.attacks.shadow import attacked_by_ratio, left_out, likelihood_ratios

    cohort, test = load_cohort(found.folders["split"])
    cases, member, seed = cohort.take(cohort.event), ~test[cohort.event], derive(found.config.seed, "audit")
    parts = _parts(cases.group, member, shadows)
    without = left_out(cases.group, shadows - shadows % parts, parts=parts, seed=seed)
    target, scores, rows = _scores(found, cases, cohort.take(~test & ~cohort.event), without, seed=seed)
    return ShadowAudit(
        shadows=len(without),
        without=int(without[:, 0].sum()),
        members=int(member.sum()),
        others=int((~member).sum()),
        rows=rows,
        attack=_plain(attacked_by_ratio(likelihood_ratios(target, scores, without), member)),
    )


def _parts(group: Array, member: BoolArray, shadows: int) -> int:
    """Return into how many parts the cases are dealt: as many are left out as the run held out, each case twice or oftener."""
    others, groups = int((~member).sum()), len(np.unique(group))
    if groups < 2:
        raise ConfigError("An audit leaves cases out, so it needs two groups of cases or more; got one.")
    wanted = round(len(member) / max(others, 1))
    return max(2, min(wanted, shadows // 2, groups, MOST_PARTS))


def _scores(found: FinishedRun, cases: Cohort, majority: Cohort, without: BoolArray, *, seed: int) -> tuple[Array, Array, int]:
    """Return scores of all cases under the run's rows ``(N,)`` and under each shadow's ``(K, N)``, and how many rows."""
    import torch  # takes seconds to import

    from flows.study.stages.encoded import encoded_rows
    from mgvae.cohort.embedding import fit_embedding
    from mgvae.cohort.rules import rules_within
    from mgvae.generator.release import load_synthetic
    from mgvae.generator.synthesis import device_of, encoded, synthesise
    from mgvae.reproducibility import derive, numpy_generator
    from mgvae.threads import one_thread
    from mgvae.training.anchor import Anchor
    from mgvae.training.checkpoint import load_checkpoint
    from mgvae.training.inputs import GeneratorInputs
    from mgvae.training.tuning import finetune_cases
    from validation.attacks.shadow import closeness

    config, training, device = found.config, found.config.training, device_of(found.config.training)
    start, rows = load_checkpoint(found.folders["pretrain"]), encoded_rows(found.folders["encode"])
    known, every, model = rows.majority.to(device), encoded(start.encoding, cases.features, training), start.model.to(device)

    def moved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: value.to(device) for name, value in tensors.items()}

    anchor = start.anchor and Anchor(moved(start.anchor.parameters), moved(start.anchor.fisher))
    embedding, made = fit_embedding(majority.features), load_synthetic(found.folders["synthesise"]).features
    patients, count = embedding.transform(cases.features), min(len(made), MOST_ROWS)
    looked_at = np.sort(numpy_generator(seed, "rows").permutation(len(made))[:count])
    target = closeness(patients, embedding.transform(made.iloc[looked_at].reset_index(drop=True)))
    rules, repair, scores = rules_within(config.columns, config.columns.features), config.synthesis.repair, []
    with one_thread():
        for number, out in enumerate(without):
            kept, own = torch.from_numpy(~out).to(device), derive(seed, "shadow", number)
            inputs = GeneratorInputs(start.encoding, known, every[kept], rows.majority_group, cases.group[~out])
            tuned = finetune_cases(model, anchor, inputs, training, seed=own)
            drawn = synthesise(inputs, tuned.model, training, n=count, seed=own, rules=rules, tilt=tuned.tilt, repair=repair)
            scores.append(closeness(patients, embedding.transform(drawn.features)))
    return target, np.stack(scores), count


def _plain(found: Attacked | None) -> Attack | None:
    from validation.intervals import numbers

    if found is None:
        return None
    caught = Estimate(**numbers(found.caught)) if found.caught else None
    return Attack(name=found.name, auc=Estimate(**numbers(found.auc)), caught=caught)
