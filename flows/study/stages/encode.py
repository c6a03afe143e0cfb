"""The stage encode: fit the encoding on the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from flows.study.stages.encoded import ROWS
from flows.study.stages.stage import Inputs, Stage, sections, write_json
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.model.encoding import fit_encoding
from mgvae.torch_runtime import save_tensors
from mgvae.training.inputs import encoding_rows


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the encoding on the training part: ``encoding.json``, ``rows.safetensors``."""
    cohort, test = load_cohort(inputs["split"])
    train = cohort.take(~test)
    encoding = fit_encoding(encoding_rows(train.features, train.event, config.training), config.columns.features)
    rows = torch.from_numpy(encoding.encode(train.features, dtype=np.float32))
    tensors = {"rows": rows, "event": torch.from_numpy(train.event), "group": torch.from_numpy(train.group)}
    save_tensors(tensors, folder / ROWS)
    write_json(folder / "encoding.json", encoding.to_json())


STAGE = Stage("encode", make, needs=("split",), reads=sections("columns", "training"))
