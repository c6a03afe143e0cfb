"""The sampler among others: pipelines, searches, clones, output containers, metadata routing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.pipeline import Pipeline, make_pipeline
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mgvae import MGVAEOverSampler
from tests.mgvae.sampler.sampler_tables import MAJORITY, RARE, labels, quick, small

pytestmark = pytest.mark.usefixtures("brief_judges")

N = MAJORITY + RARE
GROUPS = np.arange(N) // 2
NUMBERS = small()[["a", "b"]]


class Watched(MGVAEOverSampler):
    """Notes the groups that arrive."""

    seen: list = []  # noqa: RUF012

    def fit_resample(self, X, y, *, groups=None):
        self.seen.append(None if groups is None else np.asarray(groups).tolist())
        return super().fit_resample(X, y, groups=groups)


@pytest.fixture
def watched():
    Watched.seen.clear()
    return Watched(**quick().get_params())


def test_a_pipeline_resamples_in_fit_and_never_in_predict():
    pipeline = make_pipeline(StandardScaler(), quick(), LogisticRegression()).fit(NUMBERS, labels())
    assert len(pipeline.predict_proba(NUMBERS)) == N
    assert len(pipeline[1].sample_parent_indices_) == MAJORITY - RARE


def test_before_the_preparation_of_columns_and_before_boosting():
    X = small().astype({"c": "category"}).mask(np.random.default_rng(0).random((N, 3)) < 0.1)
    prepared = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["a", "b"]),
            ("names", OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
        ]
    )
    pipeline = Pipeline([("sampler", quick()), ("prepared", prepared), ("model", LogisticRegression())])
    assert np.isfinite(cross_val_score(pipeline, X, labels(), cv=2, scoring="roc_auc")).all()
    boosted = make_pipeline(quick(), HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=3))
    assert np.isfinite(cross_val_score(boosted, X, labels(), cv=2, scoring="roc_auc")).all()


def test_a_grid_over_the_samplers_options():
    pipeline = Pipeline([("sampler", quick()), ("model", LogisticRegression())])
    search = GridSearchCV(pipeline, {"sampler__latent_dim": [2, 3]}, cv=2, scoring="roc_auc").fit(NUMBERS, labels())
    assert search.best_params_["sampler__latent_dim"] in (2, 3)
    assert search.best_estimator_[0].history_["pretrain"] is not None


def test_a_clone_has_the_parameters_and_is_not_fitted():
    sampler = quick(latent_dim=3, hidden=(8, 4), sampling_strategy={1: 30})
    sampler.fit_resample(small(), labels())
    other = clone(sampler)
    assert other.get_params() == sampler.get_params()
    assert not hasattr(other, "translators_")
    for call in (lambda: other.sample(small(), 1), lambda: other.save("never")):
        with pytest.raises(NotFittedError, match="not fitted"):
            call()


def test_fit_only_checks():
    sampler = quick().fit(small(), labels())
    assert sampler.sampling_strategy_ == {1: MAJORITY - RARE}
    assert not hasattr(sampler, "translators_")


def test_arrays_become_frames_where_that_is_asked_for():
    sampler = quick().set_output(transform="pandas")
    out, _ = sampler.fit_resample(NUMBERS.to_numpy(), labels())
    assert out.columns.tolist() == ["x0", "x1"]
    assert isinstance(sampler.set_output(transform="default").fit_resample(NUMBERS.to_numpy(), labels())[0], np.ndarray)
    assert sampler.set_output(transform=None) is sampler
    with pytest.raises(ValueError, match="transform must be"):
        sampler.set_output(transform="polars")


def test_a_pipeline_of_frames():
    pipeline = make_pipeline(StandardScaler(), quick(), LogisticRegression()).set_output(transform="pandas")
    assert pipeline.fit(NUMBERS, labels())[-1].feature_names_in_.tolist() == ["a", "b"]
    assert isinstance(quick().fit_resample(NUMBERS, labels())[0], pd.DataFrame)


def test_groups_are_routed_through_a_pipeline_and_a_search(watched):
    with sklearn.config_context(enable_metadata_routing=True):
        sampler = watched.set_fit_resample_request(groups=True)
        pipeline = Pipeline([("scaled", StandardScaler()), ("sampler", sampler), ("model", LogisticRegression())])
        pipeline.fit(NUMBERS, labels(), groups=GROUPS)
        assert Watched.seen == [GROUPS.tolist()]
        Watched.seen.clear()
        cross_validate(pipeline, NUMBERS, labels(), cv=GroupKFold(2, shuffle=True, random_state=0), params={"groups": GROUPS})
        assert len(Watched.seen) == 2
        assert not set(Watched.seen[0]) & set(Watched.seen[1])
        Watched.seen.clear()
        folds = GroupKFold(2, shuffle=True, random_state=0)
        GridSearchCV(pipeline, {"sampler__latent_dim": [2]}, cv=folds).fit(NUMBERS, labels(), groups=GROUPS)
        assert [len(seen) for seen in Watched.seen][-1] == N


def test_groups_that_were_not_asked_for_are_not_swallowed(watched):
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline([("sampler", watched), ("model", LogisticRegression())])
        with pytest.raises(ValueError, match="groups"):
            pipeline.fit(NUMBERS, labels(), groups=GROUPS)
