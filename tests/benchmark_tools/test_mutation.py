"""The mutation score: what exit codes mean, what counts, and that the modules that are mutated exist."""

import json
import tomllib

import pytest

from tests.benchmarks.mutation import outcome, results, score
from tests.paths import ROOT


@pytest.mark.parametrize(
    ("code", "meaning"),
    [(0, "survived"), (1, "killed"), (3, "killed"), (33, "untested"), (None, "not run"), (36, "killed"), (-9, "killed")],
)
def test_what_an_exit_code_means(code, meaning):
    assert outcome(code) == meaning


def test_the_score_counts_what_was_run_and_a_function_without_tests_against_it():
    assert score({"killed": 3, "survived": 1, "untested": 0, "not run": 90}) == "75%"
    assert score({"killed": 3, "survived": 0, "untested": 3, "not run": 0}) == "50%"
    assert score({"killed": 0, "survived": 0, "untested": 0, "not run": 4}) == "-"


def test_results_are_read_of_all_modules(tmp_path):
    (tmp_path / "mgvae" / "cohort").mkdir(parents=True)
    for path, codes in (("mgvae/b.py", {"mgvae.b.x": 1}), ("mgvae/cohort/a.py", {"mgvae.cohort.a.y": None})):
        (tmp_path / f"{path}.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    assert list(results(tmp_path)) == [("mgvae/b.py", "mgvae.b.x", 1), ("mgvae/cohort/a.py", "mgvae.cohort.a.y", None)]


def test_the_modules_that_are_mutated_and_their_tests_exist():
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["mutmut"]
    paths = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"], *settings["also_copy"]]
    assert [path for path in paths if not (ROOT / path).exists()] == []
