"""Tables at the edge of what can be learned: few rows, few or thousands of columns, constants, rare levels; memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.mgvae.sampler.sampler_tables import labels, quick, small

pytestmark = pytest.mark.usefixtures("brief_judges")

RNG = np.random.default_rng(0)
N, RARE = 120, 10
TEXT = np.array([f"v{at // 2}" for at in range(N)], dtype=object)
Y = labels(N - RARE, RARE)
BASE = small(N)

EDGES = {
    "five rare rows": (BASE, labels(N - 5, 5)),
    "two rare rows": (BASE, labels(N - 2, 2)),
    "one rare row": (BASE, labels(N - 1, 1)),
    "four majority rows": (small(7), labels(4, 3)),
    "two columns": (BASE[["a", "b"]], Y),
    "one column of numbers": (BASE[["a"]], Y),
    "one column of levels": (BASE[["c"]], Y),
    "constant among the rare": (BASE.assign(a=np.where(Y == 1, 3.0, BASE["a"]), c=np.where(Y == 1, "red", BASE["c"])), Y),
    "constant among the majority": (BASE.assign(a=np.where(Y == 0, 3.0, BASE["a"]), c=np.where(Y == 0, "red", BASE["c"])), Y),
    "missing among the rare": (BASE.assign(a=np.where(Y == 1, np.nan, BASE["a"])), Y),
    "missing among the majority": (BASE.assign(a=np.where(Y == 0, np.nan, BASE["a"])), Y),
    "nothing but a constant": (pd.DataFrame({"k": np.ones(N)}), Y),
    "nothing at all": (pd.DataFrame({"k": np.full(N, np.nan), "t": pd.Series([None] * N, dtype="str")}), Y),
    "equal rows": (pd.DataFrame({"k": np.ones(N), "z": np.where(Y == 1, 1, 2)}), Y),
    "categories seen twice": (BASE.assign(c=pd.Categorical(TEXT)), Y),
    "text seen twice": (BASE.assign(c=TEXT), Y),
    "heavy tail": (BASE.assign(a=np.exp(9 * RNG.normal(size=N)), b=RNG.standard_cauchy(N) * 1e6), Y),
    "whole numbers as floats": (BASE.assign(a=RNG.poisson(3, N).astype(float), b=RNG.integers(0, 2000, N).astype(float)), Y),
    "many zeros": (BASE.assign(a=np.where(RNG.random(N) < 0.95, 0.0, BASE["a"].abs())), Y),
}


@pytest.mark.parametrize("edge", EDGES)
def test_the_edges(edge):
    X, y = EDGES[edge]
    sampler = quick(plausibility="matched", finetune_epochs=3)
    out, labelled = sampler.fit_resample(X, y)
    assert np.bincount(labelled).tolist() == [np.bincount(y)[0]] * 2
    pd.testing.assert_frame_equal(out.iloc[: len(X)], X)
    assert out.dtypes.equals(X.dtypes)
    assert (y[sampler.sample_parent_indices_] == 0).all()
    made = out.iloc[len(X) :].reset_index(drop=True)
    for name in X:
        assert set(made[name].isna()) <= set(X[name].isna())
        if X[name].dtype.kind == "f" and (X[name].dropna() % 1 == 0).all():
            assert (made[name].dropna() % 1 == 0).all()


def test_five_hundred_categories_in_a_column():
    n = 1200
    codes = pd.Categorical([f"code {at % 500}" for at in range(n)])
    X = pd.DataFrame({"code": codes, "x": np.random.default_rng(0).normal(size=n)})
    out, _ = quick(plausibility="matched").fit_resample(X, labels(n - 40, 40))
    assert out["code"].dtype == X["code"].dtype
    assert out["code"].iloc[n:].nunique() > 200


def codes(n, columns, *, rare, seed=0):
    """Return a 0/1 table as records of diagnoses are, with a few hundred ones per row at most."""
    rng = np.random.default_rng(seed)
    often = rng.beta(0.5, 20, columns)
    X = pd.DataFrame((rng.random((n, columns)) < often).astype("int8"), columns=[f"c{at}" for at in range(columns)])
    return X, labels(n - rare, rare)


@pytest.mark.slow
def test_two_hundred_sparse_codes():
    X, y = codes(400, 200, rare=30)
    out, _ = quick(plausibility="matched").fit_resample(X, y)
    assert set(out.dtypes) == {np.dtype("int8")}
    assert set(np.unique(out)) == {0, 1}
    often = X[y == 0].mean()
    assert abs(out.iloc[400:].mean() - often).mean() < 0.05


MEASURED = """
import sys, time, warnings
warnings.simplefilter("error")
from mgvae.cost import peak_mib
from mgvae.errors import SamplerWarning
warnings.simplefilter("ignore", SamplerWarning)
from tests.mgvae.sampler.test_edges import codes, labels, quick, small
settings = dict(epochs=2, finetune_epochs=2, plausibility=sys.argv[1])
for n in map(int, sys.argv[3:]):
    X, y = codes(n, 2000, rare=100) if sys.argv[2] == "codes" else (small(n), labels(n - n // 50, n // 50))
    start = time.process_time()
    quick(**settings).fit_resample(X, y)
    print(peak_mib() * 2**20, time.process_time() - start)
"""


def measured(*arguments):
    """Return the peak memory (bytes) and the processor time (seconds) after each size, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, arguments)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("how", ["none", pytest.param("matched", marks=pytest.mark.slow)])
def test_memory_is_linear_in_the_rows(how):
    (small_peak, _), (large_peak, _) = measured(how, "mixed", 2_000, 12_000)
    assert large_peak - small_peak < 10_000 * 15_000  # a table of all pairs of rows would take 1 GB


@pytest.mark.slow
def test_two_thousand_sparse_codes():
    ((peak, seconds),) = measured("matched", "codes", 3_000)
    print(f"3,000 x 2,000 codes: {seconds:.0f} s, {peak / 2**30:.2f} GiB")
    assert peak < 2.5 * 2**30
    assert seconds < 400
