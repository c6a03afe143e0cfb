"""Make actg320.csv from the copy of ACTG 320 in scikit-survival (pip install 'mgvae-cohort[prepare]').

Usage: python data/actg320/prepare.py [--out PATH]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

COLUMNS = {
    "tx": "tx",
    "strat2": "strat2",
    "sex": "sex",
    "raceth": "raceth",
    "ivdrug": "ivdrug",
    "hemophil": "hemophil",
    "karnof": "karnof",
    "cd4": "cd4_cells_ul",
    "priorzdv": "prior_zdv_months",
    "age": "age_years",
}
WHOLE = ("tx", "strat2", "sex", "raceth", "ivdrug", "hemophil", "karnof", "age_years")


def build_table(predictors: pd.DataFrame, died: pd.Series) -> pd.DataFrame:
    """Return one row per patient: a running number, the predictors at enrolment, and the outcome.

    Args:
        predictors: as scikit-survival gives them, in the order of the source.
        died: bool, in the same order.
    """
    table = predictors[list(COLUMNS)].rename(columns=COLUMNS)
    table = table.astype(float).astype(dict.fromkeys(WHOLE, "Int64"))  # refuses a number that is not whole
    table.insert(0, "id", range(1, len(table) + 1))
    table["death"] = died.astype(int).to_numpy()
    return table


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("actg320.csv"))
    out: Path = parser.parse_args().out
    try:
        from sksurv.datasets import load_aids
    except ImportError:
        sys.exit("scikit-survival is needed; install it with: pip install 'mgvae-cohort[prepare]'")
    predictors, outcome = load_aids(endpoint="death")
    table = build_table(predictors, pd.Series(outcome["censor_d"]))
    table.to_csv(out, index=False, lineterminator="\n")
    print(f"{out}: {len(table)} patients, {int(table['death'].sum())} deaths")


if __name__ == "__main__":
    main()
