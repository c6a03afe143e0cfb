"""Make further rows without patient rows: a model and two linear weightings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mgvae.arrays import Array
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.generator.plausibility import OVERSUPPLY, drawn_once
from mgvae.generator.rules import RuleKeeper
from mgvae.generator.synthesis import translations
from mgvae.generator.synthetic import Synthetic
from mgvae.generator.translation import decode, draw_parents
from mgvae.model.encoding import Encoding
from mgvae.model.network import MGVAE
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import fit_tilt, tilted
from mgvae.training.inputs import GeneratorInputs

COMPARED = 2000  # rows of each side from which the slopes of `PortableGenerator.keep` are learned


@dataclass(frozen=True)
class PortableGenerator:
    """Translate majority rows into rows of one class.

    Attributes:
        model: fine-tuned on the class.
        tilt: slope on the codes of the log weight with which a majority row is a parent, ``(D,)``; None for equal weights.
        keep: slope on the encoded row of the log weight with which a translation is kept, ``(P,)``: what
            `mgvae.generator.plausibility` did in training, as a linear function; None where it did nothing.
    """

    model: MGVAE
    tilt: Tensor | None
    keep: Tensor | None

    def make(self, encoding: Encoding, majority: Tensor, n: int, *, seed: int, rules: RowRules = NO_RULES) -> Synthetic:
        """Return ``n`` rows translated from encoded majority rows ``(K, W)``, which keep ``rules``.

        Raises:
            TrainingError: there is no majority row.
        """
        draws = torch_generator(seed, "make")
        weight = None if self.tilt is None else tilted(self.model.exemplar_means(majority), self.tilt)
        count = n if self.keep is None else OVERSUPPLY * n
        parents = draw_parents(len(majority), count, draws, log_weight=weight)
        keeper, known = RuleKeeper(rules, encoding), decode(encoding, majority[:0])
        features, redrawn = translations(keeper, self.model, majority, parents, draws, unlike=known)
        repaired = keeper.repaired(features, n, seed=derive(seed, "repair"))
        at, features = repaired.usable, repaired.features
        if self.keep is not None and len(at) > n > 0:
            score = encoding.encode(features.iloc[at])[:, : encoding.inputs] @ self.keep.double().numpy()
            at = at[drawn_once(score, n, seed=seed)]
        at = at[:n]
        record = keeper.record(repaired, at, redrawn) if rules else None
        return Synthetic(features.iloc[at].reset_index(drop=True), parents.numpy()[at], rules=record)


def portable_generator(
    inputs: GeneratorInputs, model: MGVAE, made: Synthetic, settings: Training, *, seed: int, rules: RowRules = NO_RULES
) -> PortableGenerator:
    """Return a generator of rows like ``made``, which holds no patient row.

    Raises:
        TrainingError: there are no majority rows, or privacy is asked for.
    """
    if settings.privacy is not None:
        raise TrainingError("A portable generator learns from the cases, so it must be made without privacy. Use a study.")
    if inputs.majority is None:
        raise TrainingError("A portable generator translates majority rows; got none. Give the rows it was trained on.")
    tilt = None
    if settings.exemplar_weights == "tilted":
        tilt = fit_tilt(model.exemplar_means(inputs.majority), model.exemplar_means(inputs.cases))
    plain = PortableGenerator(model, tilt, None)
    if settings.plausibility == "none":
        return plain
    few, encoding = min(COMPARED, len(made.features)), inputs.encoding
    compared = plain.make(encoding, inputs.majority, few, seed=seed, rules=rules)
    rows = [encoding.encode(part.features.iloc[:few])[:, : encoding.inputs] for part in (compared, made)]
    return PortableGenerator(model, tilt, torch.from_numpy(_slopes(*rows)))


def _slopes(plain: Array, kept: Array) -> Array:
    fit = LogisticRegression(C=1.0, max_iter=1000).fit(np.vstack([plain, kept]), np.repeat([0, 1], [len(plain), len(kept)]))
    slopes: Array = fit.coef_[0]
    return slopes
