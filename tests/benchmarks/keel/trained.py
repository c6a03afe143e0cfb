"""Keep the generators that the sampler trains, so that another way to choose rows does not train them again.

They are pickled: a benchmark reads only what it wrote itself.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.study.cache_key import code_digest
from mgvae.generator.synthesis import Pretrained
from mgvae.sampler import per_class
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.tuning import Finetuned

CHOOSING = {"plausibility"}  # settings that say which rows are kept, not how a generator is trained


@contextmanager
def kept_training(folder: Path) -> Iterator[None]:
    """Let the sampler look for its trained models in ``folder``, and leave there those that it trains.

    A model is known by its encoded rows, groups, settings and seed, and by the code that trains.
    """
    code = code_digest("mgvae.training.tuning", "mgvae.training.anchor", "mgvae.model.encoding")
    pretrain, finetune = per_class.pretrain_majority, per_class.finetune_cases

    def pretrained(encoding: Any, majority: Any, group: Any, settings: Any, *, seed: int, on_epoch: Any = None) -> Pretrained:
        key = _key(code, "pretrain", majority, group, settings, seed)
        return _known(folder / key, lambda: pretrain(encoding, majority, group, settings, seed=seed, on_epoch=on_epoch))

    def finetuned(
        model: Any, anchor: Any, inputs: GeneratorInputs, settings: Any, *, seed: int, on_epoch: Any = None
    ) -> Finetuned:
        key = _key(code, "finetune", inputs.majority, inputs.cases, inputs.group, settings, seed, *model.state_dict().values())
        return _known(folder / key, lambda: finetune(model, anchor, inputs, settings, seed=seed, on_epoch=on_epoch))

    per_class.pretrain_majority, per_class.finetune_cases = pretrained, finetuned
    try:
        yield
    finally:
        per_class.pretrain_majority, per_class.finetune_cases = pretrain, finetune


def _known(path: Path, train: Callable[[], Any]) -> Any:
    """Return what a file holds, or train it and write it whole."""
    if path.exists():
        return pickle.loads(path.read_bytes())  # noqa: S301
    made = train()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pickle.dumps(made))
    part.replace(path)
    return made


def _key(*parts: Any) -> str:
    total = hashlib.sha256()
    for part in parts:
        if hasattr(part, "model_dump_json"):
            total.update(part.model_dump_json(exclude=CHOOSING).encode())
        elif hasattr(part, "tobytes") or hasattr(part, "numpy"):
            cells = part if hasattr(part, "tobytes") else part.detach().cpu().numpy()
            total.update(repr(cells.shape).encode() + cells.tobytes())
        else:
            total.update(repr(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:32]
