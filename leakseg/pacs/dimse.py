"""An archive by C-FIND and C-MOVE (PS3.4 Annex C): it sends what is asked for to a storage SCP of our own."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from leakseg.dicom_series import quiet
from leakseg.errors import InputError
from leakseg.pacs.fetching import WANTED, Asked, RefusedError
from leakseg.pacs.instances import Instance
from leakseg.pacs.peers import Peer, TlsFiles, client_tls
from leakseg.pacs.reception import at_once, entity, receiving

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_PENDING = frozenset({0xFF00, 0xFF01})
_REASONS = {
    0xA801: "it does not know where to send: register our AE title with this host and port there",
    0xA701: "it is out of resources",
    0xA702: "it could not send the images: is our port reachable from there, and its AE title allowed?",
    0x0124: "we are not authorised",
}


@dataclass(frozen=True)
class _Series:
    uid: str
    modality: str


@contextmanager
def dimse_archive(me: Peer, peer: Peer, callers: tuple[str, ...], tls: TlsFiles) -> Iterator[DimseArchive]:
    """The archive, with our own storage SCP listening for what it sends.

    Parameters
    ----------
    callers
        AE titles that may send to us besides the archive's own.
    """
    arrived: queue.SimpleQueue[Instance] = queue.SimpleQueue()
    with receiving(me, (peer.title, *callers), arrived.put, tls):
        yield DimseArchive(me, peer, tls, arrived)


class DimseArchive:
    """A query/retrieve SCP, and the queue into which our storage SCP puts what it sends."""

    def __init__(self, me: Peer, peer: Peer, tls: TlsFiles, arrived: queue.SimpleQueue[Instance]) -> None:
        self._me, self._peer, self._tls, self._arrived = me, peer, client_tls(tls), arrived

    def find(self, asked: Asked) -> list[str]:
        """UIDs of the studies that are meant; an archive that answers with others is not believed."""
        key = "StudyInstanceUID" if asked.is_uid else "AccessionNumber"
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "AccessionNumber": "", key: asked.value}
        found = [(_text(one, key), _text(one, "StudyInstanceUID")) for one in self._find(keys)]
        return list(dict.fromkeys(uid for value, uid in found if value == asked.value and uid))

    def fetch(self, study_uid: str) -> Iterator[Instance]:
        """Every instance of the study's CT and SEG series."""
        for series in self._series(study_uid):
            if series.modality in WANTED:
                yield from self._move(study_uid, series.uid)

    def _series(self, study_uid: str) -> list[_Series]:
        keys = {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study_uid, "SeriesInstanceUID": "", "Modality": ""}
        return [_Series(_text(one, "SeriesInstanceUID"), _text(one, "Modality")) for one in self._find(keys)]

    def _find(self, keys: dict[str, str]) -> list[Any]:
        with self._association(_FIND) as association:
            answers = list(association.send_c_find(_dataset(keys), _FIND))
        _check(answers[-1][0] if answers else None, "query")
        return [identifier for status, identifier in answers if _code(status) in _PENDING and identifier is not None]

    def _move(self, study_uid: str, series_uid: str) -> Iterator[Instance]:
        keys = {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        status: Any = None
        count = 0
        with self._association(_MOVE) as association:
            for answer in association.send_c_move(_dataset(keys), self._me.title, _MOVE):
                status = answer[0]
                for instance in self._drained():
                    count += 1
                    yield instance
        for instance in self._drained():
            count += 1
            yield instance
        _check(status, "retrieval")
        if count < int(status.get("NumberOfCompletedSuboperations") or 0):
            raise InputError(f"Only {count} of the images that the archive sent came here.")

    def _drained(self) -> Iterator[Instance]:
        while not self._arrived.empty():
            yield self._arrived.get()

    @contextmanager
    def _association(self, sop_class: str) -> Iterator[Any]:
        from pynetdicom import evt

        ae = entity(self._me.title)
        ae.add_requested_context(sop_class)
        with ExitStack() as held:
            held.enter_context(quiet())
            association = ae.associate(
                self._peer.host,
                self._peer.port,
                ae_title=self._peer.title,
                tls_args=None if self._tls is None else (self._tls, self._peer.host),
                evt_handlers=[(evt.EVT_CONN_OPEN, at_once)],
            )
            if association.is_rejected:
                raise RefusedError(f"{self._peer.title} refuses the association: is our AE title known there?")
            if not association.is_established:
                raise InputError(f"{self._peer.title} cannot be reached.")
            held.callback(association.release)
            yield association


def _check(status: Any, what: str) -> None:
    """Whether the last answer says that all went well; warnings are images that were not sent."""
    code = _code(status)
    if code == 0:
        return
    if code is None:
        raise InputError(f"The archive did not answer the {what}: is our AE title known there?")
    failed = int(status.get("NumberOfFailedSuboperations") or 0)
    if code == 0xB000 or failed:
        raise InputError(f"{failed} images could not be sent here; the study is not whole.")
    raise RefusedError(f"The archive refuses the {what}: {_REASONS.get(code, f'status 0x{code:04X}')}.")


def _code(status: Any) -> int | None:
    return int(status.Status) if status is not None and "Status" in status else None


def _text(dataset: Any, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip(" \0")


def _dataset(values: dict[str, str]) -> Any:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
