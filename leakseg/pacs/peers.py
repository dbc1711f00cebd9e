"""Who is who on a DICOM network: application entities by title and address, and TLS between them."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leakseg.errors import ConfigError

_PEER = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]@]+):(?P<port>\d+)")


@dataclass(frozen=True)
class Peer:
    """An application entity and where it listens."""

    title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: one's own certificate and its key, and the authority that vouches for the others."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    @property
    def used(self) -> bool:
        """Whether connections are to be encrypted."""
        return any((self.certificate, self.key, self.authority))


def parse_peer(text: str) -> Peer:
    """The peer written as ``AET@HOST:PORT``.

    Raises
    ------
    ConfigError
        Where it is written otherwise.

    Examples
    --------
    >>> parse_peer("PACS@pacs.example:104")
    Peer(title='PACS', host='pacs.example', port=104)
    """
    match = _PEER.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(f"'{text}' is not of the form AET@HOST:PORT, such as PACS@192.0.2.7:104.")
    return Peer(checked_title(match["title"]), match["host"].strip("[]"), int(match["port"]))


def checked_title(text: str) -> str:
    r"""The AE title, where it is one (PS3.5 6.2): 1 to 16 printable ASCII characters, no backslash.

    Raises
    ------
    ConfigError
        Where it is none.
    """
    title = text.strip(" ")
    if not (0 < len(title) <= 16 and title.isascii() and title.isprintable() and "\\" not in title):
        raise ConfigError(f"'{text}' is no AE title: 1 to 16 ASCII characters, without a backslash.")
    return title


def server_tls(files: TlsFiles) -> ssl.SSLContext | None:
    """TLS for those who call; with an authority given, they must show a certificate of it.

    Raises
    ------
    ConfigError
        Where certificate or key is missing or unreadable.
    """
    if not files.used:
        return None
    if files.certificate is None or files.key is None:
        raise ConfigError("To receive by TLS give both --tls-cert and --tls-key.")
    context = _LateHandshake(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, files)
    if files.authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(files: TlsFiles) -> ssl.SSLContext | None:
    """TLS for calling others; they must show a certificate of the authority, or of one the system trusts.

    Raises
    ------
    ConfigError
        Where a file is unreadable.
    """
    if not files.used:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.authority is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    _load(context, files)
    return context


class _LateHandshake(ssl.SSLContext):
    """Shakes hands when the first bytes are read, in the thread of that one caller: a silent one keeps no other out."""

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **choices: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *arguments, **{**choices, "do_handshake_on_connect": False})


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        if files.certificate is not None:
            context.load_cert_chain(files.certificate, files.key)
        if files.authority is not None:
            context.load_verify_locations(files.authority)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error.__class__.__name__
        raise ConfigError(f"The TLS certificate, key or authority cannot be used ({reason}): give PEM files.") from None
