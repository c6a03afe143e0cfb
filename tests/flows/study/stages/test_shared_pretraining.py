"""Stage pretrain in several processes: the result of one, its progress, and what is said where a process ends."""

from concurrent.futures import BrokenExecutor, Future

import numpy as np
import pytest
import torch

from flows.progress import Noted, listening, replay
from flows.study.stages import shared_pretraining
from flows.study.stages.encoded import write_encoded
from flows.study.stages.training import report_epoch
from mgvae.errors import TrainingError
from mgvae.model.encoding import fit_encoding
from tests.mgvae.small_cohort import COLUMNS, cohort, quick


class Listener:
    def __init__(self):
        self.epochs = []

    def advanced(self, done, total, note=""):
        self.epochs.append((done, total, note))


@pytest.fixture
def encode(tmp_path):
    """Return a folder as stage encode writes it, and its encoding."""
    features, event, group = cohort(300, 20)
    encoding = fit_encoding(features, COLUMNS)
    order = np.argsort(event, kind="stable")
    rows = encoding.encode(features.iloc[order], dtype=np.float32)
    write_encoded(tmp_path, [rows], encoding.width, group[order], np.arange((~event).sum()))
    return tmp_path, encoding


def ended(result=None, error=None):
    future = Future()
    future.set_exception(error) if error is not None else future.set_result(result)
    return future


@pytest.mark.slow
def test_two_processes_train_the_model_of_one(encode):
    found = []
    for processes in (1, 2):
        listener = Listener()
        with listening(listener):
            how = quick(pretrain_epochs=3, processes=processes)
            found.append((shared_pretraining.pretrained(*encode, how, seed=4), listener.epochs))
    (alone, epochs), (shared, reported) = found
    assert (
        [(done, total) for done, total, _ in reported]
        == [(done, total) for done, total, _ in epochs]
        == [(1, 3), (2, 3), (3, 3)]
    )
    assert shared.history.heldout_elbo == pytest.approx(alone.history.heldout_elbo, abs=5e-5)
    for name, value in alone.model.state_dict().items():
        torch.testing.assert_close(shared.model.state_dict()[name], value, rtol=0, atol=5e-5)
    for name, value in alone.anchor.fisher.items():
        torch.testing.assert_close(shared.anchor.fisher[name], value, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("error", [BrokenExecutor("killed"), TrainingError(shared_pretraining.LOST)], ids=["killed", "said"])
def test_one_process_that_ends_ends_the_stage_while_another_waits(error, tmp_path):
    waiting = Future()
    with pytest.raises(TrainingError, match="one ended before the others"):
        shared_pretraining._result([waiting, ended(error=error)], tmp_path / "progress")


def test_an_error_of_training_is_passed_on(tmp_path):
    with pytest.raises(TrainingError, match="no longer finite"):
        shared_pretraining._result([ended(error=TrainingError("no longer finite")), ended()], tmp_path / "progress")


def test_each_epoch_is_reported_once_and_none_before_its_line_is_whole(tmp_path):
    progress, listener = tmp_path / "progress", Listener()
    with listening(listener):
        assert replay(progress, 0) == 0
        with listening(Noted(progress)):
            report_epoch(1, 3, -5.25)
            report_epoch(2, 3, -4.5)
        whole = progress.read_text()
        progress.write_text(whole[:-5])
        assert replay(progress, 0) == 1
        progress.write_text(whole)
        assert replay(progress, 1) == 2
    assert listener.epochs == [(1, 3, "ELBO -5.25"), (2, 3, "ELBO -4.50")]
