"""Results on their way to the PACS: kept on disk until it says that it has them.

``<outbox>/<time>-<case_id>/`` holds the objects of one result that are not accepted yet.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from leakseg.dicom_series import quiet
from leakseg.pacs.captures import SEG_NAME, SR_NAME, captures
from leakseg.pacs.peers import Peer, TlsFiles, client_tls
from leakseg.pacs.reception import at_once, entity

LOG = logging.getLogger("leakseg.pacs")
_PART = ".part-"
_UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 600.0


class Outbox:
    """Results waiting to be sent, oldest first; one thread sends, any may add."""

    def __init__(self, folder: Path, me: str, peer: Peer, tls: TlsFiles) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._me, self._peer, self._tls = me, peer, client_tls(tls)
        self._attempts: dict[str, tuple[int, float]] = {}
        for path in folder.glob(f"{_PART}*"):
            shutil.rmtree(path, ignore_errors=True)

    def add(self, case: Path) -> None:
        """Put a case's SEG, SR and key images in; nothing where it has none.

        Raises
        ------
        OSError
            Where the disk does not take them; nothing is left behind.
        """
        part = self.folder / f"{_PART}{secrets.token_hex(8)}"
        try:
            part.mkdir(mode=0o700)
            for name in (SEG_NAME, SR_NAME):
                if (case / name).is_file():
                    shutil.copyfile(case / name, part / name)
            for capture in captures(case):
                capture.save_as(part / f"key-image-{int(capture.InstanceNumber):03d}.dcm")
            written = list(part.iterdir())
            for path in written:
                path.chmod(0o600)
                _to_disk(path)
            if written:
                part.rename(self.folder / f"{time.time_ns():020d}-{case.name}")
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def waiting(self) -> list[Path]:
        """Results not yet accepted whole."""
        return sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))

    def holds(self, prefix: str) -> bool:
        """Whether results of a study, or of one of its cases, are waiting."""
        return any(path.name.partition("-")[2].startswith(prefix) for path in self.waiting())

    def send_due(self) -> int:
        """Try every result whose time has come; the number of objects that were accepted."""
        accepted = 0
        for entry in self.waiting():
            count, due = self._attempts.get(entry.name, (0, 0.0))
            if time.monotonic() < due:
                continue
            files = sorted(entry.iterdir())
            refusals = send(files, self._me, self._peer, self._tls)
            left = sum(path.exists() for path in files)
            accepted += len(files) - left
            if not left:
                entry.rmdir()
                self._attempts.pop(entry.name, None)
                LOG.info("%s: %d objects sent to %s.", _case(entry), len(files), self._peer)
                continue
            wait = min(_FIRST_WAIT_S * 2**count, _LONGEST_WAIT_S)
            self._attempts[entry.name] = (count + 1, time.monotonic() + wait)
            reasons = "; ".join(sorted(set(refusals)))
            LOG.warning("%s: %d objects not sent (%s); again in %.0f s.", _case(entry), left, reasons, wait)
        return accepted


def send(files: Sequence[Path], me: str, peer: Peer, tls: Any) -> list[str]:
    """Send by C-STORE and remove what was accepted; the reasons of the rest."""
    from pynetdicom import evt

    ae = entity(me)
    with quiet():
        for sop_class in sorted(set(_sop_classes(files))):
            ae.add_requested_context(sop_class, _UNCOMPRESSED)
        association = ae.associate(
            peer.host,
            peer.port,
            ae_title=peer.title,
            tls_args=None if tls is None else (tls, peer.host),
            evt_handlers=[(evt.EVT_CONN_OPEN, at_once)],
        )
        if not association.is_established:
            return ["it refuses the association" if association.is_rejected else "it cannot be reached"]
        refusals = []
        try:
            for path in files:
                refusal = _sent(association, path)
                if refusal is None:
                    path.unlink()
                else:
                    refusals.append(refusal)
        finally:
            association.release()
    return refusals


def _sent(association: Any, path: Path) -> str | None:
    """Why an object was not accepted; None where it was."""
    try:
        status = association.send_c_store(path)
    except ValueError:
        return "it does not take this kind of object"
    except RuntimeError:
        return "the connection broke off"
    if "Status" not in status:
        return "no answer"
    code = int(status.Status)
    return None if code == 0 or code & 0xF000 == 0xB000 else f"status 0x{code:04X}"


def _sop_classes(files: Iterable[Path]) -> Iterable[str]:
    import pydicom

    for path in files:
        yield str(pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True).SOPClassUID)


def _case(entry: Path) -> str:
    return entry.name.partition("-")[2]


def _to_disk(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
