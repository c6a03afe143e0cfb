"""The benchmark's cohorts: rows and events as their sources state them, typed as the library types them."""

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.oversamplers.cohorts import DATA, NAMES, SHIPPED, expand, load

EXPECTED = {  # rows, events, predictors, of these numbers and ordered levels
    "nafld": (15_569, 328, 19, 7, 0),
    "actg320": (1_151, 26, 10, 3, 1),
    "mi_rupture": (1_700, 54, 102, 12, 12),
    "mi_fibrillation": (1_700, 71, 102, 12, 12),
    "crash2": (20_108, 441, 9, 7, 0),
    "diabetes130": (20_000, 288, 37, 4, 4),
}


@pytest.mark.parametrize("name", NAMES)
def test_rows_events_and_types(name):
    if name not in SHIPPED and not DATA.is_dir():
        pytest.skip("the data sets that do not ship are not here")
    table = load(name)
    levels = table.features.select_dtypes("category")
    ordered = sum(levels[column].cat.ordered for column in levels)
    n, p = table.features.shape
    assert (n, int(table.event.sum()), p, p - levels.shape[1], ordered) == EXPECTED[name]
    assert len(table.event) == len(table.group) == n
    assert (table.event.dtype, table.group.dtype) == (bool, np.int64)
    numbers = table.features.drop(columns=levels.columns)
    assert (numbers.dtypes == "float64").all()
    assert all(pd.api.types.is_string_dtype(levels[column].cat.categories.dtype) for column in levels)


def test_bundles_are_expanded_once():
    assert expand(["mi_complications", "nafld", "mi_rupture"]) == ["mi_rupture", "mi_fibrillation", "nafld"]


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"among nafld, .*mi_complications; got crash3"):
        expand(["nafld", "crash3"])


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"crash2/crash2\.csv\.gz must lie in .* --data"):
        load("crash2", data=tmp_path)
