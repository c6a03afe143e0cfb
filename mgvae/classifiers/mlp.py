"""A small multilayer perceptron: members that stop early on unlike parts.

Each of its members is fitted without one part of the rows and stops where the loss on that part is smallest; the mean of their
log odds predicts. So every row is learned from, though each member has rows that it has not seen. Rows that are equal in all
columns, as repeated cases are, lie in one part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, LinearDesign, fit_linear_design
from mgvae.classifiers.losses import SCALE, class_balanced, focal_terms, ldam_margins
from mgvae.classifiers.network import Network, bounded
from mgvae.config.classifiers import MLPLoss
from mgvae.reproducibility import numpy_generator
from mgvae.threads import one_thread
from mgvae.torch_runtime import torch_generator


@dataclass(frozen=True)
class Fitting:
    """How the members are trained.

    Attributes:
        members, hidden: K and H.
        epochs, patience: most passes, and those without a better held-out loss after which a member is done.
        steps: of Adam in a pass; the batch is what that makes of the rows.
        learning_rate: of Adam.
        decay: ridge penalty on the weights against the summed loss; it means the same in every arm.
    """

    members: int = 5
    hidden: int = 8
    epochs: int = 40
    patience: int = 5
    steps: int = 10
    learning_rate: float = 1e-2
    decay: float = 6.0


class MLPModel:
    """Multilayer perceptron on `design.LinearDesign` with one hidden layer.

    Source: deep ensembles, Lakshminarayanan et al. 2017, arXiv:1612.01474; the losses in `mgvae.classifiers.losses`.
    """

    def __init__(self, *, seed: int, loss: MLPLoss = "cross_entropy", fitting: Fitting | None = None) -> None:
        self.seed = seed
        self.loss = loss
        self.fitting = fitting or Fitting()

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> MLPModel:
        """Fit; see `Classifier.fit`."""
        self.design: LinearDesign = fit_linear_design(features, rare=RARE_LEVEL)
        rows = self.design.rows(features)
        w = np.ones(len(event)) if weights is None else weights
        with one_thread():
            self.network = _Training(rows, event, w, self.loss, self.fitting, self.seed).network()
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return self.network.predict_proba(self.design.rows(features))


def parts_of(rows: Any, event: IntArray, *, parts: int, seed: int) -> IntArray:
    """Return the part of each row, ``(N,)``: equal rows in one, classes spread evenly."""
    dense = rows if isinstance(rows, np.ndarray) else rows @ np.sqrt(np.arange(2.0, rows.shape[1] + 2.0))[:, None]
    _, first, same = np.unique(dense, axis=0, return_index=True, return_inverse=True)
    order = numpy_generator(seed, "parts").permutation(len(first))
    order = order[np.argsort(event[first][order], kind="stable")]  # of each class in turn
    part = np.empty(len(first), dtype=np.int64)
    part[order] = np.arange(len(first)) % parts
    return part[same.reshape(-1)]


class _Training:
    """One fit: members side by side, as tensors with a first dimension of K."""

    def __init__(self, rows: Any, event: IntArray, w: FloatArray, loss: MLPLoss, how: Fitting, seed: int) -> None:
        self.how, self.kind = how, loss
        self.X = torch.from_numpy(bounded(rows)).float()
        self.event = torch.from_numpy(event.astype(np.float32))
        self.draws = torch_generator(seed, "mlp")
        counts = [float(w[event == value].sum()) for value in (0, 1)]
        if loss == "class_balanced":
            w = w * class_balanced(counts).numpy()[event]
        self.margins = (ldam_margins(counts) * SCALE).float()
        part = torch.from_numpy(parts_of(rows, event, parts=how.members, seed=seed))
        mine = torch.stack([part != member for member in range(how.members)])
        weight = torch.from_numpy(w / w.sum()).float()
        self.fitted, self.unseen = mine * weight, ~mine * weight
        self.decay = how.decay / float(w.sum())
        share = float(w[event == 1].sum() / w.sum())
        shape = {"inner": (self.X.shape[1], how.hidden), "inner_level": (1, how.hidden), "outer": (how.hidden, 1)}
        scale = {"inner": (2.0 / self.X.shape[1]) ** 0.5, "inner_level": 0.0, "outer": how.hidden**-0.5}
        self.state = {name: torch.randn(how.members, *size, generator=self.draws) * scale[name] for name, size in shape.items()}
        self.state["outer_level"] = torch.full((how.members, 1, 1), float(np.log(share / (1 - share))))

    def network(self) -> Network:
        """Return the members, each as it was where its held-out loss was smallest."""
        for tensor in self.state.values():
            tensor.requires_grad_(True)
        optimizer = torch.optim.Adam(self.state.values(), lr=self.how.learning_rate, fused=True)
        best = torch.full((self.how.members,), torch.inf)
        kept = {name: tensor.detach().clone() for name, tensor in self.state.items()}
        waited = torch.zeros(self.how.members)
        size = max(1, -(-len(self.X) // self.how.steps))
        for _ in range(self.how.epochs):
            for batch in torch.split(torch.randperm(len(self.X), generator=self.draws), size):
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(self._objective(batch))
                optimizer.step()
            held = self._held_out()
            better = held < best
            best, waited = torch.where(better, held, best), torch.where(better, 0.0, waited + 1)
            for name, tensor in self.state.items():
                kept[name] = torch.where(better.reshape(-1, 1, 1), tensor.detach(), kept[name])
            if bool((waited >= self.how.patience).all()):
                break
        return self._as_numbers(kept)

    def _objective(self, batch: Tensor) -> Tensor:
        loss = (self._losses(self.X[batch], self.event[batch]) * self.fitted[:, batch]).sum() * (len(self.X) / len(batch))
        squares: Tensor = (self.state["inner"] ** 2).sum() + (self.state["outer"] ** 2).sum()
        return loss + squares * (self.decay / 2)

    @torch.no_grad()
    def _held_out(self) -> Tensor:
        return (self._losses(self.X, self.event) * self.unseen).sum(dim=1)

    def _losses(self, X: Tensor, event: Tensor) -> Tensor:
        """Return each member's loss of each row, ``(K, B)``."""
        hidden = (X @ self.state["inner"] + self.state["inner_level"]).relu()
        if self.kind == "ldam":
            vector = normalize(self.state["outer"], dim=1) * SCALE
            line = (normalize(hidden, dim=2) @ vector + self.state["outer_level"])[:, :, 0]
            return softplus(torch.where(event == 1, self.margins[1] - line, self.margins[0] + line))
        line = (hidden @ self.state["outer"] + self.state["outer_level"])[:, :, 0]
        log_p = -softplus(torch.where(event == 1, -line, line))
        return focal_terms(log_p) if self.kind == "focal" else -log_p

    def _as_numbers(self, state: dict[str, Tensor]) -> Network:
        ldam = self.kind == "ldam"
        if ldam:
            state["outer"] = normalize(state["outer"], dim=1) * SCALE
        return Network(**{name: one.double().numpy() for name, one in state.items()}, normalised=ldam)
