"""`mgvae init`: what it drafts passes `mgvae validate` unchanged; nothing half-written; nothing replaced unasked."""

import gzip
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.commands import init as initialising
from flows.commands.init import init
from mgvae.config.study import load_config
from mgvae.config.yaml_reader import read_yaml
from mgvae.errors import ConfigError
from tests.flows.command_line import refused
from tests.flows.simulated_study import CANARY, STUDY, table
from tests.paths import ROOT

SHIPPED = ROOT / "data"
OUTSIDE = ROOT.parent / "shared" / "data"
outside = pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the data sets for measuring are not here")


@pytest.fixture
def extract(tmp_path, monkeypatch):
    """Return the path of an extract in the working folder."""
    monkeypatch.chdir(tmp_path)
    table().to_csv("extract.csv", index=False)
    return Path("extract.csv")


def plain(text):
    return " ".join(text.split())


def test_two_files_in_the_working_folder_that_pass_validation_once_reviewed(mgvae, extract):
    said = mgvae("init", extract, "--outcome", "died")
    assert (said.code, said.err) == (0, "")
    assert sorted(path.name for path in Path().iterdir()) == ["cohort.yaml", "dictionary.yaml", "extract.csv"]
    shown = plain(said.out)
    assert shown.endswith("Wrote cohort.yaml and dictionary.yaml. Next: mgvae validate cohort.yaml")
    assert "600 rows, 11 columns" in shown
    assert "│ patient │ │ subject_id │" in shown
    assert "│ died │ binary │ outcome │" in shown
    said = mgvae("validate", "cohort.yaml")
    assert said.code == 0
    assert said.out.startswith("Not to be relied on as it stands")
    assert "MGV104" in said.out
    assert "MGV105" in said.out
    refused(mgvae("validate", "cohort.yaml", "--strict"), "cohort.yaml, line", "dictionary.yaml, line", "--strict")
    for name in ("cohort.yaml", "dictionary.yaml"):
        Path(name).write_text(re.sub(r"# review: .*", "", Path(name).read_text()))
    said = mgvae("validate", "cohort.yaml", "--strict")
    assert said.out.startswith("Passed")
    assert "MGV10" not in said.out


def test_the_draft_is_what_one_would_write(mgvae, extract):
    mgvae("init", extract, "--outcome", "died")
    config = load_config(Path("cohort.yaml"))
    assert (config.study, config.subject_id, config.group) == ("extract", "patient", "family")
    assert (config.outcome.column, config.outcome.event, config.outcome.expected_prevalence) == ("died", "yes", (0.033, 0.14))
    columns = config.columns
    assert {name: column.kind for name, column in columns.features.items()} == {
        **{"age": "count", "crp": "continuous", "visits": "count", "sex": "binary", "ward": "categorical", "stage": "count"}
    }
    assert columns["crp"].missing_codes == (-9,)
    assert [columns[name].kind for name in ("index_day", "first_seen")] == ["date", "date"]
    assert "# index_date: index_day" in Path("cohort.yaml").read_text()


@pytest.mark.slow
def test_a_study_can_be_run_from_the_draft(mgvae, extract, finished):
    from flows.study.flow import cohort_flow

    mgvae("init", extract, "--outcome", "died")
    small = ["training.pretrain_epochs=8", "training.finetune_epochs=8", "training.ewc_lambda=1.0"]
    small += ["synthesis.prevalence=0.2"]  # hundreds of cases of so few columns repeat some patient by chance
    small += ["evaluation.folds=2", "evaluation.repeats=1", "evaluation.bootstrap=50", "evaluation.arms=[none]"]
    small += [
        "evaluation.classifiers=[logistic_regression]",
        *(f"gates.{name}={value}" for name, value in STUDY["gates"].items()),
    ]
    result = cohort_flow("cohort.yaml", out="runs", settings=small)
    assert result["status"] in ("pass", "warn")


def test_no_value_of_a_patient_is_shown_or_written(mgvae, extract):
    said = mgvae("init", extract, "--outcome", "died")
    for text in (said.out, Path("cohort.yaml").read_text(), Path("dictionary.yaml").read_text()):
        assert CANARY not in text
        assert "patient-0003" not in text


def test_into_another_folder(mgvae, extract):
    said = mgvae("init", extract, "--outcome", "died", "--out", "my study")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "Next: mgvae validate 'my study/cohort.yaml'"
    assert read_yaml(Path("my study/cohort.yaml"))["extract"] == "../extract.csv"
    assert mgvae("validate", "my study/cohort.yaml").code == 0


