"""Where the work is done: in this process, or in processes of this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


def serial() -> Executor:
    """Works in this process, at once: for debugging, and where processes cannot be had."""
    return _Serial()


def processes(workers: int) -> Executor:
    """Worker processes on this machine, each with one thread unless the environment says otherwise.

    Leaving the executor by an exception, Ctrl-C among them, ends the workers at once. Workers end
    by themselves when their parent is gone.
    """
    one_thread_each()
    context = multiprocessing.get_context("forkserver" if "forkserver" in _start_methods() else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["leakseg.case", "leakseg.analysis"])
    return _Processes(workers, mp_context=context, initializer=_begin_worker)


def one_thread_each() -> None:
    """Have numerical libraries that load from now on use one thread, unless the environment says otherwise."""
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")


def default_workers() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Serial(Executor):
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Processes(ProcessPoolExecutor):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            for process in list((self._processes or {}).values()):
                process.terminate()
            self.shutdown(wait=True, cancel_futures=True)
        return super().__exit__(kind, error, traceback)


def _start_methods() -> list[str]:
    return multiprocessing.get_all_start_methods()


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    with contextlib.suppress(OSError):
        wait([sentinel])
        os._exit(1)
