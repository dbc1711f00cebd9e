"""The storage SCP: answers C-ECHO, takes CT and SEG by C-STORE, and says success only of what is on disk.

References: PS3.4 Annex B (Storage), PS3.4 Annex A (Verification), PS3.7 9.1.1 (status codes).
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leakseg.errors import ConfigError
from leakseg.pacs.instances import Instance, read_instance
from leakseg.pacs.peers import Peer, TlsFiles, server_tls

if TYPE_CHECKING:
    from pynetdicom import AE
    from pynetdicom.events import Event

LOG = logging.getLogger("leakseg.pacs")

SUCCESS, OUT_OF_RESOURCES, MISMATCH, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
TAKEN = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation (masks)",
}
"""Storage SOP classes that are taken; the others are refused when the association is made."""
SYNTAXES = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
)  # fmt: skip
"""Little endian (explicit, implicit, deflated), big endian, RLE, JPEG and JPEG lossless, JPEG-LS, JPEG 2000."""
_VERIFICATION = "1.2.840.10008.1.1"
_PDU_BYTES = 128 * 1024


Keep = Callable[[Instance], None]
"""Called for every instance; when it returns the instance is safe, and `OSError` means that it is not."""


@contextmanager
def receiving(me: Peer, callers: Sequence[str], keep: Keep, tls: TlsFiles) -> Iterator[int]:
    """Receive until the block is left; yields the port.

    Raises
    ------
    ConfigError
        Where the address cannot be listened on, or TLS cannot be set up.
    """
    from pynetdicom import evt

    context = server_tls(tls)
    ae = entity(me.title)
    for sop_class in TAKEN:
        ae.add_supported_context(sop_class, list(SYNTAXES))
    ae.add_supported_context(_VERIFICATION)
    ae.require_called_aet = True
    ae.require_calling_aet = list(callers)
    handlers = [
        (evt.EVT_C_ECHO, lambda _event: SUCCESS),
        (evt.EVT_C_STORE, _stored, [keep]),
        (evt.EVT_CONN_OPEN, at_once),
        (evt.EVT_REJECTED, _refused),
        (evt.EVT_ABORTED, _broken),
    ]
    try:
        server = ae.start_server((me.host, me.port), block=False, ssl_context=context, evt_handlers=handlers)  # type: ignore[arg-type]  # pynetdicom's own type leaves out handlers that take no arguments
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {me.host}:{me.port} ({error.strerror or type(error).__name__}); "
            "choose another --port or --host."
        ) from None
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        ae.shutdown()


def entity(title: str) -> AE:
    """An application entity with our time-outs and PDU size."""
    from pynetdicom import AE

    ae = AE(ae_title=title)
    ae.maximum_pdu_size = _PDU_BYTES
    ae.connection_timeout = 10
    return ae


def at_once(event: Event) -> None:
    """Send small packets at once: waiting for more costs 57 ms an instance, measured with Orthanc."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        with contextlib.suppress(OSError):
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _stored(event: Event, keep: Keep) -> int:
    try:
        instance = read_instance(event.encoded_dataset())
    except Exception as error:
        # Whatever bytes came: the sender is told that they are no data set, and the association goes on.
        LOG.warning("An instance was refused: it cannot be decoded (%s).", type(error).__name__)
        return CANNOT_UNDERSTAND
    if not instance.study_uid:
        LOG.warning("An instance was refused: it names no study.")
        return CANNOT_UNDERSTAND
    request: Any = event.request
    announced = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
    if (instance.sop_class_uid, instance.instance_uid) != announced:
        LOG.warning("An instance was refused: its data set is not the one that was announced.")
        return MISMATCH
    if instance.is_our_seg:
        LOG.info("A segmentation by leakseg came back; it is passed over.")
        return SUCCESS
    try:
        keep(instance)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        LOG.warning("An instance was refused: it cannot be written (%s).", reason)
        return OUT_OF_RESOURCES
    return SUCCESS


def _refused(event: Event) -> None:
    LOG.warning("Refused the association of %r: unknown, or calling another title.", event.assoc.requestor.ae_title)


def _broken(event: Event) -> None:
    LOG.warning("The association of %r broke off; what was accepted is kept.", event.assoc.requestor.ae_title)
