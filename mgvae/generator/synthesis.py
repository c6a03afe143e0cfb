"""The whole chain as single calls, for the flow's stages and for each fold: encode, pre-train, fine-tune, translate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.generator.plausibility import OVERSUPPLY, keep_plausible
from mgvae.generator.translation import Synthetic, decode, draw_parents, dream, translate
from mgvae.model.encoding import Array, Encoding, fit_encoding
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE, initialised
from mgvae.reproducibility import derive, numpy_generator
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
    apart = torch.from_numpy(_held_apart(group, settings.heldout_fraction, seed)).to(majority.device)
    rows, heldout = majority[~apart], majority[apart]
    model = new_model(encoding, rows, settings, seed=seed)
    history = pretrain(model, rows, heldout, settings, seed=seed, on_epoch=on_epoch)
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
    if variant in ("vae", "mgvae_no_pretraining"):
        start, anchor = new_model(encoding, cases, training, seed=seed), None
    else:
        trained = pretrain_majority(encoding, majority, np.asarray(group)[~event], training, seed=seed)
        start, anchor = trained.model, trained.anchor if variant == "mgvae" else None
    exemplars = None if variant == "vae" else majority
    tuned = finetune_cases(start, anchor, cases, exemplars, np.asarray(group)[event], training, seed=seed)
    codes = np.concatenate([np.asarray(group)[~event], np.asarray(group)[event]])
    made = synthesise(encoding, tuned.model, exemplars, cases, training, n=n, seed=seed, group=codes)
    parent = np.flatnonzero(~event)[made.parent] if exemplars is not None else made.parent
    return Synthetic(made.features, parent)


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
    return Synthetic(features.iloc[kept].reset_index(drop=True), parents.numpy()[kept])


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


def synthetic_count(events: int, others: int, prevalence: float) -> int:
    """Return how many synthetic cases bring ``events`` among ``events + others`` up to ``prevalence``; at least 0."""
    return max(0, round(prevalence * others / (1 - prevalence)) - events)


def _held_apart(group: Array, fraction: float, seed: int) -> Array:
    """Return bool ``(n,)``: whole groups, drawn until at least ``fraction`` of the rows, one at least, are held apart."""
    codes, members = np.unique(group, return_counts=True)
    order = numpy_generator(seed, "heldout groups").permutation(len(codes))
    taken = order[: max(1, int(np.searchsorted(members[order].cumsum(), fraction * len(group))) + 1)]
    apart: Array = np.isin(group, codes[taken])
    if apart.all():
        raise TrainingError(
            "Early stopping needs majority patients of at least two groups; got one group. Leave 'group' out or merge less."
        )
    return apart
