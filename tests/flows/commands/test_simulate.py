"""`mgvae simulate`: what it writes passes `mgvae validate`; wrong orders are refused in plain words."""

import pytest

from tests.flows.command_line import refused


@pytest.mark.slow
def test_a_simulated_study_passes_validation(mgvae, tmp_path):
    said = mgvae("simulate", "autism", "--n", 300, "--out", tmp_path / "my study", "--seed", 1, "--prevalence", 0.1)
    assert (said.code, said.err) == (0, "")
    assert "Wrote 300 children, " in said.out
    assert f"Next: mgvae validate '{tmp_path}/my study/cohort.yaml'" in said.out
    said = mgvae("validate", tmp_path / "my study" / "cohort.yaml")
    assert "Passed" in said.out
    assert "300 rows" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("autsm", "--n", 5), ("WORLD must be one of autism; got 'autsm'", "Did you mean 'autism'?")),
        (("autism", "--n", 0), ("--n must be at least 1 child",)),
        (("autism", "--n", "many"), ("Invalid value for '--n'",)),
        (("autism",), ("Missing option '--n'",)),
    ],
)
def test_wrong_orders(arguments, words, mgvae, tmp_path):
    refused(mgvae("simulate", *arguments, "--out", tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_the_next_command_is_named(mgvae, tmp_path):
    said = mgvae("simulate", "autism", "--n", 20, "--out", tmp_path / "my study", "--seed", 1)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Wrote 20 children, ")
    assert f"Next: mgvae validate '{tmp_path}/my study/cohort.yaml'" in said.out
    assert "is not replaced" in mgvae("simulate", "autism", "--n", 20, "--out", tmp_path / "my study").err
