"""The cases handed to a running Dask cluster; nothing else in the package knows of Dask.

The workers need the same leakseg, and storage on which SCANS, the masks and OUT have the same paths as
here. A worker that is killed costs nothing: the scheduler gives its case to another one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import leakseg
from leakseg.batch.executors import one_thread_each
from leakseg.errors import ConfigError, LeaksegError

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = "10s"
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?(\[[0-9a-fA-F:.]+\]|[^\s/:]+):\d{1,5}/?")
_AT_LEAST_IN_FLIGHT = 256
"""Cases handed over at a time: enough for a cluster that grows, few enough for the scheduler's memory."""
_SAME = ("python", "dask", "distributed")


def cluster(address: str) -> Executor:
    """An executor whose work is done by the workers of the Dask scheduler at that address.

    Leaving it by an exception takes back what no worker has begun; a case that one works on is ended there,
    and done again by the next run.

    Raises
    ------
    ConfigError
        Where Dask is not installed here, nothing answers there, or another Dask or Python does.
    """
    try:
        import distributed
    except ImportError:
        raise ConfigError('--scheduler needs Dask, which is not installed: pip install "leakseg[dask]".') from None
    _hush()
    connect: Any = distributed.Client
    nobody = ConfigError(
        f"No Dask scheduler answers at '{address}'; start one with `dask scheduler` "
        "and give the address it prints, such as tcp://host:8786."
    )
    if not _ADDRESS.fullmatch(address):
        raise nobody
    try:
        client: Any = connect(address, timeout=_PATIENCE, set_as_default=False, name="leakseg")
    except (OSError, ValueError, RuntimeError):
        raise nobody from None
    try:
        _check(client)
    except BaseException:
        client.close()
        raise
    return _Cluster(client)


def cases_in_flight(address: str) -> int:
    """How many cases to hand over at a time; as the cluster is there, its address is checked by this too.

    Raises
    ------
    ConfigError
        As `cluster`.
    """
    with cluster(address) as there:
        assert isinstance(there, _Cluster)
        return max(_AT_LEAST_IN_FLIGHT, 2 * there.threads)


class _Cluster(Executor):
    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)

    @property
    def threads(self) -> int:
        return int(sum(self._client.nthreads().values()))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        told: Future[T] = Future()
        sent = self._executor.submit(_on_worker, leakseg.__version__, fn, args, kwargs)
        sent.add_done_callback(lambda done: _tell(done, told))
        told.add_done_callback(lambda done: sent.cancel() if done.cancelled() else None)
        return told

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._executor.shutdown(wait=kind is None)
        self._client.close()
        return None


def _on_worker(version: str, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    """Work on one case in a worker of the cluster, which must be of the sender's version."""
    if leakseg.__version__ != version:
        raise ConfigError(
            f"A worker of the cluster has leakseg {leakseg.__version__} where this command is {version}: "
            "install the same version for both."
        )
    one_thread_each()
    return fn(*args, **kwargs)


def _tell(done: Future[T], told: Future[T]) -> None:
    """Hand on how it ended; workers that died and a scheduler that left are a broken executor."""
    if not told.set_running_or_notify_cancel():
        return
    error = None if done.cancelled() else done.exception()
    if done.cancelled():
        told.set_exception(BrokenExecutor("the scheduler has let go of it"))
    elif error is None:
        told.set_result(done.result())
    elif type(error).__name__ == "KilledWorker":
        told.set_exception(BrokenExecutor("its workers died"))
    elif isinstance(error, LeaksegError):
        told.set_exception(error)
    else:
        told.set_exception(
            ConfigError(
                f"The cluster could not take a case ({type(error).__name__}): install the same leakseg, Python and "
                "Dask for this command, the scheduler and the workers."
            )
        )


def _check(client: Any) -> None:
    """Whether scheduler and workers are of our kind, as far as they are there already."""
    versions = client.get_versions(check=False)
    ours = versions["client"]
    theirs = [("scheduler", versions["scheduler"]), *(("worker", one) for one in versions["workers"].values())]
    for who, told in theirs:
        for name in _SAME:
            here, there = (_plain(one["packages"].get(name)) for one in (ours, told))
            if here != there:
                raise ConfigError(f"The cluster's {who} has {name} {there} where this command has {here}: use one.")
    if any(threads > 1 for threads in client.nthreads().values()):
        raise ConfigError(
            "The cluster's workers run several tasks in one process, which the imaging libraries do not stand; "
            "start them with --nthreads 1, and more of them (--nworkers)."
        )


def _hush() -> None:
    """Keep Dask's own loggers, each with a level of its own, from telling what is told here in one sentence."""
    for name in ("distributed", *(one for one in logging.root.manager.loggerDict if one.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _plain(version: str | None) -> str:
    """The first two numbers of a version: 3.11.9.final.0 and 3.11.4 are one to us."""
    return ".".join((version or "none").split(".")[:2])
