"""`mgvae gates RUN --audit`: shadow generators of a finished run, whose shadows know whom they did without."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from flows.study.shadow_audit import _parts, shadow_audit
from mgvae.cohort.files import load_cohort
from mgvae.errors import ConfigError
from tests.flows.command_line import refused
from tests.flows.flow_tools import artifact

STORED = r"AUC \d\.\d{3} \(\d\.\d{3} to \d\.\d{3}\)"


@pytest.mark.slow
def test_the_audit_counts_the_cases_and_repeats_itself(finished, report):
    cohort, test = load_cohort(artifact(finished.out, report, "split"))
    found = shadow_audit(finished.run, shadows=4)
    assert (found.members, found.others) == (int((~test & cohort.event).sum()), int((test & cohort.event).sum()))
    assert (found.shadows, found.without) == (4, 2)
    assert 0 <= found.attack.auc.low <= found.attack.auc.value <= found.attack.auc.high <= 1
    assert shadow_audit(finished.run, shadows=4) == found


@pytest.mark.slow
def test_the_command_prints_the_audit_below_the_gates(finished, mgvae):
    said = mgvae("gates", finished.run, "--audit", "--shadows", "4")
    assert "Gates on" in said.out
    audit = said.out[said.out.index("Audit.") :]
    assert audit.startswith("Audit. 4 shadow generators, each case left out of 2;")
    assert re.search(STORED, audit)


def test_without_the_option_nothing_is_trained(finished, mgvae, monkeypatch):
    monkeypatch.setattr("mgvae.training.tuning.finetune_cases", None)
    assert "Audit" not in mgvae("gates", finished.run).out


@pytest.mark.parametrize("shadows", ["3", "257"])
def test_too_few_and_too_many_are_refused(shadows, finished, mgvae):
    refused(mgvae("gates", finished.run, "--audit", "--shadows", shadows), f"--shadows must be from 4 to 256; got {shadows}.")


def test_rows_that_are_not_at_hand_are_refused(finished, mgvae, tmp_path):
    runs = finished.copied(tmp_path)
    shutil.rmtree(runs / ".store")
    refused(mgvae("gates", runs / "small" / "latest", "--audit"), "Run the study again")


def test_as_many_are_left_out_as_the_run_held_out():
    group = np.arange(100)
    assert _parts(group, group < 75, 16) == 4
    assert _parts(group, group < 50, 16) == 2
    assert _parts(group, group < 98, 16) == 8  # each case is left out twice or oftener
    assert _parts(group, group < 99, 256) == 10
    assert _parts(group, group < 100, 4) == 2
    assert _parts(group % 3, group < 75, 16) == 3


def test_one_group_of_cases_is_refused():
    with pytest.raises(ConfigError, match="needs two groups of cases or more; got one"):
        _parts(np.zeros(9), np.arange(9) < 6, 16)
