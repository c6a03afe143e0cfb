"""What the sampler refuses or warns of: each on both sides of its boundary."""

import warnings

import numpy as np
import pandas as pd
import pytest

from mgvae import MGVAEOverSampler
from mgvae.errors import SamplerWarning, TableError
from mgvae.sampler import remarks
from mgvae.sampler.remarks import check_columns, check_rows
from mgvae.sampler.table_types import TableTypes

N = 200


def check(**columns):
    table = pd.DataFrame(columns)
    check_columns(table, TableTypes.fit(table))


def silent(call, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(*arguments, **options)


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_a_column_that_names_rows_is_refused_by_name_without_a_value(dtype):
    names = pd.Series([f"zebra-{row}" for row in range(N)], dtype=dtype)
    with pytest.raises(
        TableError, match=r"Column 'mrn' must not name rows: 200 different levels in 200 rows.*Drop it"
    ) as caught:
        check(age=np.arange(N) % 50 / 7, mrn=names)
    assert "zebra" not in str(caught.value)


@pytest.mark.parametrize(("distinct", "refused"), [(100, False), (101, True)])
def test_levels_name_rows_where_more_than_half_are_alone(distinct, refused):
    names = [f"n{row % distinct}" for row in range(N)]
    if refused:
        with pytest.raises(TableError, match="must not name rows"):
            check(x=names)
    else:
        silent(check, x=names)


def test_few_levels_of_a_small_table_are_levels():
    silent(check, x=[f"n{row}" for row in range(19)])
    with pytest.raises(TableError, match="must not name rows"):
        check(x=[f"n{row}" for row in range(20)])


def test_missing_cells_are_no_names():
    with pytest.raises(TableError, match="30 different levels in 30 rows"):
        check(x=[f"n{row}" for row in range(30)] + [None] * 170)


@pytest.mark.parametrize(("strays", "named"), [(10, True), (11, False)])
def test_text_that_is_numbers_is_named(strays, named):
    texts = ["<5"] * strays + [str(row % 40) for row in range(N - strays)]
    if named:
        with pytest.warns(
            SamplerWarning, match=r"Column 'crp' is taken for levels, but 95% of its texts are numbers: convert it"
        ):
            check(crp=texts)
    else:
        silent(check, crp=texts)
    with pytest.raises(TableError, match=r"Column 'crp' must not name rows.*100% of its texts are numbers"):
        check(crp=[f"{row / 7:.2f}" for row in range(N)])


def test_whole_numbers_that_all_differ_are_named():
    with pytest.warns(SamplerWarning, match="Column 'id' holds whole numbers that all differ"):
        check(id=np.random.default_rng(0).permutation(N))
    silent(check, id=np.arange(99), lab=np.arange(99) / 7)
    silent(check, lab=np.arange(N) / 7, age=np.arange(N) // 2)


@pytest.mark.parametrize(("rows", "warned"), [(14, True), (15, False)])
def test_a_class_with_few_rows_is_named(rows, warned, monkeypatch):
    monkeypatch.setattr(remarks, "_said", {remarks.RECALIBRATE})
    counts = np.array([500, rows])
    if warned:
        with pytest.warns(SamplerWarning, match="Class 'died' has 14 rows; with fewer than 15"):
            check_rows(["alive", "died"], counts, {0: 0, 1: 486})
    else:
        silent(check_rows, ["alive", "died"], counts, {0: 0, 1: 485})
    silent(check_rows, ["alive", "died"], np.array([500, 3]), {0: 0, 1: 0})


def test_recalibration_is_named_once_with_how(monkeypatch):
    monkeypatch.setattr(remarks, "_said", set())
    counts, wanted = np.array([500, 50]), {0: 0, 1: 450}
    with pytest.warns(SamplerWarning, match=r"CalibratedClassifierCV\(make_pipeline\(MGVAEOverSampler\(\), classifier\)\)"):
        check_rows([0, 1], counts, wanted)
    silent(check_rows, [0, 1], counts, wanted)


def test_the_sampler_checks_before_it_trains(monkeypatch):
    monkeypatch.setattr("mgvae.sampler.per_class.oversample_classes", None)
    X = pd.DataFrame({"age": np.arange(N) % 50 / 7, "mrn": [f"m{row}" for row in range(N)]})
    with pytest.raises(TableError, match="Column 'mrn' must not name rows"):
        MGVAEOverSampler(random_state=0).fit_resample(X, np.arange(N) % 10 == 0)
