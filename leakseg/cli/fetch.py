"""`leakseg fetch`: studies from an archive into a folder that `leakseg run` takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leakseg.cli import EXIT_TOLD
from leakseg.cli.network import LOOPBACK, Aet, Host, Port, TlsCa, TlsCert, TlsKey, check_extra
from leakseg.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from leakseg.pacs.fetching import Archive, Fetched
    from leakseg.pacs.peers import Peer, TlsFiles

_GOT = frozenset({"fetched", "present"})


def fetch(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Folder for the studies.")],
    studies: Annotated[
        list[str] | None,
        typer.Argument(metavar="STUDIES...", help="Study UIDs or accession numbers.", show_default=False),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="AET@HOST:PORT", help="The archive, asked by C-FIND and C-MOVE.")
    ] = None,
    dicomweb: Annotated[
        str | None, typer.Option("--dicomweb", metavar="URL", help="The archive, asked by DICOMweb.")
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="A text file, one study a line.")
    ] = None,
    aet: Aet = "LEAKSEG",
    port: Port = 11112,
    host: Host = LOOPBACK,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="AET", help="Another AE title of the archive that sends (may be repeated)."),
    ] = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_ca: TlsCa = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Fetch CT studies from an archive, by C-MOVE or DICOMweb."""
    check_extra()
    from leakseg.pacs.fetching import fetch_all, read_list
    from leakseg.pacs.peers import Peer, TlsFiles, checked_title

    asked = read_list(studies or (), listed)
    me = Peer(checked_title(aet), host, port)
    tls = TlsFiles(tls_cert, tls_key, tls_ca)
    told = []
    try:
        with _archive(source, dicomweb, me, tuple(checked_title(one) for one in allow or ()), tls) as archive:
            for one in fetch_all(asked, archive, out):
                told.append(one)
                sys.stderr.write(_line(one) + "\n")
    except OSError as error:
        raise OutputError(f"The studies cannot be written: {error.strerror or type(error).__name__}.") from None
    if as_json:
        sys.stdout.write(json.dumps({"studies": [asdict(one) for one in told]}, indent=2) + "\n")
    return 0 if all(one.status in _GOT for one in told) else EXIT_TOLD


@contextmanager
def _archive(
    source: str | None, dicomweb: str | None, me: Peer, callers: tuple[str, ...], tls: TlsFiles
) -> Iterator[Archive]:
    from leakseg.pacs.dicomweb import DicomWebArchive
    from leakseg.pacs.dimse import dimse_archive
    from leakseg.pacs.peers import parse_peer

    if (source is None) == (dicomweb is None):
        raise ConfigError("Say where the studies come from: either --from AET@HOST:PORT or --dicomweb URL.")
    if dicomweb is not None:
        yield DicomWebArchive(dicomweb, tls)
        return
    assert source is not None
    with dimse_archive(me, parse_peer(source), callers, tls) as archive:
        yield archive


def _line(one: Fetched) -> str:
    """One study in one line; accession numbers are not repeated."""
    told = f", {one.instances} images in {one.folder}" if one.folder else f": {one.reason}"
    return f"item {one.item}: {one.status}{told}"
