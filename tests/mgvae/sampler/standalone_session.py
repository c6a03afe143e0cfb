"""A session of a user who has the sampler alone; ``sys.argv[1]`` is a folder to save into."""

import json
import sys
import warnings

import numpy as np
import pandas as pd
from imblearn.pipeline import make_pipeline
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import mgvae
from mgvae import MGVAEOverSampler
from mgvae.errors import SamplerWarning

warnings.simplefilter("ignore", SamplerWarning)  # twelve rare rows are few, and this is no test of that
rng = np.random.default_rng(0)
n, y = 60, np.repeat([0, 1], [48, 12])
whole, word = rng.integers(0, 50, n), np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
day = pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.Series(whole), unit="D")
table = pd.DataFrame(
    {
        "number": pd.Series(rng.normal(size=n)).mask(whole < 5),
        "count": pd.Series(whole, dtype="Int64").mask(whole < 5),
        "text": pd.Series(word, dtype="str"),
        "category": pd.Categorical(word, ordered=True),
        "flag": whole > 20,
        "object": pd.Series(whole.tolist(), dtype=object),
        "date": day,
        "zone": day.dt.tz_localize("UTC"),
        "duration": pd.to_timedelta(pd.Series(whole), unit="h"),
        "sparse": pd.arrays.SparseArray(np.where(whole > 30, whole, 0)),
    }
)
groups = [f"family {at // 2}" for at in range(n)]
quick = {"hidden": (16, 16), "epochs": 2, "finetune_epochs": 2, "random_state": 0}

sampler = MGVAEOverSampler(ewc_lambda="auto", plausibility="matched", verbose=True, **quick)
out, labels = sampler.fit_resample(table, y, groups=groups)
assert (len(out), labels.sum()) == (96, 48)
assert out.dtypes.equals(table.dtypes)

loaded = MGVAEOverSampler.load(sampler.save(sys.argv[1]))
rows, again = (known.sample(table[y == 0], 9, random_state=1)[0] for known in (sampler, loaded))
pd.testing.assert_frame_equal(rows, again)

numbers = np.where(rng.random((n, 3)) < 0.5, rng.normal(size=(n, 3)), 0)
sampler = MGVAEOverSampler(plausibility="none", **quick)
assert sampler.fit_resample(sparse.csr_array(numbers), y)[0].shape == (96, 3)
assert len(sampler.fit_resample(numbers.tolist(), y.tolist())[0]) == 96
assert np.isfinite(cross_val_score(make_pipeline(sampler, LogisticRegression()), numbers, y, cv=2, scoring="roc_auc")).all()

print(json.dumps({"version": mgvae.__version__, "modules": sorted(sys.modules)}))
