"""`mgvae paper digits`, as it is typed: four seeds, and an order of the arms that chance does not turn round."""

from __future__ import annotations

import json
import statistics

import pytest

SEEDS = 4
ARMS = ("erm", "random_oversampling", "smote", "mgvae_no_pretraining", "mgvae")


@pytest.mark.slow
def test_mgvae_beats_nothing_and_training_from_scratch_and_no_oversampler_beats_it(mgvae, database, tmp_path):
    out = tmp_path / "digits.json"
    named = [word for arm in ARMS for word in ("--arm", arm)]
    said = mgvae("paper", "digits", "--seeds", SEEDS, *named, "--out", out)
    assert said.code == 0, said.err
    assert f"over {SEEDS} seeds" in said.out
    by_arm = {arm: [0.0] * SEEDS for arm in ARMS}
    for outcome in json.loads(out.read_text())["outcomes"]:
        by_arm[outcome["arm"]][outcome["seed"]] = outcome["measures"]["balanced_accuracy"]
    for one, other in (("smote", "erm"), ("mgvae_no_pretraining", "erm"), ("mgvae", "erm"), ("mgvae", "mgvae_no_pretraining")):
        mean, error = _difference(by_arm[one], by_arm[other])
        assert mean > 2 * error, f"{one} against {other}: {mean:.4f}, standard error {error:.4f}"
    for other in ("random_oversampling", "smote"):
        mean, error = _difference(by_arm["mgvae"], by_arm[other])
        assert mean > -2 * error - 0.003, f"mgvae against {other}: {mean:.4f}, standard error {error:.4f}"


def _difference(one, other):
    """Return the mean of paired differences and its standard error."""
    apart = [a - b for a, b in zip(one, other, strict=True)]
    return statistics.mean(apart), statistics.stdev(apart) / len(apart) ** 0.5
