"""`mgvae simulate`: what it writes passes validation and a whole study; wrong orders are refused in plain words."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mgvae.simulation.code_book import code_book
from tests.flows.command_line import refused
from tests.prefect_home import prefect_home

RUN = """
import sys
from flows.cli import main
from mgvae.cost import peak_mib
try: main()
finally: print(peak_mib(), file=sys.stderr)
"""
SMALL = (
    *("training.pretrain_epochs=1", "training.finetune_epochs=1", "training.hidden=[16]", "training.ewc_lambda=1.0"),
    *("training.device=cpu", "synthesis.prevalence=0.35", "evaluation.arms=[none]", "evaluation.folds=2"),
    *("evaluation.classifiers=[majority_guided]", "evaluation.bootstrap=50", "evaluation.repeats=1"),
    *("instability.redevelopments=10", "instability.generated=0", "learning_curve.shares=[0.5]", "learning_curve.repeats=1"),
)


@pytest.mark.slow
def test_two_thousand_columns_from_the_file_to_the_page(mgvae, tmp_path):
    folder = tmp_path / "my study"
    said = mgvae("simulate", "autism", "--n", 200, "--out", folder, "--seed", 1, "--prevalence", 0.2)
    assert (said.code, said.err) == (0, "")
    assert "Wrote 200 children, " in said.out
    assert f"Next: mgvae validate '{folder}/cohort.yaml'" in said.out
    order = ["run", str(folder / "cohort.yaml"), "--out", str(tmp_path / "runs"), *(f"--set={one}" for one in SMALL)]
    home = os.environ | {"PREFECT_HOME": str(prefect_home(tmp_path / "home"))}
    command = [sys.executable, "-c", RUN, *order]
    done = subprocess.run(command, env=home, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode in (0, 2), done.stderr
    peak = float(done.stderr.split()[-1])
    assert peak < 2_000  # MiB; a matrix of all pairs of columns for each child would take 1,500 more

    run = tmp_path / "runs" / "simulated-autism" / "latest"
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["validation"]["passed"] is True
    assert (report["validation"]["rows"], report["cohort"]["n"]) == (200, 200)
    assert len(report["cohort"]["columns"]) > 800  # the other codes no child has
    assert set(report["evaluation"]["arms"]) == {"none"}
    assert report["run_id"] in (run / "report.html").read_text(encoding="utf-8")

    extract, synthetic = pd.read_parquet(folder / "extract.parquet"), pd.read_parquet(run / "synthetic.parquet")
    assert extract.shape[1] > 2_000
    codes = [name for name in code_book().names if name in synthetic]
    made, real = synthetic[codes].to_numpy(dtype=float), extract.loc[extract["autism"] == 1, codes].to_numpy(dtype=float)
    assert set(np.unique(made)) == {0, 1}
    assert real.mean() / 3 < made.mean() < 3 * real.mean()  # one code in fifty


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
