"""The stage encode: fit the encoding on the training part, and encode it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.progress import reporter
from flows.study.stages.cohort_rows import on_cluster, training_rows
from flows.study.stages.encoded import generator_rows, majority_places, write_encoded
from flows.study.stages.stage import Inputs, Stage, sections, with_majority, write_json
from mgvae.config.study import CohortConfig

if TYPE_CHECKING:
    from mgvae.generator.encoding_parts import Workers


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the encoding on the training part: ``encoding.json``, and the files of `write_encoded`.

    With privacy it is fitted on the majority alone.
    """
    from mgvae.generator.encoding_parts import encoded_blocks, fit_by_column

    columns = config.columns.features
    with training_rows(inputs["split"], folder) as train:
        drawn = generator_rows(train.event, train.group, config)
        places = majority_places(train.event, drawn)
        drawn = np.concatenate([drawn[train.event[drawn] == 0], drawn[train.event[drawn] == 1]])
        at = train.at[drawn]
        fitted = at if config.training.privacy is None else at[: len(places)]
        with _workers(len(at) * len(columns)) as workers:
            encoding = fit_by_column(train.table, fitted, columns, workers)
            blocks = encoded_blocks(encoding, train.table, at, workers)
            write_encoded(folder, blocks, encoding.width, train.group[drawn], places)
    write_json(folder / "encoding.json", encoding.to_json())


@contextmanager
def _workers(cells: int) -> Iterator[Workers]:
    """Yield what computes the parts of a table of so many cells: of a small one, this process."""
    from flows.study.executor import open_executor
    from mgvae.generator.encoding_parts import WORTH_WORKERS, Workers

    if cells < WORTH_WORKERS:
        yield Workers(on_done=_report_block)
        return
    with open_executor() as executor:
        yield Workers(executor, remote=on_cluster(), on_done=_report_block)


def _report_block(done: int, total: int) -> None:
    reporter().advanced(done, total, f"block {done} of {total}")


STAGE = Stage("encode", make, needs=("split",), reads=with_majority(sections("columns", "training")))
