"""Run the whole chain: encode, pre-train, fine-tune, translate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae.arrays import Array, BoolArray, IntArray
from mgvae.cohort.groups import hold_out
from mgvae.cohort.rows import Rows
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.config.study import NOT_PRIVATE
from mgvae.errors import TrainingError
from mgvae.generator.plausibility import OVERSUPPLY, Kept, keep_plausible
from mgvae.generator.repair import repaired
from mgvae.generator.rules import Repaired, RuleKeeper
from mgvae.generator.synthetic import Synthetic
from mgvae.generator.translation import DecodedRows, decode, draw_parents, sample_prior, translate
from mgvae.model.chosen_rows import AnyRows, chosen
from mgvae.model.encoding import Encoding, fit_encoding
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE, initialised
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator
from mgvae.training.anchor import Anchor, anchor_at
from mgvae.training.early_stopping import History, OnEpoch
from mgvae.training.exemplar_weights import exemplar_log_weight, tilted
from mgvae.training.exemplars import kin
from mgvae.training.inputs import GeneratorInputs, divide_by_event, encoding_rows
from mgvae.training.loops import pretrain
from mgvae.training.ranks import Ranks
from mgvae.training.tuning import finetune_cases

MOST_REDRAWS = 20
Variant = Literal["mgvae", "mgvae_no_pretraining", "mgvae_no_ewc", "vae"]


@dataclass(frozen=True)
class Pretrained:
    """A model trained on the majority, and what fine-tuning needs of it."""

    model: MGVAE
    anchor: Anchor
    history: History


def device_of(settings: Training) -> torch.device:
    """Return the device that ``settings.device`` asks for.

    Raises:
        TrainingError: cuda is asked for and there is none.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training.device is cuda, but no CUDA device is visible. Set it to auto or cpu.")
    return torch.device("cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu")


def encoded(encoding: Encoding, features: pd.DataFrame, settings: Training) -> Tensor:
    """Return encoded rows ``(n, W)`` as float32 on the training device."""
    return torch.from_numpy(encoding.encode(features, dtype=np.float32)).to(device_of(settings))


def new_model(encoding: Encoding, rows: AnyRows, settings: Training, *, seed: int) -> MGVAE:
    """Return an untrained model that starts at the base rates of ``rows (n, W)``."""
    tied = settings.posterior_variance == "tied"
    likelihood = TableLikelihood(encoding, settings.hidden[0])
    model = MGVAE(likelihood, hidden=settings.hidden, latent_dim=settings.latent_dim, tied=tied)
    initialised(model, torch_generator(seed, "initialise"))
    model.decoder.likelihood.start_at(rows)
    return model.to(rows.device)


def pretrain_majority(
    encoding: Encoding,
    majority: Tensor,
    group: Array,
    settings: Training,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
    ranks: Ranks | None = None,
) -> Pretrained:
    """Pre-train a model on encoded majority rows ``(n, W)``; add its EWC anchor.

    Args:
        encoding: the fitted encoding.
        majority: encoded rows; whole groups of them are held out for early stopping.
        group: group code of each row, ``(n,)``.
        settings: how to train.
        seed: the seed.
        on_epoch: called after each epoch.
        ranks: the processes that share it, see `pretrain`; each has the result.
    """
    codes = kin(majority, group)
    parts = hold_out(codes, settings.heldout_fraction, seed=seed)
    held_out = torch.from_numpy(parts.held_out).to(majority.device)
    rows, watched = chosen(majority, ~held_out), chosen(majority, held_out)
    own = torch.from_numpy(codes).to(majority.device)[~held_out] if len(np.unique(codes)) < len(codes) else None
    model = new_model(encoding, rows, settings, seed=seed)
    history = pretrain(model, rows, watched, settings, seed=seed, kin=own, on_epoch=on_epoch, ranks=ranks)
    history = replace(history, remarks=parts.remarks("Early stopping of pre-training watched the ELBO"))
    return Pretrained(model, anchor_at(model, rows, settings, seed=seed, kin=own), history)


