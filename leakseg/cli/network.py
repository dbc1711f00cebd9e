"""Options that `leakseg listen` and `leakseg fetch` share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from leakseg.errors import ConfigError

Aet = Annotated[str, typer.Option("--aet", metavar="AET", help="Our own AE title.")]
Port = Annotated[int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Our own port; 0: any free one.")]
Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on; default: this machine only.")
]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE.pem", help="Our certificate, for TLS.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE.pem", help="The key of our certificate.")]
TlsCa = Annotated[
    Path | None, typer.Option("--tls-ca", metavar="FILE.pem", help="Who vouches for the others' certificates.")
]
LOOPBACK = "127.0.0.1"


def check_extra() -> None:
    """Whether the libraries of the extra ``leakseg[pacs]`` are installed.

    Raises
    ------
    ConfigError
        Where one is not.
    """
    if any(importlib.util.find_spec(name) is None for name in ("pynetdicom", "requests")):
        raise ConfigError("The connection to a PACS needs more libraries: pip install 'leakseg[pacs]'.")
