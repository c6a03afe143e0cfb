"""Checkpoints: safetensors and JSON. No pickle, and no row of any patient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mgvae.config import Training
from mgvae.encoding import Encoding, encoding_from_json
from mgvae.errors import CheckpointError
from mgvae.likelihood import TableLikelihood
from mgvae.model import MGVAE
from mgvae.train import Anchor

FORMAT = 1
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was saved.

    Attributes:
        model: on the CPU.
        encoding: of the table it was trained on.
        anchor: what EWC holds on to; None where none was saved.
    """

    model: MGVAE
    encoding: Encoding
    anchor: Anchor | None


def save_checkpoint(
    folder: Path, model: MGVAE, encoding: Encoding, settings: Training, *, anchor: Anchor | None = None
) -> None:
    """Write ``model.safetensors`` and ``model.json`` into ``folder``."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if anchor is not None:
        tensors |= {f"anchor.{name}": value for name, value in anchor.parameters.items()}
        tensors |= {f"fisher.{name}": value for name, value in anchor.fisher.items()}
    save_file({name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, folder / WEIGHTS)
    description = {
        "format": FORMAT,
        "hidden": settings.hidden,
        "latent_dim": settings.latent_dim,
        "encoding": encoding.to_json(),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")


def load_checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint in ``folder``.

    Raises:
        CheckpointError: a file is missing or unreadable, the format is another one, or weights and description disagree.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"A checkpoint must hold readable {WEIGHTS} and {DESCRIPTION}; {type(error).__name__}.") from None
    found = description.get("format") if isinstance(description, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"The checkpoint must have format {FORMAT}; got {found!r}. Train again.")
    try:
        encoding, model = _described(description)
        model.load_state_dict(_below(tensors, "model."))
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
        raise CheckpointError("The checkpoint's weights do not fit its description. Train again.") from None
    anchor = Anchor(_below(tensors, "anchor."), _below(tensors, "fisher."))
    return Checkpoint(model, encoding, anchor if anchor.parameters else None)


def _described(description: dict[str, Any]) -> tuple[Encoding, MGVAE]:
    encoding = encoding_from_json(description["encoding"])
    if not encoding.coders:
        raise ValueError("no columns")
    hidden = tuple(description["hidden"])
    return encoding, MGVAE(TableLikelihood(encoding, hidden[0]), hidden=hidden, latent_dim=description["latent_dim"])


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