def synthetic_cases(
    rows: Rows,
    columns: Mapping[str, Column],
    settings: Training,
    *,
    n: int,
    seed: int,
    variant: Variant = "mgvae",
    rules: RowRules = NO_RULES,
    repair: float | None = None,
) -> Synthetic:
    """Train the generator on these rows alone and return ``n`` synthetic cases.

    Args:
        rows: fitting rows, typed as `Cohort.features`.
        columns: the dictionary's entries of the features.
        settings: how to train.
        n: synthetic cases to make.
        seed: the seed.
        variant: mgvae or one of its ablations; vae is a plain VAE on the rare cases.
        rules: between the features; the cases keep them.
        repair: see `mgvae.generator.repair`; None to drop nothing.
    Raises:
        TrainingError: there is no case or no majority patient, or a variant cannot be private.
    """
    event = np.asarray(rows.event, dtype=bool)
    if settings.privacy is not None and variant in NOT_PRIVATE:
        raise TrainingError(
            f"With privacy a generator must start from the majority; variant '{variant}' does not. Leave it out."
        )
    if not event.any() or event.all():
        raise TrainingError(f"A generator needs cases and majority patients; got {int(event.sum())} and {int((~event).sum())}.")
    encoding = fit_encoding(encoding_rows(rows.features, event, settings), columns)
    inputs = divide_by_event(encoding, encoded(encoding, rows.features, settings), event, rows.group)
    remarks: tuple[str, ...] = ()
    if variant in ("vae", "mgvae_no_pretraining") or inputs.majority is None:
        start, anchor = new_model(encoding, inputs.cases, settings, seed=seed), None
    else:
        trained = pretrain_majority(encoding, inputs.majority, inputs.majority_group, settings, seed=seed)
        start, anchor = trained.model, trained.anchor if variant == "mgvae" else None
        remarks = trained.history.remarks
    if variant == "vae":
        inputs = replace(inputs, majority=None)
    tuned = finetune_cases(start, anchor, inputs, settings, seed=seed)
    made = synthesise(inputs, tuned.model, settings, n=n, seed=seed, rules=rules, tilt=tuned.tilt, repair=repair)
    parent = made.parent if inputs.majority is None else np.flatnonzero(~event)[made.parent]
    return replace(made, parent=parent, remarks=remarks + tuned.history.remarks + made.remarks)


def synthesise(
    inputs: GeneratorInputs,
    model: MGVAE,
    settings: Training,
    *,
    n: int,
    seed: int,
    rules: RowRules = NO_RULES,
    tilt: Tensor | None = None,
    repair: float | None = None,
) -> Synthetic:
    """Return ``n`` cases translated from majority rows, or drawn from the prior; fewer where ``repair`` drops some.

    The cases say which majority patients resemble them, where ``settings.exemplar_weights`` is tilted, and which translations
    are plausible, see `mgvae.generator.plausibility`. They keep ``rules``, see `mgvae.generator.rules`. With
    ``settings.privacy`` no case is read: ``tilt`` is the slope of the exemplars' weights, and every translation is plausible.

    Raises:
        TrainingError: repair is asked for with privacy, or leaves no case.
    """
    if repair is not None and settings.privacy is not None:
        raise TrainingError("With privacy nobody may look which rows are near a case; set synthesis.repair to null.")
    made = _synthesised(inputs, model, settings, n=n, seed=seed, rules=rules, tilt=tilt)
    if repair is None or n == 0:
        return made
    majority = None if inputs.majority is None else decode(inputs.encoding, inputs.majority)
    broken = RuleKeeper(rules, inputs.encoding).broken(made.features) if rules else np.zeros(n, dtype=bool)
    return repaired(made, majority, decode(inputs.encoding, inputs.cases), broken, within=repair)


def _synthesised(
    inputs: GeneratorInputs,
    model: MGVAE,
    settings: Training,
    *,
    n: int,
    seed: int,
    rules: RowRules,
    tilt: Tensor | None,
) -> Synthetic:
    if settings.privacy is not None:
        inputs, settings = inputs.without_cases(), settings.model_copy(update={"plausibility": "none"})
    draws, encoding, majority = torch_generator(seed, "synthesise"), inputs.encoding, inputs.majority
    keeper = RuleKeeper(rules, encoding)
    if majority is None:
        features, redrawn = _drawn(keeper, lambda at: sample_prior(model, len(at), draws), n, known=None)
        corrected, parent = keeper.repaired(features, n, seed=derive(seed, "repair")), np.full(n, -1)
        return _kept(keeper, corrected, Kept(np.arange(n)), parent, redrawn)
    means = model.exemplar_means(majority)
    if settings.privacy is not None:
        weight = None if tilt is None else tilted(means, tilt)
    else:
        weight = exemplar_log_weight(means, model.exemplar_means(inputs.cases), settings)
    count = n if settings.plausibility == "none" else OVERSUPPLY * n
    parents = draw_parents(len(majority), count, draws, log_weight=weight)
    real = DecodedRows(encoding, majority), decode(encoding, inputs.cases)
    features, redrawn = translations(keeper, model, majority, parents, draws, unlike=real[1])
    corrected = keeper.repaired(features, n, seed=derive(seed, "repair"))
    usable = corrected.features.iloc[corrected.usable].reset_index(drop=True)
    kept = keep_plausible(usable, *real, inputs.group, n=n, how=settings.plausibility, seed=derive(seed, "keep"))
    return _kept(keeper, corrected, kept, parents.numpy(), redrawn)


