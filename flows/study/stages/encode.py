"""The stage encode: fit the encoding on the training part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.encoded import ROWS, generator_rows, majority_places
from flows.study.stages.stage import Inputs, Stage, sections, with_majority, write_json
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the encoding on the training part: ``encoding.json``, ``rows.safetensors``."""
    import torch

    from mgvae.model.encoding import fit_encoding
    from mgvae.torch_runtime import save_tensors
    from mgvae.training.inputs import encoding_rows

    with cohort_rows(inputs["split"], folder) as parts:
        drawn = generator_rows(parts.train.event, parts.train.group, config)
        majority = majority_places(parts.train.event, drawn)
        train = parts.train.take(drawn)
    event = train.event == 1
    encoding = fit_encoding(encoding_rows(train.features, event, config.training), config.columns.features)
    rows = torch.from_numpy(encoding.encode(train.features, dtype=np.float32))
    labels = {"event": event, "group": train.group, "majority": majority}
    save_tensors({"rows": rows, **{name: torch.from_numpy(values) for name, values in labels.items()}}, folder / ROWS)
    write_json(folder / "encoding.json", encoding.to_json())


STAGE = Stage("encode", make, needs=("split",), reads=with_majority(sections("columns", "training")))
