"""The gradient of a training step's loss, by the quickest way that holds for a model."""

from __future__ import annotations

from torch import Tensor

from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.model.objective import elbo, elbo_with_own_means
from mgvae.model.written_gradient import WrittenGradient, is_written, parameter_order
from mgvae.training.descent import Descent
from mgvae.training.ranks import Ranks, shared_terms


class Loss:
    """The loss ``(weight * kl - reconstruction).mean()`` of rows.

    Args:
        model: its parameters become views of `descent`'s vector.
        rate: the learning rate.
        ranks: the processes that share each step; None for one alone.
    Attributes:
        descent: follows the gradients.
    """

    def __init__(self, model: MGVAE, rate: float, ranks: Ranks | None = None) -> None:
        self.model, self.ranks = model, ranks
        written = ranks is None and is_written(model)
        self.descent = Descent(model, rate, parameter_order(model) if written else None)
        self._written = WrittenGradient(model, self.descent.values) if written else None

    def of_majority(
        self, rows: Tensor, cache: Exemplars, at: Tensor, noise: Tensor, own: Tensor | None, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the gradient, ``(P,)``, and the mean ELBO of rows some of which are exemplars.

        Args:
            rows, cache, at, noise, own: see `mgvae.model.objective.elbo_with_own_means`; of the whole step.
            weight: of the KL term, a scalar.
        """
        if self._written is not None:
            total = self._written(rows, cache, noise, at=at, own=own, weight=float(weight))
            return self._written.vector, total
        if self.ranks is not None:
            loss, total = shared_terms(self.ranks, self.model, rows, cache, at, noise, own, weight)
            return self.ranks.added_up(self.descent.gradient(loss), total)
        terms = elbo_with_own_means(self.model, rows, cache, at, noise, own=own)
        return self.descent.gradient((weight * terms.kl - terms.reconstruction).mean()), terms.total.detach().mean()

    def of_cases(self, rows: Tensor, prior: Exemplars | None, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient, ``(P,)``, and the mean ELBO of rows that are no exemplars, see `mgvae.model.objective.elbo`."""
        if self._written is not None and prior is not None:
            total = self._written(rows, prior, noise)
            return self._written.vector, total
        total = elbo(self.model, rows, prior, noise).total.mean()
        return self.descent.gradient(-total), total.detach()