@pytest.mark.parametrize("name", ["cohort.yaml", "dictionary.yaml"])
def test_nothing_is_replaced_unasked(name, mgvae, extract):
    Path(name).write_text("mine")
    refused(mgvae("init", extract, "--outcome", "died"), f"{name}: is there already and is not replaced", "--force")
    assert Path(name).read_text() == "mine"
    assert len(list(Path().iterdir())) == 2
    assert mgvae("init", extract, "--outcome", "died", "--force").code == 0
    assert load_config(Path("cohort.yaml")).outcome.column == "died"


def test_a_folder_of_that_name_is_never_replaced(mgvae, extract):
    Path("cohort.yaml").mkdir()
    refused(mgvae("init", extract, "--force"), "cohort.yaml: must not be a folder")


def test_nothing_is_written_where_anything_fails(extract, monkeypatch):
    refusals = {"load_config": ConfigError("not usable"), "dictionary_text": OSError(28, "No space left on device")}
    for name, error in refusals.items():
        with monkeypatch.context() as patch:

            def fail(*arguments, error=error):
                raise error

            patch.setattr(initialising, name, fail)
            with pytest.raises((ConfigError, OSError)):
                init(str(extract), Path("new"), outcome="died", event=None, force=False)
        assert not [path for path in Path().rglob("*") if path.is_file() and path.name != "extract.csv"]


def test_a_folder_that_cannot_be_made(mgvae, extract):
    refused(mgvae("init", extract, "--outcome", "died", "--out", "extract.csv/below"), "must be writable", "--out")


def test_without_an_outcome_it_says_what_to_do_and_run_refuses(mgvae, extract):
    table().rename(columns={"died": "flag"}).to_csv(extract, index=False)
    said = mgvae("init", extract)
    assert said.code == 0
    assert "No column looks like the outcome" in said.out
    assert said.out.splitlines()[-1] == "Next: mgvae init extract.csv --outcome COLUMN --out . --force"
    refused(
        mgvae("validate", "cohort.yaml"), "must have the column 'CHOOSE_THE_OUTCOME_COLUMN' (outcome.column in cohort.yaml)"
    )
    assert mgvae("init", extract, "--outcome", "flag", "--out", ".", "--force").code == 0
    assert mgvae("validate", "cohort.yaml").code == 0


def test_an_outcome_that_shows_itself_is_a_guess(mgvae, extract):
    said = mgvae("init", extract)
    assert "The outcome 'died' is a guess by name and rarity" in said.out
    assert mgvae("validate", "cohort.yaml").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv",), ("none.csv: no such file",)),
        (("extract.csv", "--outcome", "dyed"), ("--outcome dyed", "Did you mean column 4, whose name is similar?")),
        (("extract.csv", "--outcome", "died", "--event", "maybe"), ("--event maybe", "none of its 2 values is")),
        (("extract.csv", "--event", "yes"), ("needs --outcome",)),
        (("empty.csv",), ("the file is empty",)),
        (("extract.xlsx",), ("must be CSV (.csv, .csv.gz, .tsv) or Parquet",)),
        ((), ("Give EXTRACT, or --omop",)),
    ],
    ids=str,
)
def test_wrong_orders(arguments, words, mgvae, extract):
    Path("empty.csv").write_text("")
    Path("extract.xlsx").write_bytes(b"PK")
    refused(mgvae("init", *arguments), *words)
    assert not list(Path().glob("*.yaml"))


def test_a_file_with_semicolons_in_latin_1_is_read_as_it_is(mgvae, extract):
    text = table().to_csv(index=False, sep=";").replace("east", "öst").rstrip("\n")
    extract.write_bytes(text.encode("latin-1"))
    said = mgvae("init", extract, "--outcome", "died")
    assert "the last line has no line break" in plain(said.out)
    config = load_config(Path("cohort.yaml"))
    assert (config.separator, config.encoding) == (";", "cp1252")
    assert "öst" in config.columns["ward"].levels
    said = mgvae("validate", "cohort.yaml")
    assert said.code == 0
    assert "the last line has no line break" in plain(said.out)
    refused(mgvae("validate", "cohort.yaml", "--set", "separator=null"), "Write 'separator: \";\"' into cohort.yaml")


def test_names_and_levels_that_yaml_or_rich_would_misread(mgvae, extract):
    rng = np.random.default_rng(0)
    frame = table().assign(
        **{
            "null": rng.choice(["yes", "no", "off"], 600),
            "größe: [cm]": rng.normal(170, 10, 600).round(1),
            "[bold]x[/bold]": rng.choice(["[red]", "# a", "- b", "1:30", "~"], 600),
            "1": rng.choice(["010", "10", "1e1"], 600),
            "a, b; c": rng.choice(["x,y", 'say "x"', "o'clock"], 600),
        }
    )
    frame.to_csv(extract, index=False)
    said = mgvae("init", extract, "--outcome", "died")
    assert "[bold]x[/bold]" in said.out
    assert "größe: [cm]" in said.out
    assert mgvae("validate", "cohort.yaml").code == 0
    assert load_config(Path("cohort.yaml")).columns["1"].levels == ("010", "10", "1e1")


