"""`leakseg listen`: receive studies, analyse them, send results back, until interrupted."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from leakseg.cli.network import LOOPBACK, Aet, Host, Port, TlsCa, TlsCert, TlsKey, check_extra

if TYPE_CHECKING:
    from leakseg.case import CaseOutcome
    from leakseg.config import AnalysisConfig

_LOCK = ".listen.lock"


def listen(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for the results: new, or earlier.")],
    allow: Annotated[
        list[str], typer.Option("--allow", metavar="AET", help="An AE title that may call (may be repeated).")
    ],
    aet: Aet = "LEAKSEG",
    port: Port = 11112,
    host: Host = LOOPBACK,
    returns: Annotated[
        str | None, typer.Option("--return", metavar="AET@HOST:PORT", help="Where SEG, SR and key images go.")
    ] = None,
    pipeline: Annotated[Path | None, typer.Option("--pipeline", metavar="FILE.toml", help="A recipe.")] = None,
    quiet_seconds: Annotated[
        float | None,
        typer.Option("--quiet-seconds", metavar="S", min=0.1, help="A study quiet for so long is whole; default: 60."),
    ] = None,
    keep_received: Annotated[
        float | None,
        typer.Option(
            "--keep-received", metavar="HOURS", min=0, help="How long images stay when done; inf: ever; default: 24."
        ),
    ] = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
    as_json: Annotated[bool, typer.Option("--json", help="At the end one JSON document on stdout.")] = False,
) -> int:
    """Receive CT studies from a PACS, analyse each when it is whole, send results back."""
    check_extra()
    from leakseg.config import load_config
    from leakseg.criteria.transfer import TransferCriteria
    from leakseg.pacs.listener import Setting, Tally
    from leakseg.pacs.listener import listen as listen_at
    from leakseg.pacs.peers import Peer, TlsFiles, checked_title, parse_peer

    criteria = TransferCriteria()
    setting = Setting(
        me=Peer(checked_title(aet), host, port),
        callers=tuple(checked_title(title) for title in allow),
        out=out,
        returns=None if returns is None else parse_peer(returns),
        tls=TlsFiles(tls_cert, tls_key, tls_ca),
        criteria=replace(
            criteria,
            quiet_s=criteria.quiet_s if quiet_seconds is None else quiet_seconds,
            keep_h=criteria.keep_h if keep_received is None else keep_received,
        ),
    )
    config = load_config(pipeline, {"workers": 1})
    tally = Tally()
    with _alone(out, config), _logging(), _Bench(out, config) as bench:
        try:
            listen_at(setting, bench.analyse, tally)
        except KeyboardInterrupt:
            bench.stop()
    if as_json:
        sys.stdout.write(json.dumps(asdict(tally), indent=2) + "\n")
    return 0


def analyse_study(folder: Path, out: Path, config: AnalysisConfig) -> tuple[CaseOutcome, ...]:
    """Run the main job on one study; its cases join those that OUT holds."""
    from leakseg.batch.job import Job, run_job

    return run_job(Job(scans=(folder,), out=out, config=config, beside=True), _Silent()).outcomes


class _Bench:
    """Where studies are analysed: a process apart, begun when needed and begun anew when it died."""

    def __init__(self, out: Path, config: AnalysisConfig) -> None:
        self._work = partial(analyse_study, out=out, config=config)
        self._executor: Executor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def analyse(self, folder: Path) -> Future[tuple[CaseOutcome, ...]]:
        """Begin the analysis of a study."""
        try:
            return self._started().submit(self._work, folder)
        except BrokenExecutor:
            self.stop()
            return self._started().submit(self._work, folder)

    def stop(self) -> None:
        """End the process, whatever it does: what it began is begun again next time."""
        if self._executor is not None:
            self._executor.__exit__(KeyboardInterrupt, None, None)  # as an interrupted batch leaves it: at once
            self._executor = None

    def _started(self) -> Executor:
        from leakseg.batch.executors import processes

        if self._executor is None:
            self._executor = processes(1)
        return self._executor


class _Silent:
    """Watches a job and says nothing: the listener tells of the outcomes."""

    def found(self, cases: int) -> None:
        """So many cases."""

    def ended(self, outcome: CaseOutcome) -> None:
        """One ended."""


@contextmanager
def _alone(out: Path, config: AnalysisConfig) -> Iterator[None]:
    """Make OUT ours and keep other listeners from it.

    Raises
    ------
    ConfigError
        Where OUT cannot be used, or another listener uses it.
    """
    from filelock import FileLock, Timeout

    from leakseg.batch.job import Job, run_job
    from leakseg.errors import ConfigError

    run_job(Job(scans=(), out=out, config=config, beside=True), _Silent())
    try:
        with FileLock(out / _LOCK, timeout=0):
            yield
    except Timeout:
        raise ConfigError(f"Another listener is writing to {out}; stop it or choose another folder.") from None


@contextmanager
def _logging() -> Iterator[None]:
    """Lines with the time on stderr; of our own messages only, for a library's may hold a patient's data."""
    log = logging.getLogger("leakseg.pacs")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    level, log.propagate = log.level, False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = True
