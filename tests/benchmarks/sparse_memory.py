"""Where a table of sparse codes is dense: memory of each form that a study gives it.

python -m tests.benchmarks.sparse_memory                     # 20,000 patients, 2,000 binary codes, 2 % of cells 1
python -m tests.benchmarks.sparse_memory --patients 2000
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design
from mgvae.cohort.build import build_cohort
from mgvae.config.study import CohortConfig
from mgvae.cost import Cost, measured
from mgvae.extract.read import read_extract
from mgvae.model.encoding import fit_encoding

MIB = 2**20


def write_table(path: Path, patients: int, codes: int) -> CohortConfig:
    """Write an extract of codes, 2 % of them present; return the settings of its study."""
    rng = np.random.default_rng(0)
    table = {"id": np.arange(patients), "outcome": (rng.random(patients) < 0.03).astype(np.int8)}
    table |= {f"code_{n}": (rng.random(patients) < 0.02).astype(np.int8) for n in range(codes)}
    parquet.write_table(pa.table(table), path)
    columns = {name: {"kind": "binary", "categories": [0, 1]} for name in table}
    columns |= {"id": {"role": "identifier"}, "outcome": {"kind": "binary", "role": "excluded"}}
    values = {"study": "sparse", "extract": str(path), "subject_id": "id", "outcome": {"column": "outcome"}}
    return CohortConfig.model_validate({**values, "columns": {"columns": columns}})


def sizes(config: CohortConfig, costs: dict[str, Cost]) -> dict[str, float]:
    """Return the MiB of each form of the table, and put the peak of the process while it was made into ``costs``."""
    found = {}
    with measured(costs, "extract, text levels"):
        frame = read_extract(config).frame
        found["extract, text levels"] = frame.memory_usage(deep=True).sum()
    with measured(costs, "cohort, categories"):
        features = build_cohort(config, frame).features
        found["cohort, categories"] = features.memory_usage(deep=True).sum()
    del frame
    with measured(costs, "design of a regression"):
        design = fit_linear_design(features, rare=RARE_LEVEL).rows(features)
        parts = (design,) if isinstance(design, np.ndarray) else (design.data, design.indices, design.indptr)
        found["design of a regression"] = sum(part.nbytes for part in parts)
    with measured(costs, "encoding for the VAE"):
        encoded = fit_encoding(features, config.columns.features).encode(features, dtype=np.float32)
        found["encoding for the VAE"] = encoded.nbytes
    return {name: size / MIB for name, size in found.items()}


def main() -> None:
    """Print a line for each form."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--codes", type=int, default=2_000)
    options = parser.parse_args()
    costs: dict[str, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = sizes(write_table(Path(folder) / "codes.parquet", options.patients, options.codes), costs)
    for name, size in found.items():
        print(f"{name}: {size:,.0f} MiB, process at most {costs[name].peak_mib:,.0f} MiB")


if __name__ == "__main__":
    main()
