"""OMOP tables on a real PostgreSQL server: the same study as from files, as the tables are now, and no password."""

import subprocess

import pandas as pd
import pytest

from flows.study.event_tables import runnable
from mgvae.config.source import load_source
from mgvae.draft.event_tables import draft_source
from mgvae.errors import ConfigError, ExtractError
from tests.deployments.machine import postgres
from tests.mgvae.ehr.event_tables import Omop, built, write_cohort

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    with postgres() as url:
        yield url.replace("+asyncpg", "")


@pytest.fixture
def files(tmp_path):
    made = Omop()
    for person in (1, 2, 3):
        made.person(person)
        made.condition(person, -5, concept=5)
    made.condition(1, 50)
    expected, _ = built(tmp_path / "csv", made)
    return {path.stem: pd.read_csv(path) for path in (tmp_path / "csv" / "omop").iterdir()}, expected


@pytest.fixture
def url(server, files):
    """Make a database of its own whose schema cdm has the tables, with keys of type numeric and dates."""
    execute(server, "DROP DATABASE IF EXISTS cdm WITH (FORCE)")
    execute(server, "CREATE DATABASE cdm")
    url = f"{server.rpartition('/')[0]}/cdm"
    execute(url, "CREATE SCHEMA cdm")
    for name, frame in files[0].items():
        kinds = {column: "numeric" if column.endswith("_id") else "date" if "date" in column else "text" for column in frame}
        execute(url, f"CREATE TABLE cdm.{name} ({', '.join(f'{column} {kind}' for column, kind in kinds.items())})")
        execute(url, f"COPY cdm.{name} FROM STDIN (FORMAT csv)", frame.to_csv(index=False, header=False))
    return url


def execute(url, statement, rows=""):
    subprocess.run(["psql", "-q", url, "-v", "ON_ERROR_STOP=1", "-c", statement], input=rows, text=True, check=True)


def extract_of(cohort):
    return pd.read_parquet(cohort.parent / "extract.parquet").set_index("subject_id")


def test_it_gives_what_files_give_and_each_run_reads_the_tables_of_now(url, files, tmp_path):
    cohort = write_cohort(tmp_path, url)
    pd.testing.assert_frame_equal(extract_of(runnable(cohort)), files[1])
    execute(url, "UPDATE cdm.condition_occurrence SET person_id = 2 WHERE condition_concept_id = 1")
    assert extract_of(runnable(cohort))["outcome"].tolist() == [0, 1, 0]


def test_a_table_of_two_schemas_must_be_named(url, files, tmp_path):
    execute(url, "CREATE TABLE public.person AS SELECT * FROM cdm.person LIMIT 1")
    with pytest.raises(ExtractError, match=r"it is in cdm, public. Name one: source.tables: \{person: cdm.person\}"):
        runnable(write_cohort(tmp_path, url))
    cohort = write_cohort(tmp_path, url, tables={"person": "cdm.person"})
    pd.testing.assert_frame_equal(extract_of(runnable(cohort)), files[1])


def test_a_server_that_is_away_and_a_table_that_may_not_be_read_are_one_line(url, tmp_path):
    with pytest.raises(ExtractError, match=r"source.omop: the database .* must answer .*; OperationalError\. Check host"):
        runnable(write_cohort(tmp_path, "postgresql://nobody@127.0.0.1:1/cdm"))
    execute(url, "DROP ROLE IF EXISTS reader")
    execute(url, "CREATE ROLE reader LOGIN")
    execute(url, "GRANT USAGE ON SCHEMA cdm TO reader; GRANT INSERT ON ALL TABLES IN SCHEMA cdm TO reader")
    with pytest.raises(ExtractError, match=r"the table cdm.person must be readable; \w+\. Check that the user may read it"):
        runnable(write_cohort(tmp_path, url.replace("prefect@", "reader@")))
    execute(url, "DROP OWNED BY reader; DROP ROLE reader")


@pytest.mark.parametrize("secret", ["postgresql://a:secret@host/cdm", "postgresql://a@host/cdm?password=secret"])
def test_a_password_is_refused_and_never_quoted(secret, tmp_path):
    for refused in (lambda: load_source(write_cohort(tmp_path, secret)), lambda: draft_source(secret, "mi")):
        with pytest.raises(ConfigError, match=r"must hold no password, .* PGPASSWORD or ~/.pgpass") as error:
            refused()
        assert "secret" not in str(error.value)
