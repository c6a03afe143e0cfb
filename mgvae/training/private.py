"""Fine-tune so that the rare cases are protected by differential privacy.

The encoder stays as the majority made it, and so do the weights of the decoder: of a few dozen noisy gradients, tens of
thousands of parameters would learn nothing. What the cases teach are

- the decoder's biases, by DP-SGD (Abadi et al. 2016, arXiv:1607.00133) on gradients of a case's reconstruction: clipped,
  summed, noised. Bias terms alone are tuned (Bu et al. 2022, arXiv:2210.00036), in the majority's scale of each gradient (Li et
  al. 2022, arXiv:2202.05963), which also gives the limit at which they are clipped;
- the tilt of the exemplars: the noisy mean of the cases' codes, from which linear discriminants follow with the majority's
  covariance.

Gradients and codes are averaged over the rows of a unit, a group or a patient, before they are clipped. All else, the limits,
the scales, the penalty and the number of steps, comes from the majority or is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from mgvae.arrays import IntArray
from mgvae.config.privacy import Privacy
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.model.ewc import MOST_NUMBERS, MOST_ROWS
from mgvae.model.network import MGVAE
from mgvae.reproducibility import derive
from mgvae.results.privacy import PrivacyRecord, PrivateMechanism, Use
from mgvae.torch_runtime import torch_generator
from mgvae.training.accountant import Mechanism, calibrated, is_exact, spent_epsilon
from mgvae.training.anchor import FISHER_ROWS, Anchor
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.noise import Uniforms, normal, repeatable, sampled, secret

STEPS = 60
EXPECTED = 256  # units in a step on average; all of them where they are fewer
LEARNING_RATE = 0.02  # of Adam, in the majority's scale, where there is no noise
CAUTION = 4.0  # how fast it falls with the square of the noise against the signal: Adam follows noise as far as signal
TILT_SHARE = 0.3  # of the budget, where exemplars are weighed
RARE_SCALE = 0.1  # of the mean scale of gradients: what hardly moves for the majority is not blown up
RADIUS = 0.9  # quantile of the majority's codes beyond which a case's code is clipped


@dataclass(frozen=True)
class Protected:
    """The cases by unit, and the noise of what is learned from them.

    Attributes:
        rows: encoded cases, ``(n, W)``.
        unit: number of each case's unit, from 0, ``(n,)``.
        units: how many there are.
        source: of the noise.
    """

    rows: Tensor
    unit: IntArray
    units: int
    source: Uniforms

    def mean_by_unit(self, rows: Tensor, unit: IntArray) -> Tensor:
        """Return the mean row of each unit that has some, ``(m, d)``."""
        _, code = np.unique(unit, return_inverse=True)
        at = torch.from_numpy(code).to(rows.device)
        total = rows.new_zeros(int(code.max(initial=-1)) + 1, rows.shape[1]).index_add(0, at, rows)
        return total / torch.bincount(at, minlength=len(total))[:, None]

    def noisy_sum(self, rows: Tensor, limit: float, noise: float) -> Tensor:
        """Return the sum of rows, each clipped to norm ``limit``, with noise of ``noise`` times that, ``(d,)``.

        In double precision; what is not finite counts 0, for it could not be clipped.
        """
        rows = torch.nan_to_num(rows.double(), 0.0, 0.0, 0.0)
        norm: Tensor = rows.norm(dim=1, keepdim=True).clamp(min=1e-30)
        total: Tensor = (rows * (limit / norm).clamp(max=1.0)).sum(0)
        return total + limit * noise * torch.from_numpy(normal(self.source, rows.shape[1])).to(total)


def plan(units: int, privacy: Privacy, *, tilt: bool) -> tuple[Mechanism, Mechanism | None]:
    """Return the steps and the tilt that spend the budget."""
    rate, share = min(1.0, EXPECTED / units), TILT_SHARE if tilt else 0.0

    def mechanisms(scale: float) -> Sequence[Mechanism]:
        steps = Mechanism(scale * rate * math.sqrt(STEPS / (1 - share)), rate, STEPS)
        return (steps, Mechanism(scale / math.sqrt(share))) if tilt else (steps,)

    found = calibrated(mechanisms, epsilon=privacy.epsilon, delta=privacy.delta)
    return found[0], found[1] if tilt else None


def finetune_privately(
    model: MGVAE, anchor: Anchor | None, inputs: GeneratorInputs, settings: Training, *, ewc_lambda: float, seed: int
) -> tuple[Tensor | None, PrivacyRecord]:
    """Tune ``model`` in place; return the slope of the exemplars' weights and what was spent.

    Args:
        model: pre-trained on the majority.
        anchor: where EWC holds; None for no EWC.
        inputs: the cases, and the majority.
        settings: ``privacy`` and ``exemplar_weights`` count.
        ewc_lambda: weight of the penalty.
        seed: of the draws that need not be secret.
    Raises:
        TrainingError: privacy is not asked for, or there is no case or no majority row.
    """
    privacy = settings.privacy
    if privacy is None or inputs.majority is None or not len(inputs.cases):
        raise TrainingError("Private fine-tuning needs privacy settings, majority rows and a case. Give all three.")
    group = inputs.case_group if privacy.unit == "group" else np.arange(len(inputs.cases))
    unit = np.unique(group, return_inverse=True)[1]
    source = secret if privacy.noise_seed is None else repeatable(derive(seed, "noise", privacy.noise_seed))
    cases = Protected(inputs.cases, unit, int(unit.max()) + 1, source)
    steps, tilt = plan(cases.units, privacy, tilt=settings.exemplar_weights == "tilted")
    slope = None
    if tilt is not None:
        slope = private_tilt(model.exemplar_means(inputs.majority), model.exemplar_means(inputs.cases), cases, tilt.noise)
    tuned = private_biases(model, inputs.majority, cases, steps, anchor=anchor, ewc_lambda=ewc_lambda, seed=seed)
    used = [_used("decoder biases", steps, cases.units, tuned)]
    used += [] if tilt is None else [_used("exemplar weights", tilt, cases.units, model.latent_dim)]
    mechanisms = [steps] if tilt is None else [steps, tilt]
    record = PrivacyRecord(
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        spent=spent_epsilon(mechanisms, privacy.delta),
        unit="group" if cases.units < len(unit) else "patient",
        units=cases.units,
        accountant="gaussian" if is_exact(mechanisms) else "renyi",
        secret_noise=privacy.noise_seed is None,
        mechanisms=tuple(used),
        remarks=_remarks(privacy, cases.units, used),
    )
    return slope, record


def _used(name: Use, mechanism: Mechanism, units: int, numbers: int) -> PrivateMechanism:
    ratio = noise_to_signal(mechanism, units, numbers)
    return PrivateMechanism(name=name, noise=mechanism.noise, rate=mechanism.rate, steps=mechanism.times, noise_to_signal=ratio)


def noise_to_signal(mechanism: Mechanism, units: int, numbers: int) -> float:
    """Return the length of the noise on so many numbers against that of the largest sum, over all uses."""
    return mechanism.noise * math.sqrt(numbers / mechanism.times) / (units * mechanism.rate)


def _remarks(privacy: Privacy, units: int, used: Sequence[PrivateMechanism]) -> tuple[str, ...]:
    """Return what is to be expected, in full sentences."""
    out = []
    if privacy.delta >= 1 / units:
        out.append(
            f"Privacy: delta must lie well below 1 / protected units ({1 / units:.2g}); got {privacy.delta:g}, with which a "
            "mechanism may reveal a unit outright. Choose a smaller delta."
        )
    if privacy.noise_seed is not None:
        out.append("Privacy: the noise follows from privacy.noise_seed; who knows it can take the noise away. Set it to null.")
    for mechanism in used:
        if mechanism.noise_to_signal > 1:
            out.append(
                f"Privacy: with {units:,} protected units and epsilon {privacy.epsilon:g} the noise on the {mechanism.name} is "
                f"{mechanism.noise_to_signal:.1f} times as long as the cases' largest possible signal: expect them to teach "
                "nothing there. More cases or a larger epsilon would."
            )
    return tuple(out)


def private_tilt(means: Tensor, case_means: Tensor, cases: Protected, noise: float) -> Tensor:
    """Return the slope of the log density ratio on codes, ``(D,)``, from a noisy mean of the cases' codes.

    In the majority's whitened codes the slope is the cases' mean, shrunk for the variance that chance and noise give it, by
    a belief that cases lie about one standard deviation off in all: noise alone then moves the slope by half of that at most.

    Args:
        means: exemplar means of the majority, ``(K, D)``.
        case_means: codes of the cases, ``(n, D)``.
        cases: their units.
        noise: of the mechanism.
    """
    codes = means.detach().cpu().double()
    centre, size = codes.mean(0), codes.shape[1]
    spread = (codes - centre).T @ (codes - centre) / len(codes)
    root = torch.linalg.cholesky(spread + (1e-6 + 1e-3 * spread.trace() / size) * torch.eye(size, dtype=torch.double))

    def whitened(rows: Tensor) -> Tensor:
        solved: Tensor = torch.linalg.solve_triangular(root, (rows.detach().cpu().double() - centre).T, upper=False)
        return solved.T

    limit = float(np.quantile(whitened(means).norm(dim=1).numpy(), RADIUS))
    mean = cases.noisy_sum(cases.mean_by_unit(whitened(case_means), cases.unit), limit, noise) / cases.units
    variance = (1 + (limit * noise) ** 2 / cases.units) / cases.units
    slope: Tensor = torch.linalg.solve_triangular(root.T, mean[:, None] / (1 + size * variance), upper=True)
    return slope[:, 0]


def private_biases(
    model: MGVAE, majority: Tensor, cases: Protected, noise: Mechanism, *, anchor: Anchor | None, ewc_lambda: float, seed: int
) -> int:
    """Tune the decoder's biases in place by DP-SGD, see the module; return how many there are."""
    draws = torch_generator(seed, "private")
    loss = _RowLoss(model)
    some = majority[torch.randperm(len(majority), generator=draws)[:FISHER_ROWS].to(majority.device)]
    usual = loss.gradients(some, loss.codes(some, draws))
    root = usual.square().mean(0).sqrt()
    scale = 1 / (root + RARE_SCALE * root.mean() + 1e-12)
    limit = float((usual * scale).norm(dim=1).median())
    start = loss.flat
    moved = torch.zeros_like(start, requires_grad=True)
    fisher = torch.zeros_like(start) if anchor is None else loss.flattened(anchor.fisher)
    ratio = noise_to_signal(noise, cases.units, len(start))
    optimizer = torch.optim.Adam([moved], lr=LEARNING_RATE / (1 + CAUTION * ratio**2))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=noise.times)
    for _ in range(noise.times):
        codes = loss.codes(cases.rows, draws)
        chosen = np.isin(cases.unit, np.flatnonzero(sampled(cases.source, cases.units, noise.rate)))
        at = torch.from_numpy(chosen).to(codes.device)
        rows = loss.gradients(cases.rows[at], codes[at]) * scale
        total = cases.noisy_sum(cases.mean_by_unit(rows, cases.unit[chosen]), limit, noise.noise)
        moved.grad = (total / (noise.rate * cases.units)).to(moved) + 2 * ewc_lambda * fisher * scale.square() * moved.detach()
        optimizer.step()
        schedule.step()
        loss.put(start + scale * moved.detach())
    return len(start)