def _kept(keeper: RuleKeeper, corrected: Repaired, kept: Kept, parents: Array, redrawn: int) -> Synthetic:
    """Return the rows that are kept, at positions among those that are usable."""
    rows = corrected.usable[kept.rows]
    record = keeper.record(corrected, rows, redrawn) if keeper.rules else None
    remarks = kept.remarks if record is None else kept.remarks + record.warning
    return Synthetic(corrected.features.iloc[rows].reset_index(drop=True), parents[rows], remarks, record)


def translations(
    keeper: RuleKeeper, model: MGVAE, majority: Tensor, parents: Tensor, draws: torch.Generator, *, unlike: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """Translate each parent, ``(n, P)``; draw again what repeats ``unlike`` or breaks a rule.

    It is drawn again `MOST_REDRAWS` times at most: where few columns were measured, chance alone repeats a patient now and
    then, and on tables of a few codes it cannot be helped. Made in chunks, so that encoded rows are never all in memory.

    Returns:
        The rows, and how many of them broke a rule at first.
    """
    known, columns, redrawn, start = _row_keys(unlike), dict[str, Array](), 0, 0
    for part in torch.split(parents, model.at_once):
        own = majority[part.to(majority.device)]
        features, broken = _drawn(keeper, partial(_translated, model, own, draws), len(part), known=known)
        for name, column in features.items():  # into their place: kept apart, small blocks would leave large gaps in memory
            cells = (column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column).to_numpy()
            whole = columns.setdefault(str(name), np.empty(len(parents), dtype=cells.dtype))
            whole[start : start + len(part)] = cells
        start, redrawn = start + len(part), redrawn + broken
    return pd.DataFrame({name: _typed(whole, unlike.dtypes[name]) for name, whole in columns.items()}, copy=False), redrawn


def _typed(cells: Array, dtype: object) -> object:
    """Return a column of numbers as it is, and level codes as levels."""
    return pd.Categorical.from_codes(cells, dtype=dtype) if isinstance(dtype, pd.CategoricalDtype) else cells


def _translated(model: MGVAE, parents: Tensor, draws: torch.Generator, at: IntArray) -> Tensor:
    return translate(model, parents[torch.from_numpy(at).to(parents.device)], draws)


def _drawn(keeper: RuleKeeper, draw: Callable[[IntArray], Tensor], n: int, *, known: Array | None) -> tuple[pd.DataFrame, int]:
    """Draw ``n`` rows; draw again, at most `MOST_REDRAWS` times, what is known or breaks a rule."""

    def refused(features: pd.DataFrame) -> tuple[BoolArray, BoolArray]:
        repeated = np.zeros(len(features), bool) if known is None else np.isin(_row_keys(features), known)
        return repeated, keeper.broken(features) if keeper.rules else np.zeros(len(features), bool)

    rows = draw(np.arange(n))
    features = keeper.decoded(rows)
    repeated, broken = refused(features)
    bad = repeated | broken
    for _ in range(MOST_REDRAWS):
        again = np.flatnonzero(bad)
        if not len(again):
            break
        at = torch.from_numpy(again).to(rows.device)
        rows[at] = draw(again)
        bad[again] = np.logical_or(*refused(keeper.decoded(rows[at])))
    return keeper.decoded(rows) if (repeated | broken).any() else features, int(broken.sum())


def _row_keys(features: pd.DataFrame) -> Array:
    """Return a 64-bit digest of each row; missing equals missing."""
    return pd.util.hash_pandas_object(features, index=False).to_numpy(copy=True)
