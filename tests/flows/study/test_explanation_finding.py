"""A finding where one predictor carries more than half of the recommended model."""

from __future__ import annotations

import pytest

from flows.study.findings import explanation_findings
from mgvae.results.explanations import Explanations, Importance, ModelExplanation
from mgvae.results.numbers import Estimate
from mgvae.results.recommendation import Recommendation

CHOSEN = Recommendation(arm="smote", classifier="logistic_regression", answer="use", reason="", rule="", difference=None)


def explanations(**shares):
    models = [
        ModelExplanation(
            arm=arm,
            classifier="logistic_regression",
            explainer="linear",
            n=100,
            base=-3.0,
            columns=tuple(
                Importance(
                    column=name, label=name.upper(), size=Estimate(value=1.0), share=Estimate(value=share), rank=rank + 1
                )
                for rank, (name, share) in enumerate(zip("abc", values, strict=False))
            ),
            groups=(),
            dependence=(),
            coefficients=(),
        )
        for arm, values in shares.items()
    ]
    return Explanations(part="hold-out", n=100, events=20, bootstrap=50, models=tuple(models))


@pytest.mark.parametrize(
    ("shares", "codes"),
    [
        ({"none": (0.2, 0.2, 0.2), "smote": (0.51, 0.3, 0.19)}, ["MGV301"]),
        ({"none": (0.2, 0.2, 0.2), "smote": (0.5, 0.3, 0.2)}, []),
        ({"none": (0.9, 0.05, 0.05), "smote": (0.4, 0.3, 0.3)}, []),  # not the recommended model
        ({"smote": (0.9, 0.1)}, []),  # one of two carries half or more whatever they are
        ({"none": (0.9, 0.05, 0.05)}, []),
    ],
)
def test_more_than_half_of_the_recommended_model(shares, codes):
    found = explanation_findings(explanations(**shares), CHOSEN)
    assert [one.code for one in found] == codes
    assert all(one.detail == "A (a) carries 51% of all contributions." for one in found)
