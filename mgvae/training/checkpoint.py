"""Checkpoints: safetensors and JSON. No pickle, and no row of any patient."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mgvae.config.sections import Training
from mgvae.errors import CheckpointError
from mgvae.model.encoding import Encoding, encoding_from_json
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE
from mgvae.torch_runtime import save_tensors
from mgvae.training.anchor import Anchor

FORMAT = 2
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
TILT = "tilt"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was saved.

    Attributes:
        model: on the CPU.
        encoding: of the table it was trained on.
        anchor: what EWC holds on to; None where none was saved.
        tilt: slope of a private tilt, ``(D,)``; None where none was saved.
    """

    model: MGVAE
    encoding: Encoding
    anchor: Anchor | None
    tilt: torch.Tensor | None = None


def save_checkpoint(
    folder: Path,
    model: MGVAE,
    encoding: Encoding,
    settings: Training,
    *,
    anchor: Anchor | None = None,
    tilt: torch.Tensor | None = None,
) -> None:
    """Write ``model.safetensors`` and ``model.json`` into ``folder``."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if anchor is not None:
        tensors |= {f"anchor.{name}": value for name, value in anchor.parameters.items()}
        tensors |= {f"fisher.{name}": value for name, value in anchor.fisher.items()}
    tensors |= {} if tilt is None else {TILT: tilt}
    save_tensors(plain(tensors), folder / WEIGHTS)
    description = {
        "format": FORMAT,
        "hidden": settings.hidden,
        "latent_dim": settings.latent_dim,
        "tied": model.tied,
        "encoding": encoding.to_json(),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def load_checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint in ``folder``.

    Raises:
        CheckpointError: a file is missing or unreadable, the format is another one, or weights and description disagree.
    """
    description, tensors = read_pair(folder / DESCRIPTION, folder / WEIGHTS, version=FORMAT)
    with fitting():
        encoding, model = _described(description)
        model.load_state_dict(below(tensors, "model."))
    anchor = Anchor(below(tensors, "anchor."), below(tensors, "fisher."))
    return Checkpoint(model, encoding, anchor if anchor.parameters else None, tensors.get(TILT))


def read_pair(description: Path, weights: Path, *, version: int) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return what a JSON file and the safetensors file beside it hold.

    Raises:
        CheckpointError: one is missing or unreadable, or ``format`` is not ``version``.
    """
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        tensors = load_file(weights)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"A checkpoint must hold readable {weights.name} and {description.name}; {type(error).__name__}."
        ) from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != version:
        raise CheckpointError(f"The checkpoint must have format {version}; got {found!r}. Train again.")
    return content, tensors


@contextmanager
def fitting() -> Iterator[None]:
    """Raise CheckpointError where weights and description disagree."""
    try:
        yield
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
        raise CheckpointError("The checkpoint's weights do not fit its description. Train again.") from None


def plain(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return contiguous copies on the CPU, as safetensors wants them."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with ``prefix``, named by the rest."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _described(description: dict[str, Any]) -> tuple[Encoding, MGVAE]:
    encoding = encoding_from_json(description["encoding"])
    if not encoding.coders:
        raise ValueError("no columns")
    hidden, likelihood = tuple(description["hidden"]), TableLikelihood(encoding, description["hidden"][0])
    return encoding, MGVAE(likelihood, hidden=hidden, latent_dim=description["latent_dim"], tied=description["tied"])
