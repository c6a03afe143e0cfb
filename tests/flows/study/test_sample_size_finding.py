"""The finding on sample size: events that are too few even where the AUROC is as high as it may be."""

from __future__ import annotations

import pytest

from flows.study.findings import sample_size_findings
from mgvae.results.sample_size import SampleSize
from tests.report_sample_stability import sample_learning_curve


@pytest.mark.parametrize(
    ("events", "low", "codes"),
    [(102, 102, []), (101, 102, ["MGV210"]), (20, None, []), (150, 102, [])],
)
def test_the_events_are_compared_with_the_least_that_may_be_needed(events, low, codes):
    size = sample_learning_curve(("none",))["sample_size"]
    changed = {"events": events, "required_events": size["required_events"] | {"low": low}}
    found = sample_size_findings(SampleSize.model_validate(size | changed))
    assert [one.code for one in found] == codes
    assert all("101 events for 27 candidate parameters" in one.detail and "at least 102" in one.detail for one in found)
