"""Tests of mgvae.cost: each piece of work has its own peak, and no process has that of another."""

import subprocess
import sys

from tests.paths import ROOT

PEAKS = """
import torch
from mgvae.cost import measured

costs = {}
with measured(costs, "large"):
    held = torch.ones(64, 2**20)
    del held
with measured(costs, "small"):
    pass
print(costs["large"].peak_mib > costs["small"].peak_mib + 200, costs["large"].seconds > costs["small"].seconds)
"""


def test_each_stage_has_its_own_peak():
    # in a process of its own: one that freed much memory before may serve the large block from it
    done = subprocess.run([sys.executable, "-c", PEAKS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


INHERITED = """
import subprocess, sys

held = bytes(2**20) * 400
print(subprocess.run([sys.executable, "-c", "from mgvae.cost import peak_mib; print(peak_mib())"],
                     capture_output=True, text=True, check=True).stdout)
"""


def test_a_process_has_not_the_peak_of_the_one_that_started_it():
    done = subprocess.run([sys.executable, "-c", INHERITED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 5 < float(done.stdout) < 300
