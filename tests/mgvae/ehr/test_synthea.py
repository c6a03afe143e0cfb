"""The attrition of Synthea's OMOP tables against SQL written by hand."""

import json

import duckdb
import pytest

from mgvae.ehr.build import build_study
from tests.paths import ROOT

TABLES = ROOT.parent / "shared" / "data" / "omop_synthea"
pytestmark = pytest.mark.skipif(not TABLES.is_dir(), reason="the data sets for measuring are not here")
OUTCOMES = {"myocardial infarction": 4329847, "atrial fibrillation": 313217, "epilepsy": 380378, "cardiac arrest": 321042}
QUERY = """
WITH periods AS (SELECT person_id, min(observation_period_start_date) AS start, max(observation_period_end_date) AS stop
                 FROM observation_period GROUP BY person_id),
     outcome AS (SELECT person_id, condition_start_date AS happened FROM condition_occurrence
                 WHERE condition_concept_id = {concept}),
     visits AS (SELECT DISTINCT person_id, visit_start_date AS seen FROM visit_occurrence WHERE visit_concept_id = 9202),
     observed AS (SELECT v.*, start, stop FROM visits v JOIN periods USING (person_id) WHERE seen BETWEEN start AND stop),
     washed AS (SELECT * FROM observed WHERE seen - start >= 365),
     firsts AS (SELECT person_id, min(seen) AS seen, any_value(stop) AS stop FROM washed GROUP BY person_id),
     fresh AS (SELECT * FROM firsts f WHERE NOT EXISTS
               (SELECT 1 FROM outcome o WHERE o.person_id = f.person_id AND o.happened < f.seen + 1)),
     followed AS (SELECT * FROM fresh f WHERE stop >= seen + 1826
                  OR EXISTS (SELECT 1 FROM outcome o WHERE o.person_id = f.person_id
                             AND o.happened BETWEEN f.seen + 1 AND f.seen + 1826)
                  OR EXISTS (SELECT 1 FROM death d WHERE d.person_id = f.person_id AND d.death_date <= f.seen + 1826))
SELECT count(*), count(DISTINCT person_id), count(*) FILTER (EXISTS (SELECT 1 FROM outcome o WHERE o.person_id = s.person_id
       AND o.happened BETWEEN s.seen + 1 AND s.seen + 1826)) FROM {step} s
"""
STEPS = ("visits", "observed", "washed", "firsts", "fresh", "followed")


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        for name in ("person", "visit_occurrence", "condition_occurrence", "observation_period", "death"):
            made.read_csv(f"{TABLES / name.upper()}.csv.gz").create(name)
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_count_of_the_attrition_is_that_of_the_query(connection, tmp_path, outcome):
    concept = OUTCOMES[outcome]
    source = {
        "omop": str(TABLES),
        "predicates": {"ambulatory": {"domain": "visit", "concepts": [9202]},
                       "outcome": {"domain": "condition", "concepts": [concept]}},
        "index": {"event": "ambulatory"},
        "observation": {"washout_days": 365},
        "outcome": {"events": "outcome", "start_days": 1, "end_days": 1826},
        "predictors": {"domains": ["condition"], "aggregations": ["any"], "lookback_days": ["all"]},
    }  # fmt: skip
    (tmp_path / "cohort.yaml").write_text(json.dumps({"study": "synthea", "source": source}), encoding="utf-8")
    study = build_study(tmp_path / "cohort.yaml", tmp_path / "out")
    expected = [connection.execute(QUERY.format(concept=concept, step=step)).fetchall()[0] for step in STEPS]
    assert [(step.rows, step.subjects, step.events) for step in study.attrition] == expected
    assert expected[0][0] > 29_000
