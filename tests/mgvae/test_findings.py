"""The registry of findings, and what muting and severity do."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from docs.tools.findings import reference
from flows.study.findings import verdict_of
from mgvae.config.sections import Findings
from mgvae.config.strict import build
from mgvae.errors import ConfigError
from mgvae.findings import RANK, REGISTRY, Domain, Severity
from mgvae.results.findings import Finding, found, unreliable, with_muted


def test_codes_are_well_formed_and_complete():
    assert all(re.fullmatch(r"MGV[1234]\d\d", code) and kind.code == code for code, kind in REGISTRY.items())
    assert len({kind.title for kind in REGISTRY.values()}) == len(REGISTRY)
    assert set(RANK) == set(get_args(Severity))
    for kind in REGISTRY.values():
        assert kind.domain in get_args(Domain)
        assert kind.severity in get_args(Severity)
        assert [text.endswith(".") for text in (kind.why, kind.remedy, kind.title)] == [True, True, False]


def test_the_documents_list_every_code():
    table = reference()
    assert [row.split("`")[1] for row in table.splitlines()[2:]] == sorted(REGISTRY)
    assert all(kind.remedy in table and kind.why in table for kind in REGISTRY.values())


def mute(**codes):
    return build(Findings, {"mute": codes}, source="cohort.yaml").mute


def test_a_known_code_is_muted_with_a_reason():
    assert mute(MGV203="a pilot") == {"MGV203": "a pilot"}


def test_an_unknown_code_names_the_nearest():
    with pytest.raises(ConfigError, match=r"'MGV2O3' must be the code of a finding.*Did you mean 'MGV203'"):
        mute(MGV2O3="a pilot")


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_empty_reason_is_refused(reason):
    with pytest.raises(ConfigError, match="MGV203 must have a reason"):
        mute(MGV203=reason)


SEVERE, WARNING = found("MGV202", "AUROC 0.99."), found("MGV203", "9 events.")


def test_what_counts_comes_first_and_the_severe_first_of_that():
    order = with_muted([WARNING, SEVERE, found("MGV201", "None.")], {"MGV201": "known"})
    assert [(one.code, one.muted) for one in order] == [("MGV202", None), ("MGV203", None), ("MGV201", "known")]


@pytest.mark.parametrize("gates", ["pass", "warn", "fail"])
def test_a_severe_finding_is_above_every_other_word_unless_muted(gates):
    assert unreliable([WARNING, SEVERE])
    verdict = verdict_of(gates, [SEVERE, WARNING])
    assert (verdict.status, verdict.sentence[:22]) == ("unreliable", "Not to be relied on: D")
    muted = with_muted([SEVERE], {"MGV202": "the index test is the outcome's definition"})
    assert not unreliable(muted)
    assert verdict_of(gates, muted).status == {"pass": "passed", "warn": "warned", "fail": "failed"}[gates]


@pytest.mark.parametrize(("gates", "status"), [("pass", "warned"), ("warn", "warned"), ("fail", "failed")])
def test_a_warning_does_not_hide_a_failed_gate(gates, status):
    verdict = verdict_of(gates, [WARNING])
    assert verdict.status == status
    assert "Few events to train or to test on (MGV203)" in verdict.sentence


def test_a_finding_of_an_earlier_report_is_read():
    new = found("MGV203", "few").model_dump()
    old = {"mend": new["remedy"], **{key: value for key, value in new.items() if key not in ("remedy", "why", "muted")}}
    assert Finding.model_validate(old).remedy == new["remedy"]
    assert Finding.model_validate(new) == found("MGV203", "few")
