"""Pre-train in several processes of this machine, see `mgvae.training.ranks`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from dataclasses import replace
from pathlib import Path

from flows.study.stages.encoded import encoded_rows
from flows.study.stages.training import report_epoch
from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.generator.synthesis import Pretrained, device_of, pretrain_majority
from mgvae.model.encoding import Encoding
from mgvae.torch_runtime import one_thread
from mgvae.training.anchor import Anchor
from mgvae.training.checkpoint import plain
from mgvae.training.early_stopping import OnEpoch
from mgvae.training.ranks import LOST, Ranks, joined_ranks

POLL = 0.5  # seconds between looks for progress


def pretrained(encode: Path, encoding: Encoding, training: Training, *, seed: int) -> Pretrained:
    """Return the model pre-trained on the majority of stage encode, with its anchor.

    Args:
        encode: the stage's folder.
        encoding: which it holds.
        training: how to train; in ``training.processes`` processes.
        seed: the seed.
    Raises:
        TrainingError: training is impossible, or a process ended before the others.
    """
    if training.processes == 1:
        return _trained(encode, encoding, training, seed, report_epoch, None)
    with tempfile.TemporaryDirectory() as folder, ProcessPool(training.processes) as pool:
        progress, calls = Path(folder) / "progress", list[Future[Pretrained | None]]()
        for rank in range(training.processes):
            calls.append(pool.submit(_train_rank, rank, encode, encoding, training, seed, Path(folder)))
        return _result(calls, progress)


def _result(calls: Sequence[Future[Pretrained | None]], progress: Path) -> Pretrained:
    """Wait for all ranks, reporting the first one's epochs; return its result."""
    waiting, seen = set(calls), 0
    while waiting:
        done, waiting = wait(waiting, timeout=POLL)
        seen = _report(progress, seen)
        for call in done:
            if isinstance(call.exception(), BrokenExecutor):
                raise TrainingError(LOST) from None
            call.result()
    result = calls[0].result()
    if result is None:
        raise TrainingError(LOST)
    return result


def _report(progress: Path, seen: int) -> int:
    """Report the epochs after the first ``seen``; return how many there are."""
    lines = progress.read_text(encoding="utf-8").splitlines(keepends=True) if progress.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    for line in whole[seen:]:
        epoch, epochs, score = line.split()
        report_epoch(int(epoch), int(epochs), float(score))
    return len(whole)


def _train_rank(rank: int, encode: Path, encoding: Encoding, training: Training, seed: int, folder: Path) -> Pretrained | None:
    """Train as one rank; return the result of the first, on the CPU."""

    def note(epoch: int, epochs: int, score: float) -> None:
        with (folder / "progress").open("a", encoding="utf-8") as file:
            file.write(f"{epoch} {epochs} {score}\n")

    with joined_ranks(rank, training.processes, folder / "meeting", device_of(training)) as ranks:
        trained = _trained(encode, encoding, training, seed, None if rank else note, ranks)
    if rank:
        return None
    anchor = Anchor(plain(trained.anchor.parameters), plain(trained.anchor.fisher))
    return replace(trained, model=trained.model.cpu(), anchor=anchor)


def _trained(
    encode: Path, encoding: Encoding, training: Training, seed: int, on_epoch: OnEpoch | None, ranks: Ranks | None
) -> Pretrained:
    rows = encoded_rows(encode)
    majority = ~rows["event"]
    with one_thread():
        return pretrain_majority(
            encoding,
            rows["rows"][majority].to(device_of(training)),
            rows["group"][majority].numpy(),
            training,
            seed=seed,
            on_epoch=on_epoch,
            ranks=ranks,
        )
