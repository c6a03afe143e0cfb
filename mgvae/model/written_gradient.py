"""The objective of a table's rows and its gradient, written out.

A step of training a small network takes longer to record its operations, and to follow them back, than to compute them. Here
nothing is recorded, and each layer writes its gradient to its place in one vector.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from mgvae.model.cells import Cells
from mgvae.model.exemplar_mixture import LOG_2PI, Exemplars, mixture_moments
from mgvae.model.layers import Linear, Perceptron, Places, by_row, is_perceptron
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import LOG_VAR, MGVAE, Encoder

ENCODER_HEADS = ("encoder.mean", "encoder.log_var")
CELL_HEADS = tuple(f"decoder.likelihood.{name}" for name in ("mean", "binary", "missing", "level"))


def parameter_order(model: MGVAE) -> list[str]:
    """Return the names of all parameters, the weights of heads that are computed as one beside each other, and the biases."""
    heads = [f"{name}.{part}" for joint in (ENCODER_HEADS, CELL_HEADS) for part in ("weight", "bias") for name in joint]
    named = dict(model.named_parameters())
    return [name for name in named if name not in heads] + [name for name in heads if name in named]


def is_written(model: MGVAE) -> bool:
    """Return whether `WrittenGradient` holds for a model: of tables, of linear layers, with free variances, not on a GPU."""
    parts = isinstance(model.encoder, Encoder) and isinstance(model.decoder.likelihood, TableLikelihood)
    layers = parts and is_perceptron(model.encoder.body) and is_perceptron(model.decoder.body)
    return layers and not model.tied and not model.prior_log_var.is_cuda


class _Code(NamedTuple):
    """Codes that were drawn, and what their gradient needs.

    Attributes:
        z: the codes, ``(B, D)``, as all others are.
        mean, log_var: of q(z|x).
        moved: how far noise moved the codes.
        between: where the log variance lies between its bounds, from 0 to 1.
    """

    z: Tensor
    mean: Tensor
    log_var: Tensor
    moved: Tensor
    between: Tensor

    @staticmethod
    def drawn(heads: Tensor, noise: Tensor) -> _Code:
        """Return the codes that ``noise (B, D)`` draws where the encoder gives ``heads (B, 2 D)``."""
        mean, raw = heads.chunk(2, dim=1)
        (least, most), between = LOG_VAR, torch.sigmoid(raw)
        log_var = least + (most - least) * between
        moved = torch.exp(0.5 * log_var).mul_(noise)
        return _Code(mean + moved, mean, log_var, moved, between)

    def log_density(self, noise: Tensor) -> Tensor:
        """Return the sum of log q(z|x), a scalar."""
        return -0.5 * (self.log_var.sum() + noise.square().sum() + noise.numel() * LOG_2PI)

    def for_raw(self, for_code: Tensor, kl_share: float) -> Tensor:
        """Return the gradient in the unbounded log variance by that in the codes, ``(B, D)``."""
        slope = (0.5 * (LOG_VAR[1] - LOG_VAR[0])) * self.between * (1 - self.between)
        return torch.mul(for_code, self.moved).sub_(kl_share).mul_(slope)


class WrittenGradient:
    """The gradient of a training step's loss in all parameters of a model, see `is_written`.

    Args:
        model: its parameters are views of ``values``.
        values: ``(P,)``, in the order that `parameter_order` gives.
    Attributes:
        vector: the gradient, ``(P,)``, after a call.
    """

    def __init__(self, model: MGVAE, values: Tensor) -> None:
        self.model, self.vector, names = model, torch.zeros_like(values), parameter_order(model)
        shapes = [model.get_parameter(name).shape for name in names]
        starts = accumulate((shape.numel() for shape in shapes), initial=0)
        at = dict(zip(names, zip(starts, shapes, strict=False), strict=True))
        places = Places(values, self.vector, at)
        self._encoder = Perceptron("encoder.body", model.encoder.body, places)
        self._code = Linear(ENCODER_HEADS, places)
        self._decoder = Perceptron("decoder.body", model.decoder.body, places)
        self._heads = Linear(CELL_HEADS, places)
        likelihood = model.decoder.likelihood
        assert isinstance(likelihood, TableLikelihood)  # noqa: S101 - see is_written
        self._cells = Cells(likelihood)
        self._for_spread = places.joined(["decoder.likelihood.raw_log_sigma"])[1]
        self._for_prior = self.vector[at["prior_log_var"][0]]

    def __call__(
        self,
        rows: Tensor,
        prior: Exemplars,
        noise: Tensor,
        *,
        at: Tensor | None = None,
        own: Tensor | None = None,
        weight: float = 1.0,
    ) -> Tensor:
        """Put the gradient of ``(weight * kl - reconstruction).mean()`` in `vector`; return the mean ELBO, a scalar.

        Args:
            rows: ``(B, W)``.
            prior: exemplars; those of the rows themselves are renewed, and their means have a gradient.
            noise: standard-normal draws, ``(B, D)``.
            at: position of each row among the exemplars, ``(B,)``, -1 for none; None where none is.
            own: the exemplars that a row does without; see `mgvae.model.prior.log_mixture`.
            weight: of the KL term.
        """
        return self._pass(rows, prior, noise, at, own, weight / len(noise), 1 / len(noise), squares=0)

    def add_squares(self, rows: Tensor, prior: Exemplars, noise: Tensor, own: Tensor) -> None:
        """Add the squares of each row's gradient of its codes' mean ELBO to `vector`.

        Args:
            rows: ``(n, W)``.
            prior: exemplars, held fixed.
            noise: of each code, ``(n, R, D)``.
            own: positions of the exemplars that a row does without, ``(n,)`` or ``(n, M)``, -1 for none.
        """
        codes = noise.shape[1]
        self._pass(rows, prior, noise.flatten(0, 1), None, own.repeat_interleave(codes, 0), 1 / codes, 1 / codes, squares=codes)

    @torch.no_grad()
    def _pass(
        self,
        rows: Tensor,
        prior: Exemplars,
        noise: Tensor,
        at: Tensor | None,
        own: Tensor | None,
        kl_share: float,
        share: float,
        *,
        squares: int,
    ) -> Tensor:
        """Put or add the gradient of ``kl_share * kl - share * reconstruction``; return ``share`` times the ELBO, a scalar."""
        codes = max(squares, 1)
        seen = self._encoder.forward(rows[:, : self.model.encoder.inputs])
        code = _Code.drawn(_repeated(self._code.forward(seen[-1]), codes), noise)
        inside = torch.nonzero(at >= 0)[:, 0] if at is not None else torch.empty(0, dtype=torch.long)
        places, fresh = inside if at is None else at.index_select(0, inside), code.mean.index_select(0, inside)
        prior.renew(places, fresh)
        moments = mixture_moments(code.z, places, self.model.prior_log_var, own, prior)
        pull = moments.pull(fresh - prior.centre)

        built = self._decoder.forward(code.z)
        cells = self._cells.gradient(self._heads.forward(built[-1]), _repeated(rows, codes))
        _put(cells.for_raw_log_sigma.mul_(-share), self._for_spread, squares)
        _put(pull.for_log_var.mul_(-kl_share), self._for_prior, squares)
        above = self._heads.backward(cells.for_heads.mul_(-share), built[-1], squares=squares)
        for_code = self._decoder.backward(above, built, to_inputs=True, squares=squares).sub_(pull.for_code, alpha=kl_share)
        for_raw = code.for_raw(for_code, kl_share)
        for_mean = for_code.index_add_(0, inside, pull.for_fresh, alpha=-kl_share)
        above = torch.cat([for_mean, for_raw], dim=1)
        if squares:
            above = by_row(above, codes).sum(1)
        above = self._code.backward(above, seen[-1], squares=min(squares, 1))
        self._encoder.backward(above, seen, to_inputs=False, squares=min(squares, 1))
        total: Tensor = (cells.log_prob - code.log_density(noise) + moments.log_density.sum()) * share
        return total


def _repeated(rows: Tensor, codes: int) -> Tensor:
    """Return each row ``codes`` times."""
    return rows if codes == 1 else rows.repeat_interleave(codes, 0)


def _put(each: Tensor, place: Tensor, squares: int) -> None:
    """Put the sum of each row's gradient, ``(B, ...)``, in its place, or add its squares; see `Linear.backward`."""
    if squares:
        place.add_(by_row(each, squares).sum(1).square_().sum(0))
    else:
        torch.sum(each, 0, out=place)