class _RowLoss(torch.nn.Module):
    """Minus log p(x|z) of a row, and its gradients in the decoder's biases."""

    def __init__(self, model: MGVAE) -> None:
        super().__init__()
        self.model, self.decoder = model, model.decoder
        self.names = [name for name, value in model.decoder.named_parameters() if value.ndim < 2 and value.numel()]

    def forward(self, row: Tensor, z: Tensor) -> Tensor:
        return -self.decoder.plain_log_prob(row[None], z[None])[0]

    def codes(self, rows: Tensor, draws: torch.Generator) -> Tensor:
        """Draw a code of q(z|x) for each row, ``(n, D)``."""
        with torch.no_grad():
            mean, log_var = self.model.posterior(rows)
            return mean + torch.exp(0.5 * log_var) * self.model.noise(len(rows), draws)

    @property
    def tuned(self) -> dict[str, Tensor]:
        named = dict(self.decoder.named_parameters())
        return {f"decoder.{name}": named[name].detach() for name in self.names}

    @property
    def flat(self) -> Tensor:
        return torch.cat([value.flatten() for value in self.tuned.values()]).clone()

    def flattened(self, named: Mapping[str, Tensor]) -> Tensor:
        """Return the tuned part of what is named as the model's parameters, ``(d,)``."""
        return torch.cat([named[f"decoder.{name}"].flatten() for name in self.names])

    def put(self, flat: Tensor) -> None:
        named, start = dict(self.decoder.named_parameters()), 0
        with torch.no_grad():
            for name in self.names:
                named[name].copy_(flat[start : start + named[name].numel()].view_as(named[name]))
                start += named[name].numel()

    def gradients(self, rows: Tensor, codes: Tensor) -> Tensor:
        """Return each row's gradient, ``(n, d)``."""
        tuned = self.tuned
        per_row = vmap(grad(lambda values, row, z: functional_call(self, values, (row, z))), in_dims=(None, 0, 0))
        chunk = max(1, min(MOST_ROWS, MOST_NUMBERS // max(1, len(self.flat))))
        if not len(rows):
            return rows.new_zeros(0, len(self.flat))
        parts = [per_row(tuned, *part) for part in zip(torch.split(rows, chunk), torch.split(codes, chunk), strict=True)]
        return torch.cat([torch.cat([value.detach().flatten(1) for value in part.values()], dim=1) for part in parts])
