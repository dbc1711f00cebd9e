"""An archive by DICOMweb: found by QIDO-RS, fetched by WADO-RS (PS3.18 10.6, 10.4).

Instances come one by one and stay the bytes that the server gave. Credentials come from ``~/.netrc``,
or a bearer token from the environment variable ``LEAKSEG_DICOMWEB_TOKEN``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from leakseg.errors import ConfigError, InputError
from leakseg.pacs.fetching import WANTED, Asked, RefusedError
from leakseg.pacs.instances import Instance, read_instance
from leakseg.pacs.peers import TlsFiles

TOKEN = "LEAKSEG_DICOMWEB_TOKEN"  # noqa: S105 - the name of a variable, not a secret
_STUDY_UID, _SERIES_UID, _INSTANCE_UID = "0020000D", "0020000E", "00080018"
_MODALITY, _ACCESSION = "00080060", "00080050"
_UID = re.compile(r"[0-9.]{1,64}")
_TIMEOUTS_S = (10, 120)


class DicomWebArchive:
    """A DICOMweb server by its base URL."""

    def __init__(self, url: str, tls: TlsFiles) -> None:
        import requests

        if not re.match(r"https?://[^/]", url):
            raise ConfigError(f"'{url}' is no DICOMweb URL; it begins with https:// or http://.")
        self._url = url.rstrip("/")
        self._session = requests.Session()
        if tls.authority is not None:
            self._session.verify = str(tls.authority)
        if tls.certificate is not None:
            self._session.cert = (str(tls.certificate), str(tls.key)) if tls.key else str(tls.certificate)
        if token := os.environ.get(TOKEN):
            self._session.auth = _Bearer(token)

    def find(self, asked: Asked) -> list[str]:
        """UIDs of the studies that are meant."""
        key, tag = ("StudyInstanceUID", _STUDY_UID) if asked.is_uid else ("AccessionNumber", _ACCESSION)
        found = self._list("studies", {key: asked.value, "includefield": "AccessionNumber"}, _STUDY_UID)
        return [_value(one, _STUDY_UID) for one in found if _value(one, tag) == asked.value]

    def fetch(self, study_uid: str) -> Iterator[Instance]:
        """Every instance of the study's CT and SEG series."""
        study = f"studies/{study_uid}"
        for series in self._list(f"{study}/series", {}, _SERIES_UID):
            if _value(series, _MODALITY) not in WANTED:
                continue
            path = f"{study}/series/{_value(series, _SERIES_UID)}/instances"
            for one in self._list(path, {}, _INSTANCE_UID):
                yield _instance(self._get(f"{path}/{_value(one, _INSTANCE_UID)}"))

    def _list(self, path: str, query: Mapping[str, str], key: str) -> list[dict[str, Any]]:
        """Every match, page by page, each once; `key` names the UID that tells them apart."""
        found: dict[str, dict[str, Any]] = {}
        while True:
            answer = self._ask(path, {**query, "offset": str(len(found))} if found else query, "application/dicom+json")
            try:
                page = answer.json() if answer.status_code != 204 and answer.content else []
                new = {_value(one, key): one for one in page if _UID.fullmatch(_value(one, key))}
            except (ValueError, AttributeError, TypeError, LookupError):
                raise InputError("The DICOMweb server's answer is no DICOM JSON; check the URL.") from None
            if not new.keys() - found.keys():
                return list(found.values())
            found = new | found

    def _get(self, path: str) -> bytes:
        answer = self._ask(path, {}, 'multipart/related; type="application/dicom"; transfer-syntax=*')
        return _only_part(answer.content, answer.headers.get("Content-Type", ""))

    def _ask(self, path: str, query: Mapping[str, str], accept: str) -> Any:
        import requests

        try:
            answer = self._session.get(
                f"{self._url}/{path}", params=dict(query), headers={"Accept": accept}, timeout=_TIMEOUTS_S
            )
        except requests.RequestException as error:
            raise InputError(f"The DICOMweb server cannot be reached ({type(error).__name__}).") from None
        if answer.status_code in {401, 403}:
            raise RefusedError(
                f"The DICOMweb server refuses access (HTTP {answer.status_code}); put the credentials into ~/.netrc, "
                f"or a token into {TOKEN}."
            )
        if not answer.ok:
            raise InputError(f"The DICOMweb server answers HTTP {answer.status_code}.")
        return answer


class _Bearer:
    """Puts the token into requests to the server's own host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _value(item: Mapping[str, Any], tag: str) -> str:
    """The first value of an attribute in DICOM JSON (PS3.18 F.2); empty where it has none."""
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0]).strip()


def _only_part(body: bytes, content_type: str) -> bytes:
    """The one part of a multipart answer (RFC 2046 5.1)."""
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if match is None:
        raise InputError("The DICOMweb server's answer is not the multipart that was asked for.")
    boundary = b"--" + match[1].encode("ascii", "replace")
    _, _, rest = body.partition(boundary)
    _, found, part = rest.partition(b"\r\n\r\n")
    data, closed, _ = part.rpartition(b"\r\n" + boundary)
    if not (found and closed):
        raise InputError("The DICOMweb server's answer broke off.")
    return data


def _instance(data: bytes) -> Instance:
    try:
        return read_instance(data)
    except Exception as error:
        raise InputError(f"The DICOMweb server gave an image that is no DICOM file ({type(error).__name__}).") from None
