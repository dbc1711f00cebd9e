"""The listener's desk: which study is quiet, which is analysed, what is sent, what may go.

Receiving goes on in threads of the server, sending in a thread of its own, analysis in another process.
All that must outlive a crash stands in the inbox and the outbox.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from leakseg.case import CaseOutcome
from leakseg.criteria.transfer import TransferCriteria
from leakseg.errors import ConfigError, LeaksegError
from leakseg.pacs.inbox import Inbox
from leakseg.pacs.instances import Instance
from leakseg.pacs.outbox import Outbox
from leakseg.pacs.peers import Peer, TlsFiles
from leakseg.pacs.reception import receiving

LOG = logging.getLogger("leakseg.pacs")
Analyse: TypeAlias = Callable[[Path], "Future[tuple[CaseOutcome, ...]]"]
"""Begins the analysis of a study's folder in another process; its cases' results go to the OUT."""
INBOX, OUTBOX = "inbox", "outbox"
_TICK_S, _CLEAN_EVERY_S, _SEND_EVERY_S, _SEND_FAILED_S = 0.25, 5.0, 1.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where to listen and for whom, where results go, and when."""

    me: Peer
    callers: tuple[str, ...]
    out: Path
    returns: Peer | None = None
    tls: TlsFiles = field(default_factory=TlsFiles)
    criteria: TransferCriteria = field(default_factory=TransferCriteria)


@dataclass
class Tally:
    """What a listener did in its life; JSON-ready by `dataclasses.asdict`."""

    received: int = 0
    studies: int = 0
    cases: dict[str, int] = field(default_factory=dict)
    sent: int = 0


def listen(setting: Setting, analyse: Analyse, tally: Tally) -> None:
    """Listen until interrupted (`KeyboardInterrupt`).

    Raises
    ------
    ConfigError
        Where the address or the TLS files cannot be used.
    OSError
        Where inbox or outbox cannot be made.
    """
    inbox = Inbox(setting.out / INBOX)
    peer = setting.returns
    outbox = None if peer is None else Outbox(setting.out / OUTBOX, setting.me.title, peer, setting.tls)
    desk = _Desk(setting, inbox, outbox, analyse, tally)
    ended = threading.Event()
    sender = threading.Thread(target=_send, args=(outbox, tally, ended), daemon=True)
    with receiving(setting.me, setting.callers, desk.take, setting.tls) as port:
        LOG.info("%s listens on %s:%d.", setting.me.title, setting.me.host, port)
        sender.start()
        try:
            desk.work()
        finally:
            ended.set()


class _Desk:
    """What is pending in memory; what is done on disk."""

    def __init__(self, setting: Setting, inbox: Inbox, outbox: Outbox | None, analyse: Analyse, tally: Tally) -> None:
        self._setting, self._inbox, self._outbox = setting, inbox, outbox
        self._analyse, self._tally = analyse, tally
        self._lock = threading.Lock()
        self._quiet_from: dict[str, float] = {}
        self._attempts: dict[str, int] = {}
        left_over = [study for study in inbox.studies() if not inbox.is_done(study)]
        for study in left_over:
            self._wait(study)
        if left_over:
            LOG.info("Going on with studies received before: %d.", len(left_over))

    def take(self, instance: Instance) -> None:
        """Keep one instance; its study is pending from now on."""
        study, new = self._inbox.keep(instance.data, study_uid=instance.study_uid, instance_uid=instance.instance_uid)
        with self._lock:
            self._tally.received += 1
            if new:
                self._attempts.pop(study, None)
            if new or study in self._quiet_from or not self._inbox.is_done(study):
                self._quiet_from[study] = time.monotonic() + self._setting.criteria.quiet_s

    def work(self) -> None:
        """Analyse study after study as they go quiet; never returns."""
        clean_at = time.monotonic()
        while True:
            study = self._quiet_study()
            if study is not None:
                self._work_on(study)
            elif time.monotonic() >= clean_at:
                self._clean()
                clean_at = time.monotonic() + _CLEAN_EVERY_S
            else:
                time.sleep(_TICK_S)

    def _wait(self, study: str) -> None:
        with self._lock:
            self._quiet_from.setdefault(study, time.monotonic() + self._setting.criteria.quiet_s)

    def _quiet_study(self) -> str | None:
        """The study that has been quiet the longest, taken off the list."""
        with self._lock:
            study = min(self._quiet_from, key=self._quiet_from.__getitem__, default=None)
            if study is None or self._quiet_from[study] > time.monotonic():
                return None
            del self._quiet_from[study]
            return study

    def _work_on(self, study: str) -> None:
        try:
            state = self._inbox.state(study)
            LOG.info("%s is quiet; analysing.", study)
            outcomes = self._analyse(self._inbox.folder / study).result()
            if not outcomes:
                LOG.info("%s: no CT to analyse.", study)
            for one in outcomes:
                LOG.info("%s: %s%s", one.case_id, one.status, f": {one.reason}" if one.reason else ".")
            failed = any(one.status == "failed" for one in outcomes)
            if not failed or self._is_last(study):
                self._publish(study, state, outcomes)
                return
        except ConfigError as error:
            # The results folder is in use by another run: that passes, and counts as no attempt.
            LOG.warning("%s waits: %s", study, error)
            self._wait(study)
            return
        except LeaksegError as error:
            LOG.warning("%s was not analysed: %s", study, error)
        except OSError as error:
            LOG.warning("%s was not analysed: %s.", study, error.strerror or type(error).__name__)
        except Exception as error:
            # Whatever befalls one study: receiving and the other studies go on.
            LOG.warning("%s was not analysed: %s.", study, type(error).__name__)
        self._again(study)

    def _publish(self, study: str, state: str, outcomes: tuple[CaseOutcome, ...]) -> None:
        """Results into the outbox first, and only then is the study done: a crash between sends them twice."""
        for one in outcomes:
            self._tally.cases[one.status] = self._tally.cases.get(one.status, 0) + 1
            if self._outbox is not None and one.status in {"done", "skipped"}:
                self._outbox.add(self._setting.out / one.case_id)
        if not any(one.status == "failed" for one in outcomes):
            self._inbox.set_done(study, state)
        self._tally.studies += 1
        self._attempts.pop(study, None)

    def _is_last(self, study: str) -> bool:
        return self._attempts.get(study, 0) + 1 >= self._setting.criteria.attempts

    def _again(self, study: str) -> None:
        if self._is_last(study):
            LOG.error("%s is left until more of it comes or leakseg is started again.", study)
            return
        self._attempts[study] = self._attempts.get(study, 0) + 1
        self._wait(study)

    def _clean(self) -> None:
        """Remove studies that were done long enough ago and whose results are sent."""
        for study in list(self._inbox.studies()):
            age_s = self._inbox.done_since(study)
            if age_s is None or age_s < self._setting.criteria.keep_h * 3600:
                continue
            if self._outbox is not None and self._outbox.holds(study):
                continue
            if self._inbox.remove(study):
                LOG.info("%s: received images removed.", study)


def _send(outbox: Outbox | None, tally: Tally, ended: threading.Event) -> None:
    while outbox is not None and not ended.wait(_SEND_EVERY_S):
        try:
            tally.sent += outbox.send_due()
        except Exception as error:
            # A disk or a peer in trouble: what was not sent is still there, and is tried again.
            LOG.warning("Sending failed: %s.", type(error).__name__)
            ended.wait(_SEND_FAILED_S)