@pytest.mark.slow
def test_a_wide_extract_lists_only_what_is_to_be_reviewed(mgvae, extract):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(600, 100)), columns=[f"probe{number}" for number in range(100)])
    pd.concat([table(), wide], axis=1).to_csv(extract, index=False)
    said = mgvae("init", extract, "--outcome", "died")
    assert "111 columns; 10" in plain(said.out)
    assert "probe7 " not in said.out
    assert "probe7:" in Path("dictionary.yaml").read_text()


@pytest.mark.parametrize(
    ("path", "outcome"), [("actg320/actg320.csv", "death"), ("nafld/nafld.parquet", "death_2y")], ids=["actg320", "nafld"]
)
def test_the_cohorts_that_ship(path, outcome, mgvae, tmp_path):
    said = mgvae("init", SHIPPED / path, "--out", tmp_path)
    assert f"The outcome '{outcome}' is a guess" in plain(said.out)
    assert mgvae("validate", tmp_path / "cohort.yaml").code == 0
    written = read_yaml((SHIPPED / path).with_name("cohort.yaml"))
    config = load_config(tmp_path / "cohort.yaml")
    assert (config.subject_id, config.group) == (written["subject_id"], written.get("group"))


@outside
def test_a_gzipped_table_with_follow_up_and_matched_sets(mgvae, tmp_path):
    mgvae("init", OUTSIDE / "nafld" / "nafld1.csv.gz", "--outcome", "status", "--out", tmp_path)
    config = load_config(tmp_path / "cohort.yaml")
    assert (config.subject_id, config.group) == ("id", "case.id")
    assert "futime" not in config.columns.features
    assert mgvae("validate", tmp_path / "cohort.yaml").code == 0


@outside
def test_a_table_without_a_subject_and_with_codes_for_the_causes(mgvae, tmp_path):
    said = mgvae("init", OUTSIDE / "crash2" / "crash2.csv.gz", "--outcome", "status", "--event", 4, "--out", tmp_path)
    assert "each row is taken for a subject" in plain(said.out)
    config = load_config(tmp_path / "cohort.yaml")
    assert config.subject_id is None
    assert config.outcome.event == 4
    assert "time" not in config.columns.features
    assert mgvae("validate", tmp_path / "cohort.yaml").code == 0


@outside
@pytest.mark.slow
def test_a_file_without_a_header_and_the_same_with_one(mgvae, tmp_path):
    source = OUTSIDE / "mi_complications"
    shutil.copy(source / "MI.data", tmp_path / "mi.csv")
    refused(mgvae("init", tmp_path / "mi.csv"), "the first line must name the columns; most of its 124 fields")
    names = (source / "column_names.txt").read_text().split()
    (tmp_path / "mi.csv").write_text(",".join(names) + "\n" + (source / "MI.data").read_text())
    mgvae("init", tmp_path / "mi.csv", "--outcome", "JELUD_TAH", "--out", tmp_path)
    config = load_config(tmp_path / "cohort.yaml")
    assert config.subject_id == "ID"
    assert config.columns["K_BLOOD"].missing_codes == ("?",)
    assert "IBS_NASL" not in config.columns.features  # 95.8 % missing
    assert mgvae("validate", tmp_path / "cohort.yaml").code == 0


@outside
@pytest.mark.slow
def test_encounters_of_patients_who_come_again(mgvae, tmp_path):
    archive = OUTSIDE / "diabetes130" / "dataset_diabetes.zip"
    refused(mgvae("init", archive), "must be CSV (.csv, .csv.gz, .tsv) or Parquet")
    with zipfile.ZipFile(archive) as file, gzip.open(tmp_path / "d.csv.gz", "wb") as out:
        out.write(file.read("dataset_diabetes/diabetic_data.csv"))
    mgvae("init", tmp_path / "d.csv.gz", "--outcome", "readmitted", "--event", "<30", "--out", tmp_path)
    config = load_config(tmp_path / "cohort.yaml")
    columns = config.columns
    assert (config.subject_id, config.group) == ("encounter_id", "patient_nbr")
    assert columns["race"].missing_codes == ("?",)
    assert columns["age"].kind == "ordinal"
    assert columns["age"].levels[-1] == "[90-100)"
    assert columns["admission_type_id"].kind == "categorical"
    for name in ("weight", "diag_1", "examide", "discharge_disposition_id"):
        assert name not in columns.features
    assert mgvae("validate", tmp_path / "cohort.yaml").code == 0
