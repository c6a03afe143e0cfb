"""The invented patients of a model's file: like the training patients column by column, and nobody's row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.classifiers.recalibration import to_logit
from mgvae.errors import ConfigError
from mgvae.prediction.predictor import Predictor
from mgvae.prediction.reference import SIZE, invent_reference, reference_rows
from tests.flows.champion_tools import cohort
from tests.mgvae.prediction.test_predictor import file_of, raw


def patients(n=1000):
    rng = np.random.default_rng(1)
    levels = pd.Categorical.from_codes(rng.choice(3, n, p=[0.7, 0.29, 0.01]), ["a", "b", "rare"])
    return pd.DataFrame({"x": np.where(np.arange(n) < n * 0.3, np.nan, rng.normal(size=n)), "level": levels})


def test_each_column_has_its_quantiles_missing_cells_and_levels_in_their_shares():
    features = patients()
    found = reference_rows(invent_reference(features, seed=1), features)
    assert found.dtypes.equals(features.dtypes)
    assert found["x"].isna().sum() == 0.3 * SIZE
    assert found["level"].value_counts().to_dict() == {"a": 14, "b": 6, "rare": 0}
    known = np.sort(features["x"].dropna())
    middles = known[((2 * np.arange(14) + 1) * 25).tolist()]
    assert np.sort(found["x"].dropna()) == pytest.approx(middles, rel=1e-3)


def test_no_extreme_and_nobodys_row_leaves_the_study():
    features = cohort(1000).features
    features.loc[0, "severity"] = 12345.678
    cells = invent_reference(features, seed=1)
    assert cells == invent_reference(features, seed=1)
    assert cells != invent_reference(features, seed=2)
    assert max(cells["severity"]) < 5
    assert all(one == float(f"{one:.4g}") for one in cells["severity"])
    tied = pd.DataFrame({name: np.arange(1000.0) for name in "abc"})
    dealt = reference_rows(invent_reference(tied, seed=1), tied)
    assert ((dealt["a"] == dealt["b"]) & (dealt["b"] == dealt["c"])).sum() <= 1, "whole rows would be equal in all three"


@pytest.mark.parametrize("classifier", ["logistic_regression", "hist_gradient_boosting", "ensemble"])
def test_contributions_from_the_file_alone_add_up_to_the_risk(classifier):
    """Shapley values: with the mean log odds of the reference they sum to the row's (Lundberg and Lee 2017)."""
    file, frame = file_of(classifier), raw(8, seed=5)
    features = Predictor(file).score(*_read(file, frame)).features
    with_reference = file.model_copy(update={"reference": invent_reference(features, seed=3)})
    model = Predictor(with_reference)
    found = model.predict(frame, explain=features.shape[1])
    added = sum(found[f"contribution_{place + 1}"] for place in range(features.shape[1]))
    base = to_logit(model.model.predict(reference_rows(with_reference.reference, features))).mean()
    assert added.to_numpy() + base == pytest.approx(to_logit(found["risk"].to_numpy()), abs=1e-5)
    with pytest.raises(ConfigError, match="must have a model's file with a reference; an earlier version made this one"):
        Predictor(file).predict(frame, explain=1)


def _read(file, frame):
    import pyarrow as pa

    from mgvae.extract.read import typed_rows

    return typed_rows(file.config, {name: pa.array(frame[name]) for name in frame})
