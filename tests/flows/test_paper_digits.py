"""`mgvae paper digits`, as it is typed: five seeds, and an order of the arms that chance does not turn round."""

from __future__ import annotations

import json
import statistics

import pytest

SEEDS = 5
ARMS = ("erm", "random_oversampling", "smote", "mgvae_no_pretraining", "mgvae")


@pytest.mark.slow
def test_oversampling_beats_nothing_and_mgvae_is_no_worse_than_copies(mgvae, database, tmp_path):
    out = tmp_path / "digits.json"
    named = [word for arm in ARMS for word in ("--arm", arm)]
    said = mgvae("paper", "digits", "--seeds", SEEDS, *named, "--out", out)
    assert said.code == 0, said.err
    assert f"over {SEEDS} seeds" in said.out
    by_arm = {arm: [0.0] * SEEDS for arm in ARMS}
    for outcome in json.loads(out.read_text())["outcomes"]:
        by_arm[outcome["arm"]][outcome["seed"]] = outcome["measures"]["balanced_accuracy"]
    for arm in ARMS[1:]:
        mean, error = _difference(by_arm[arm], by_arm["erm"])
        assert mean > 2 * error, f"{arm} against nothing: {mean:.4f}, standard error {error:.4f}"
    for arm in ("random_oversampling", "smote", "mgvae_no_pretraining"):
        mean, error = _difference(by_arm["mgvae"], by_arm[arm])
        assert mean > -2 * error - 0.005, f"mgvae against {arm}: {mean:.4f}, standard error {error:.4f}"


def _difference(one, other):
    """Return the mean of paired differences and its standard error."""
    apart = [a - b for a, b in zip(one, other, strict=True)]
    return statistics.mean(apart), statistics.stdev(apart) / len(apart) ** 0.5
