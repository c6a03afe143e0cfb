"""Run calls in worker processes of this machine, which never outlive this one.

The standard library's process pool is not used: its workers stay behind when this process is killed, it has no public way to
end them in the middle of a call, and each of them first imports the program that started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

from mgvae.cost import Used, used, workers_used
from mgvae.errors import MGVAEError
from mgvae.memory import give_back_memory

T = TypeVar("T")
Waiting = tuple[Future[Any], Any, list[Used]]  # a call, and where to note what the worker used for it
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
AROSE = "arose"  # attribute of an error that says where it arose in a worker
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from mgvae.evaluation.parallel import answer_calls; answer_calls(int(sys.argv[1]))"
)


class StoppedError(MGVAEError):
    """The pool was given up in the middle of a call, because something else failed."""


class ProcessPool(Executor):
    """Worker processes, each started on demand and served by a thread.

    A worker lives while the connection to this process is open: however this process ends, the workers end with it, also in
    the middle of a call. Its thread starts it, which no signal handler interrupts; SIGINT and SIGTERM are blocked in both, so
    that they reach the main thread, even where it sleeps, and Ctrl-C at a terminal leaves the workers to this process.
    Leaving a ``with`` block by an exception ends the workers.

    Args:
        max_workers: most processes at a time.
        counted: whether what workers use counts for who calls them with each answer, see `mgvae.cost.counting_workers`, not
            only when they end.
    """

    def __init__(self, max_workers: int, *, counted: bool = False) -> None:
        self._max_workers, self._counted = max_workers, counted
        self._calls: deque[Waiting] = deque()
        self._waiting: SimpleQueue[bool] = SimpleQueue()  # True for each call, False where there are no more
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closed = self._stopped = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in a worker; see `concurrent.futures.Executor.submit`.

        The future raises what ``fn`` raised, or BrokenExecutor where its worker died.
        """
        return self._submit(self._calls.append, (fn, args, kwargs))

    def submit_next(self, fn: Callable[..., T], /, *args: Any) -> Future[T]:
        """Call a function before all calls that wait; see `submit`."""
        return self._submit(self._calls.appendleft, (fn, args, {}))

    def _submit(self, add: Callable[[Waiting], None], call: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise BrokenExecutor("The pool must be open; it was shut down.")
            add((future, call, workers_used() if self._counted else []))
            self._waiting.put(True)
            if len(self._threads) < self._max_workers:
                self._threads.append(started_thread(self._serve, "worker process"))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers after their calls; if not ``wait``, end all calls now."""
        with self._lock:
            self._closed, self._stopped = True, self._stopped or not wait
            with suppress(Empty):
                while cancel_futures or self._stopped:
                    if self._waiting.get_nowait():
                        self._calls.popleft()[0].cancel()
            for process in self._processes if self._stopped else ():
                process.kill()
            self._waiting.put(False)
        for thread in self._threads:
            thread.join()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown(wait=kind is None)

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Raise `StoppedError` in place of what follows where the pool was given up while the block works."""
        try:
            yield
        except (BrokenExecutor, CancelledError):
            if self._stopped:
                raise StoppedError("This was stopped in the middle, because something beside it failed.") from None
            raise

    def _serve(self) -> None:
        """Pass calls on to a worker until there are no more."""
        worker: tuple[subprocess.Popen[bytes], Connection] | None = None
        while self._waiting.get():
            future, call, used_for_it = self._calls.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                worker = worker or self._start()
                worker[1].send(call)
                succeeded, value = worker[1].recv()
                used_for_it.append(worker[1].recv())
            except (EOFError, ConnectionError):
                _end(worker)
                worker = None
                future.set_exception(BrokenExecutor("A worker process must live until its call ends; it was killed."))
            except Exception as error:  # the call or its result cannot be pickled, or no process can be started
                future.set_exception(error)
            else:
                future.set_result(value) if succeeded else future.set_exception(value)
            del future, call  # rows need not wait in memory for the next call
        self._waiting.put(False)  # for the next thread: a signal may have come before the last one was counted
        _end(worker)

    def _start(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = Pipe()
        with self._lock, theirs:  # shutdown comes either before the start, or finds the process
            if self._stopped:
                raise BrokenExecutor("The pool must be open; it was shut down.")
            command = [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), json.dumps(sys.path)]
            process = subprocess.Popen(  # noqa: S603 - this interpreter
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
            self._processes.append(process)
        return process, ours


def answer_calls(descriptor: int) -> None:
    """Answer the calls that come over a connection until it closes, as a worker.

    Args:
        descriptor: file descriptor of the connection.
    """
    if sys.platform == "linux":  # also while a call keeps the thread below from running
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    connection, calls = Connection(descriptor), SimpleQueue[bytes]()

    def receive() -> None:
        try:
            while True:
                calls.put(connection.recv_bytes())
        finally:  # the other side closed it or is dead; nobody waits for the call at work
            os._exit(0)

    threading.Thread(target=receive, daemon=True).start()
    before = Used()
    while True:
        connection.send_bytes(_answer(calls.get()))
        give_back_memory()
        connection.send((now := used()) - before)
        before = now


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def started_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a thread with SIGINT and SIGTERM blocked from the beginning."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread


def _answer(call: bytes) -> bytes:
    """Return the pickle of (whether the call succeeded, its result or its error)."""
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - written by the process that started this one
        return pickle.dumps((True, function(*args, **kwargs)))
    except Exception as error:
        if not isinstance(error, MGVAEError):
            error.add_note(traceback.format_exc())  # for --debug: the traceback itself does not travel
            last = traceback.extract_tb(error.__traceback__)[-1]
            error.__dict__[AROSE] = f"{Path(last.filename).name}, line {last.lineno}"
        try:
            return pickle.dumps((False, error))
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__} in a worker process")))


def _end(worker: tuple[subprocess.Popen[bytes], Connection] | None) -> None:
    if worker is not None:
        worker[1].close()
        worker[0].wait()
