"""Work on many requests over any `concurrent.futures.Executor`; a worker that dies costs one request."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from itertools import chain, islice
from typing import TypeAlias, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")
MakeExecutor: TypeAlias = Callable[[], Executor]
"""Called for a fresh executor: at the start, after a worker died, and when the last one has done its share."""


def run_batch(
    requests: Iterable[Request],
    work: Callable[[Request], Result],
    make_executor: MakeExecutor,
    *,
    in_flight: int,
    lost: Callable[[Request], Result],
    share: int = 500,
) -> Generator[Result, None, None]:
    """Results in the order they become ready.

    A worker that dies (killed, out of memory, crashed in native code) breaks its whole executor and does
    not say over which request. All that were in flight are therefore suspects: each is run again, alone,
    on an executor of its own; one that breaks that too is the culprit.

    Parameters
    ----------
    requests
        Taken as they are needed, never more than ``in_flight`` ahead.
    work
        Called in the executor; its exceptions, other than a dead worker, pass through.
    in_flight
        Requests submitted at a time.
    lost
        The result of a request whose worker died twice.
    share
        Requests an executor works on before it is replaced, so that what native libraries leak stays bounded.
    """
    waiting = iter(requests)
    for first in waiting:
        suspects: list[Request] = []
        with make_executor() as executor:
            part = islice(chain([first], waiting), share)
            yield from _run_on(executor, part, work, in_flight, suspects)
        for suspect in suspects:
            yield _run_alone(suspect, work, make_executor, lost)


def _run_on(
    executor: Executor,
    requests: Iterator[Request],
    work: Callable[[Request], Result],
    in_flight: int,
    suspects: list[Request],
) -> Iterator[Result]:
    """Results until the requests end or the executor breaks; then ``suspects`` holds what was in flight."""
    running: dict[Future[Result], Request] = {}
    try:
        while True:
            while not suspects and len(running) < in_flight and (request := next(requests, None)) is not None:
                try:
                    running[executor.submit(work, request)] = request
                except BrokenExecutor:
                    suspects.append(request)
            if not running:
                return
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                request = running.pop(future)
                if isinstance(future.exception(), BrokenExecutor):
                    suspects.append(request)
                else:
                    yield future.result()
    finally:
        for future in running:
            future.cancel()


def _run_alone(
    request: Request, work: Callable[[Request], Result], make_executor: MakeExecutor, lost: Callable[[Request], Result]
) -> Result:
    with make_executor() as executor:
        try:
            return executor.submit(work, request).result()
        except BrokenExecutor:
            return lost(request)
