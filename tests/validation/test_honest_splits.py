"""All gates on real cases, offered as synthetic ones: at most 5 of 100 splits have a failed gate.

Offered are cases that are neither trained on nor held out; offered against themselves, those held out would hide what the gates
on membership say by chance. `python -m tests.benchmarks.gates --honest 100` does both, with forests of full size.

Splits are judged in turn until the answer is clear. Gates that fail once in 100 splits pass after 34 on average; gates that
fail once in 10 pass with 12 %, where all 100 splits would let them pass with 6 % (once in 20: 69 and 62 %).
"""

from __future__ import annotations

from collections import Counter

import pytest
from sklearn import config_context

from tests.benchmarks.gates import gates_of
from tests.validation.offered import COHORTS, third
from validation import near_copies, twosample
from validation.attacks import scores

SEEDS, MOST = 100, 5
CLEAR = {28: 0, 46: 1, 62: 2, 80: 3}  # after so many splits, so few failures are enough


@pytest.mark.slow
@pytest.mark.parametrize("cohort", ["actg320", "nafld"])
def test_real_cases_pass(cohort, monkeypatch):
    for place in (twosample, scores):
        monkeypatch.setattr(place, "TREES", 10)
    monkeypatch.setattr(near_copies, "QUERIES", 200)
    failed: dict[int, list[str]] = {}
    for seed in range(SEEDS):
        with config_context(skip_parameter_validation=True, assume_finite=True):  # a sixth of the time, and no verdict
            gates = gates_of(*third(COHORTS[cohort](), seed), seed)
        names = [gate.name for gate in gates if gate.verdict == "fail"]
        if names:
            failed[seed] = names
            print(cohort, seed, names, flush=True)
        if len(failed) > MOST or len(failed) <= CLEAR.get(seed + 1, -1):
            break
    print(cohort, seed + 1, Counter(name for names in failed.values() for name in names), flush=True)
    assert len(failed) <= MOST, failed
