"""Calibration and ranks against R's own glm and rank statistic, where R is installed."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from scipy.special import expit

from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure

SCRIPT = """
rows <- read.csv(commandArgs(TRUE)[1])
line <- qlogis(rows$p)
level <- glm(event ~ offset(line), binomial, rows)
slope <- glm(event ~ line, binomial, rows)
cases <- rows$p[rows$event == 1]; others <- rows$p[rows$event == 0]
area <- wilcox.test(cases, others, exact = FALSE)$statistic / length(cases) / length(others)
cat(format(c(coef(level), coef(slope)[2], area), digits = 15), sep = "\\n")
"""


@pytest.mark.slow
def test_intercept_slope_and_auroc_agree_with_r(tmp_path):
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not installed")
    rng = np.random.default_rng(0)
    line = rng.normal(-3, 1.2, size=2000)
    event, p = (rng.random(2000) < expit(line)).astype(np.int64), np.round(expit(0.4 + 1.3 * line), 3).clip(0.001, 0.999)
    np.savetxt(tmp_path / "rows.csv", np.column_stack([event, p]), delimiter=",", header="event,p", comments="")
    (tmp_path / "script.R").write_text(SCRIPT)
    done = subprocess.run(
        [rscript, tmp_path / "script.R", tmp_path / "rows.csv"], capture_output=True, text=True, check=True, timeout=60
    )
    intercept, slope, area = (float(value) for value in done.stdout.split())
    ours = measure(event, p, unit_weights(2000), threshold=0.1)
    assert ours["calibration_intercept"][0] == pytest.approx(intercept, abs=1e-4)
    assert ours["calibration_slope"][0] == pytest.approx(slope, rel=1e-4)
    assert ours["auroc"][0] == pytest.approx(area, rel=1e-9)
