"""The whole chain as single calls, for the flow's stages and for each fold: encode, pre-train, fine-tune, translate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae.cohort.groups import hold_out
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.generator.plausibility import OVERSUPPLY, keep_plausible
from mgvae.generator.translation import Synthetic, decode, draw_parents, dream, translate
from mgvae.model.encoding import Array, Encoding, fit_encoding
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE, initialised
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import exemplar_log_weight
from mgvae.training.loops import Anchor, History, OnEpoch, anchor_at, pretrain
from mgvae.training.tuning import Finetuned, finetune_chosen

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


def new_model(encoding: Encoding, rows: Tensor, settings: Training, *, seed: int) -> MGVAE:
    """Return an untrained model for ``encoding`` whose heads start at the base rates of ``rows``, ``(n, W)``."""
    tied = settings.posterior_variance == "tied"
    likelihood = TableLikelihood(encoding, settings.hidden[0])
    model = MGVAE(likelihood, hidden=settings.hidden, latent_dim=settings.latent_dim, tied=tied)
    initialised(model, torch_generator(seed, "initialise"))
    model.decoder.likelihood.start_at(rows.cpu())
    return model.to(rows.device)


def pretrain_majority(
    encoding: Encoding, majority: Tensor, group: Array, settings: Training, *, seed: int, on_epoch: OnEpoch | None = None
) -> Pretrained:
    """Return a model pre-trained on encoded majority rows ``(n, W)``, with its EWC anchor.

    Args:
        encoding: the fitted encoding.
        majority: encoded rows; whole groups of them are held out for early stopping.
        group: group code of each row, ``(n,)``.
        settings: how to train.
        seed: the seed.
        on_epoch: called after each epoch.
    """
    parts = hold_out(group, settings.heldout_fraction, seed=seed)
    held_out = torch.from_numpy(parts.held_out).to(majority.device)
    rows = majority[~held_out]
    model = new_model(encoding, rows, settings, seed=seed)
    history = pretrain(model, rows, majority[held_out], settings, seed=seed, on_epoch=on_epoch)
    history = replace(history, remarks=parts.remarks("Early stopping of pre-training watched the ELBO"))
    return Pretrained(model, anchor_at(model, rows, settings, seed=seed), history)


def synthetic_cases(
    features: pd.DataFrame,
    event: Array,
    group: Array,
    *,
    columns: Mapping[str, Column],
    training: Training,
    n: int,
    seed: int,
    variant: Variant = "mgvae",
) -> Synthetic:
    """Train the generator on these rows alone and return ``n`` synthetic cases.

    Args:
        features: fitting rows, typed as `Cohort.features`.
        event: bool, ``(rows,)``.
        group: group codes, ``(rows,)``.
        columns: the dictionary's entries of the features.
        training: how to train.
        n: synthetic cases to make.
        seed: the seed.
        variant: mgvae or one of its ablations; vae is a plain VAE on the rare cases.
    Raises:
        TrainingError: there is no case or no majority patient.
    """
    event = np.asarray(event, dtype=bool)
    if not event.any() or event.all():
        raise TrainingError(f"A generator needs cases and majority patients; got {int(event.sum())} and {int((~event).sum())}.")
    encoding = fit_encoding(features, columns)
    rows = encoded(encoding, features, training)
    majority, cases = rows[torch.from_numpy(~event)], rows[torch.from_numpy(event)]
    remarks: tuple[str, ...] = ()
    if variant in ("vae", "mgvae_no_pretraining"):
        start, anchor = new_model(encoding, cases, training, seed=seed), None
    else:
        trained = pretrain_majority(encoding, majority, np.asarray(group)[~event], training, seed=seed)
        start, anchor = trained.model, trained.anchor if variant == "mgvae" else None
        remarks = trained.history.remarks
    exemplars = None if variant == "vae" else majority
    tuned = finetune_cases(start, anchor, cases, exemplars, np.asarray(group)[event], training, seed=seed)
    codes = np.concatenate([np.asarray(group)[~event], np.asarray(group)[event]])
    made = synthesise(encoding, tuned.model, exemplars, cases, training, n=n, seed=seed, group=codes)
    parent = np.flatnonzero(~event)[made.parent] if exemplars is not None else made.parent
    return Synthetic(made.features, parent, remarks + tuned.history.remarks + made.remarks)


def finetune_cases(
    model: MGVAE,
    anchor: Anchor | None,
    cases: Tensor,
    exemplars: Tensor | None,
    group: Array,
    settings: Training,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Finetuned:
    """Return ``model`` fine-tuned on encoded cases ``(n, W)``; the model given is left as it is. See `tune.finetune_chosen`."""
    return finetune_chosen(
        copy.deepcopy(model), anchor, cases, exemplars, group, settings, seed=derive(seed, "tune"), on_epoch=on_epoch
    )


def synthesise(
    encoding: Encoding,
    model: MGVAE,
    majority: Tensor | None,
    cases: Tensor,
    settings: Training,
    *,
    n: int,
    seed: int,
    group: Array | None = None,
) -> Synthetic:
    """Return ``n`` synthetic cases: translated from encoded majority rows ``(K, W)``, or dreamt where there are none.

    Encoded ``cases`` say which majority patients resemble them, where ``settings.exemplar_weights`` is tilted, and which
    translations are plausible, see `matching`. ``group`` has the codes of the majority rows, then of the cases; by default
    every row is a group of its own.
    """
    draws = torch_generator(seed, "synthesise")
    if majority is None:
        return Synthetic(decode(encoding, dream(model, n, draws)), np.full(n, -1))
    weight = exemplar_log_weight(model.exemplar_means(majority), model.exemplar_means(cases), settings)
    made = n if settings.plausibility == "none" else OVERSUPPLY * n
    parents = draw_parents(len(majority), made, draws, log_weight=weight)
    real = decode(encoding, majority), decode(encoding, cases)
    features = translations(encoding, model, majority, parents, draws, unlike=real[1])
    group = np.arange(len(majority) + len(cases)) if group is None else group
    kept = keep_plausible(features, *real, group, n=n, how=settings.plausibility, seed=derive(seed, "keep"))
    return Synthetic(features.iloc[kept.rows].reset_index(drop=True), parents.numpy()[kept.rows], kept.remarks)


def translations(
    encoding: Encoding, model: MGVAE, majority: Tensor, parents: Tensor, draws: torch.Generator, *, unlike: pd.DataFrame
) -> pd.DataFrame:
    """Return one row per parent, typed, ``(n, P)``; a row that repeats one of ``unlike`` in every column is drawn again.

    It is drawn again `MOST_REDRAWS` times at most: where few columns were measured, chance alone repeats a patient now and
    then, and on tables of a few codes it cannot be helped. Made in chunks, so that encoded rows are never all in memory.
    """
    known = _row_keys(unlike)
    parts = [
        _translated_afresh(encoding, model, majority[part.to(majority.device)], known, draws)
        for part in torch.split(parents, model.at_once)
    ]
    return pd.concat(parts, ignore_index=True)


def _translated_afresh(encoding: Encoding, model: MGVAE, parents: Tensor, known: Array, draws: torch.Generator) -> pd.DataFrame:
    rows = translate(model, parents, draws)
    keys = _row_keys(decode(encoding, rows))
    for _ in range(MOST_REDRAWS):
        repeated = np.flatnonzero(np.isin(keys, known))
        if not len(repeated):
            break
        at = torch.from_numpy(repeated).to(rows.device)
        rows[at] = translate(model, parents[at], draws)
        keys[repeated] = _row_keys(decode(encoding, rows[at]))
    return decode(encoding, rows)


def _row_keys(features: pd.DataFrame) -> Array:
    """Return a 64-bit digest of each row; missing equals missing."""
    return pd.util.hash_pandas_object(features, index=False).to_numpy(copy=True)
