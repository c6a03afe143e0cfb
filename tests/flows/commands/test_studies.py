"""The studies of a section `studies`: checked before the first runs, run in turn, compared on a page."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import nullcontext

import pytest

from flows.commands.run import run_study
from flows.commands.studies import PAGE, check_studies, run_each
from mgvae.config.studies import load_studies
from mgvae.errors import ConfigError, OutcomeError
from tests.flows.commands.test_report_documents import run as run
from tests.flows.simulated_study import study, table

ASKED = {"death": {}, "ward": {"outcome": {"column": "ward", "event": "east"}, "columns": {"ward": {"role": "excluded"}}}}


def grid(folder, studies=None, **changes):
    table().to_csv(folder / "extract.csv", index=False)
    path = folder / "cohort.yaml"
    path.write_text(json.dumps({**study(**changes), "studies": studies or ASKED}), encoding="utf-8")
    return path


def test_every_study_is_checked_before_the_first_runs(tmp_path):
    cohort = grid(tmp_path, {"death": {}, "other": {"training": {"latent": 3}}})
    with pytest.raises(ConfigError, match=r"(?s)studies\.other: .*training\.latent: unknown key"):
        run_study(cohort, out=tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"studies\.death must not predict from 'ward', the outcome of studies\.ward"):
        check_studies(cohort := grid(tmp_path), load_studies(cohort), {})


def test_options_hold_for_every_study(tmp_path):
    cohort = grid(tmp_path)
    cohort.write_text(f"# review: ?\n{cohort.read_text(encoding='utf-8')}", encoding="utf-8")
    studies = load_studies(cohort)
    with pytest.raises(ConfigError, match=r"studies\.death: .*no line may be open for review; 1 are"):
        check_studies(cohort, studies, {"strict": True})


def ran(run, *names):
    """Return run folders of finished studies beside each other, all with the sample's report."""
    for name in names:
        shutil.copytree(run, run.parents[1] / "demo" / name / "abc")
    return run.parents[1] / "demo"


def outcome(out, codes):
    def one(path):
        name = re.sub("cohort-|.yaml", "", path.name)
        if codes[name] == 1:
            raise OutcomeError("Too few events.")
        return {"run": str(out / name / "abc"), "exit_code": codes[name]}

    return one


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((0, 2), 2), ((2, 0), 2), ((1, 0), 1), ((1, 2), 1), ((1, 1), 1)])
def test_a_study_that_cannot_run_does_not_stop_the_others(run, tmp_path, codes, expected, capsys):
    studies = load_studies(grid(tmp_path, {"death": {}, "seeded": {"seed": 9}}))
    ended, out = [], ran(run, *studies.files)
    code = run_each(
        studies,
        out,
        outcome(out, dict(zip(studies.files, codes, strict=True))),
        lambda one: ended.append(one) or one["exit_code"],
    )
    assert code == expected
    assert len(ended) == sum(one != 1 for one in codes)
    assert (out / PAGE).exists() == (1 not in codes)
    assert capsys.readouterr().err.count("Too few events.") == codes.count(1)


def test_the_page_links_each_report_and_compares_one_question_only(run, tmp_path):
    studies = load_studies(grid(tmp_path, {"death": {}, "seeded": {"seed": 9}}))
    out = ran(run, *studies.files)
    other = out / "seeded" / "abc" / "report.json"
    content = json.loads(other.read_text(encoding="utf-8"))
    content["cohort"]["outcome"] = "Another"
    other.write_text(json.dumps(content), encoding="utf-8")
    assert run_each(studies, out, outcome(out, {"death": 0, "seeded": 0}), lambda one: one["exit_code"]) == 0
    page = (out / PAGE).read_text(encoding="utf-8")
    links = re.findall('href="([^"#]+/report.html)"', page)
    assert links == ["death/abc/report.html", "seeded/abc/report.html"]
    assert all((out / link).is_file() for link in links)
    assert "do not answer the same question" in page
    assert "differences from the first run" not in page


def test_runs_of_the_studies_stand_below_the_name_of_all(tmp_path, monkeypatch):
    given = []

    def flow(_, cohort, **options):
        given.append((cohort, options["out"], options["seed"]))
        raise OutcomeError("enough.")

    monkeypatch.setattr("flows.study.outcome.result_of", flow)
    monkeypatch.setattr("flows.prefect_server.orchestrated", nullcontext)
    cohort = grid(tmp_path, {"death": {}, "seeded": {"seed": 9}})
    assert run_study(cohort, out=tmp_path / "runs", seed=4) == 1
    files = [str(tmp_path / f"cohort-{name}.yaml") for name in ("death", "seeded")]
    assert given == [(file, str(tmp_path / "runs" / "small"), 4) for file in files]


def test_validate_checks_every_study(tmp_path, mgvae):
    said = mgvae("validate", grid(tmp_path, {"death": {}, "rare": {"outcome": {"expected_prevalence": [0.0, 0.001]}}}))
    assert said.code == 2
    assert said.out.count("40 events") >= 1
