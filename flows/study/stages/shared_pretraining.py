"""Pre-train in several processes of this machine, see `mgvae.training.ranks`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from pathlib import Path

from flows.progress import Noted, listening, replay
from flows.study.stages.encoded import encoded_rows
from flows.study.stages.training import report_epoch
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.generator.synthesis import Pretrained, device_of, pretrain_majority
from mgvae.model.encoding import Encoding
from mgvae.threads import one_thread
from mgvae.training.early_stopping import OnEpoch
from mgvae.training.ranks import LOST, Ranks, joined_ranks

POLL = 0.5  # seconds between looks for progress


def pretrained(encode: Path, encoding: Encoding, training: Training, *, seed: int) -> Pretrained:
    """Return the model pre-trained on the majority in stage encode's folder, in ``training.processes`` processes.

    Raises:
        TrainingError: training is impossible, or a process ended before the others.
    """
    if training.processes == 1:
        return _trained(encode, encoding, training, seed, report_epoch)
    with tempfile.TemporaryDirectory() as name, ProcessPool(training.processes) as pool:
        arguments, folder = (encode, encoding, training, seed), Path(name)
        calls = [pool.submit(_train_rank, rank, folder, *arguments) for rank in range(training.processes)]
        return _result(calls, folder / "progress")


def _result(calls: Sequence[Future[Pretrained]], progress: Path) -> Pretrained:
    """Wait for all ranks, reporting the first one's epochs; return its result."""
    waiting, seen = set(calls), 0
    while waiting:
        done, waiting = wait(waiting, timeout=POLL)
        seen = replay(progress, seen)
        for call in done:
            if isinstance(call.exception(), BrokenExecutor):
                raise TrainingError(LOST) from None
            call.result()
    return calls[0].result()


def _train_rank(rank: int, folder: Path, encode: Path, encoding: Encoding, training: Training, seed: int) -> Pretrained:
    """Train as one rank, the first of which notes its epochs."""
    meeting, note = folder / "meeting", None if rank else report_epoch
    with listening(Noted(folder / "progress")), joined_ranks(rank, training.processes, meeting, device_of(training)) as ranks:
        return _trained(encode, encoding, training, seed, note, ranks)


def _trained(
    encode: Path, encoding: Encoding, training: Training, seed: int, on_epoch: OnEpoch | None, ranks: Ranks | None = None
) -> Pretrained:
    found = encoded_rows(encode)
    with one_thread():
        rows = found.majority.to(device_of(training))
        return pretrain_majority(encoding, rows, found.majority_group, training, seed=seed, on_epoch=on_epoch, ranks=ranks)
