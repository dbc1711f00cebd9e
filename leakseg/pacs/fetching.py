"""Fetch studies from an archive, one by one, into folders that `leakseg run` takes; each tells how it went."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from leakseg.errors import ConfigError, InputError
from leakseg.pacs.inbox import Inbox, study_name
from leakseg.pacs.instances import Instance

FetchStatus: TypeAlias = Literal["fetched", "present", "missing", "refused", "failed"]
"""present: fetched before; missing: the archive has no such study; refused: it will not, or holds no CT."""
WANTED = frozenset({"CT", "SEG"})
"""Modalities of the series that are fetched: scans, and masks for them."""
_UID = re.compile(r"\d+(\.\d+){2,}")
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Asked:
    """One line of the list: a study's UID or its accession number. ``item`` counts from 1."""

    item: int
    value: str

    @property
    def is_uid(self) -> bool:
        """Whether it is a UID: numbers with at least two points between them."""
        return _UID.fullmatch(self.value) is not None


@dataclass(frozen=True)
class Fetched:
    """How it went with one study. Accession numbers are not repeated: ``item`` says which was meant."""

    item: int
    status: FetchStatus
    reason: str | None
    study_instance_uid: str | None
    instances: int
    folder: str | None


class Archive(Protocol):
    """Where studies come from."""

    def find(self, asked: Asked) -> list[str]:
        """UIDs of the studies that are meant.

        Raises
        ------
        InputError
            Where the archive refuses or cannot be reached.
        """

    def fetch(self, study_uid: str) -> Iterator[Instance]:
        """Every instance of the study's series that are wanted.

        Raises
        ------
        InputError
            Where the archive does not give the whole study.
        """


class RefusedError(InputError):
    """The archive has the study and will not give it, or there is no CT in it."""


def read_list(values: Iterable[str], file: Path | None) -> list[Asked]:
    """What is asked for: the values given, then the file's lines; empty lines and ``#`` comments left out.

    Raises
    ------
    ConfigError
        Where nothing is asked for, the file cannot be read, or a value holds a wildcard.
    """
    lines = list(values)
    if file is not None:
        try:
            lines += file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The list '{file}' cannot be read ({type(error).__name__}).") from None
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not wanted:
        raise ConfigError("Nothing to fetch: give accession numbers or study UIDs, or a file of them with --list.")
    asked = [Asked(item, value) for item, value in enumerate(dict.fromkeys(wanted), start=1)]
    for one in asked:
        if set("*?\\") & set(one.value) or not one.value.isprintable():
            raise ConfigError(f"Item {one.item} of the list holds a wildcard or a backslash; name each study itself.")
    return asked


def fetch_all(asked: Iterable[Asked], archive: Archive, out: Path) -> Iterator[Fetched]:
    """Fetch study after study into ``out/study-<hash>/``; a study's folder appears when it is whole.

    Raises
    ------
    OSError
        Where the disk does not take the images.
    """
    unfinished = Inbox(out / _UNFINISHED)
    try:
        for one in asked:
            try:
                uids = archive.find(one)
            except InputError as error:
                yield Fetched(one.item, "failed", str(error), None, 0, None)
                continue
            if not uids:
                yield Fetched(one.item, "missing", "The archive knows no such study.", None, 0, None)
            for uid in uids:
                yield _fetch(one.item, uid, archive, unfinished, out)
    finally:
        shutil.rmtree(unfinished.folder, ignore_errors=True)


def _fetch(item: int, uid: str, archive: Archive, unfinished: Inbox, out: Path) -> Fetched:
    name = study_name(uid)
    folder = out / name
    if folder.is_dir():
        return Fetched(item, "present", None, uid, sum(1 for _ in folder.iterdir()), name)
    status: FetchStatus
    try:
        count = _keep_all(uid, archive, unfinished)
        (unfinished.folder / name).rename(folder)
        return Fetched(item, "fetched", None, uid, count, name)
    except RefusedError as error:
        status, reason = "refused", str(error)
    except InputError as error:
        status, reason = "failed", str(error)
    shutil.rmtree(unfinished.folder / name, ignore_errors=True)
    return Fetched(item, status, reason, uid, 0, None)


def _keep_all(uid: str, archive: Archive, unfinished: Inbox) -> int:
    """Keep a study's instances; how many different ones."""
    names = set()
    for instance in archive.fetch(uid):
        if instance.study_uid != uid:
            raise InputError("The archive gave images of another study.")
        if not instance.is_our_seg:
            unfinished.keep(instance.data, study_uid=uid, instance_uid=instance.instance_uid)
            names.add(instance.instance_uid)
    if not names:
        raise RefusedError("The study holds no CT images.")
    return len(names)
