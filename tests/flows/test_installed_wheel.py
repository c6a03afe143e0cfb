"""Outside the repository: the wheel, installed, has a study to run."""

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from flows.commands.demo import copy_study
from mgvae.errors import ConfigError
from tests.deployments.machine import on_one_core
from tests.paths import ROOT
from tests.prefect_home import prefect_home
from tests.wheel import build_wheel

STUDY = ("COPYING", "README.md", "cohort.yaml", "dictionary.yaml", "nafld.parquet")
QUICK = (  # of the study that ships, as little as runs through all stages
    *("training.latent_dim=2", "training.hidden=[4]", "training.pretrain_epochs=1", "training.finetune_epochs=1"),
    *(
        "training.ewc_lambda=1.0",
        "evaluation.folds=2",
        "evaluation.bootstrap=50",
        "evaluation.classifiers=[logistic_regression]",
    ),
    *(
        "evaluation.arms=[none]",
        "instability.redevelopments=10",
        "instability.generated=0",
        "learning_curve.shares=[0.5]",
        "learning_curve.repeats=1",
        "evaluation.repeats=1",
    ),
)


def test_what_the_demo_copies_is_the_study_of_the_repository(tmp_path):
    assert copy_study(tmp_path / "new" / "demo") == tmp_path / "new" / "demo" / "cohort.yaml"
    found = sorted(path.name for path in (tmp_path / "new" / "demo").iterdir())
    assert found == sorted(STUDY)
    for name in found:
        assert (tmp_path / "new" / "demo" / name).read_bytes() == (ROOT / "data" / "nafld" / name).read_bytes()
        assert not (tmp_path / "new" / "demo" / name).is_symlink()


def test_what_a_person_changed_stays(tmp_path):
    (tmp_path / "cohort.yaml").write_text("study: mine")
    copy_study(tmp_path)
    assert (tmp_path / "cohort.yaml").read_text() == "study: mine"
    assert (tmp_path / "nafld.parquet").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: must be a folder that can be written"):
        copy_study(tmp_path / "file")


def test_the_demo_lies_below_the_allowed_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path / "allowed"))
    with pytest.raises(ConfigError, match="--out: must lie below"):
        copy_study(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with the wheel, beside the packages that are installed here; its folder of programs."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build_wheel(folder)
    venv.create(folder / "venv")
    programs = folder / "venv" / "bin"
    pip = [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, capture_output=True, timeout=300, check=True)
    (packages,) = (folder / "venv" / "lib").glob("*/site-packages")
    (packages / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n")  # its own .pth, with this clone, is not read
    return wheel, programs


def outside(installed, folder):
    """Return an environment that knows nothing of this clone."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MGVAE_", "PYTHON"))}
    return {
        **own,
        "PATH": f"{installed[1]}:/usr/bin:/bin",
        "PREFECT_HOME": str(prefect_home(folder / "home")),
        "OMP_NUM_THREADS": "1",
    }


@pytest.mark.slow
def test_the_wheel_holds_the_study_and_its_licence(installed):
    names = zipfile.ZipFile(installed[0]).namelist()
    assert {name.rpartition("/")[2] for name in names if name.startswith("flows/commands/nafld/")} == set(STUDY)
    assert any(name.endswith("dist-info/licenses/data/nafld/COPYING") for name in names)
    assert not [name for name in names if name.endswith("prepare.py")]


@pytest.mark.slow
def test_the_demo_runs_outside_the_repository(installed, tmp_path):
    environment = outside(installed, tmp_path)
    where = "import flows, mgvae, validation; print(flows.__file__, mgvae.__file__, validation.__file__)"
    options = {"cwd": tmp_path, "env": environment, "text": True, "capture_output": True, "check": False, "timeout": 900}
    found = subprocess.run([installed[1] / "python", "-c", where], **options).stdout.split()
    assert all(Path(file).is_relative_to(installed[1].parent) for file in found)
    assert len(found) == 3
    changes = [part for change in QUICK for part in ("--set", change)]
    with on_one_core():
        done = subprocess.run([installed[1] / "mgvae", "demo", "--out", "demo", *changes], **options)
    assert done.returncode in (0, 2), done.stderr  # a model of one epoch may fail its gates
    assert "The study is demo/cohort.yaml." in done.stderr
    assert done.stdout.splitlines()[-1] == "demo/runs/nafld/latest/report.html"
    report = json.loads((tmp_path / "demo/runs/nafld/latest/report.json").read_text(encoding="utf-8"))
    assert (report["cohort"]["n"], report["cohort"]["events"]) == (15569, 328)
    version = subprocess.run([installed[1] / "mgvae", "--version"], **options).stdout.strip()
    assert version == f"mgvae-cohort {importlib.metadata.version('mgvae-cohort')}"
