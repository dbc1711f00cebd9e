"""Join the outputs of a run that was split with --shard."""

from __future__ import annotations

import json
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from leakseg.batch.job import JobResult, write_batch
from leakseg.batch.ledger import NAME as LEDGER
from leakseg.batch.output import RUN, claimed, write_json, writing
from leakseg.case import CaseOutcome
from leakseg.errors import ConfigError
from leakseg.replaced import TEMPORARY, set_aside

_SAME = ("leakseg", "recipe_digest")


def merge(parts: Sequence[Path], out: Path) -> JobResult:
    """Copy every part's case folders, ledgers and rows into OUT.

    Raises
    ------
    ConfigError
        Where a part is no result of leakseg, the parts come from other versions or recipes, some of the shards
        are not among them, or two hold the same case.
    """
    documents = [_document(part) for part in parts]
    _check_alike(documents)
    _check_all_there(documents)
    owners = _owners(parts, documents)
    document = _joined(documents)
    with claimed(out):
        write_json(out / RUN, document | {"complete": False})
        for case_id, part in owners.items():
            if (part / case_id).is_dir():
                _copy(part / case_id, out, case_id)
        outcomes = [outcome_of(case, document["recipe_digest"]) for case in document["cases"]]
        with writing("The joined results"):
            _join_ledgers(parts, out)
        write_batch(outcomes, out, {"csv", *document["recipe"]["write"]})
        write_json(out / RUN, document)
    return JobResult(document, tuple(outcomes), complete=True)


def _document(part: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((part / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ConfigError(f"'{part}' is no results folder of leakseg: it holds no readable {RUN}.") from None
    if not document.get("complete"):
        raise ConfigError(f"The run in '{part}' did not end; run the same command again, then merge.")
    return document


def _check_alike(documents: Sequence[dict[str, Any]]) -> None:
    for key in _SAME:
        if len({document[key] for document in documents}) > 1:
            raise ConfigError(f"The parts differ in '{key}': run them with the same version and recipe, then merge.")


def _check_all_there(documents: Sequence[dict[str, Any]]) -> None:
    """Where parts are shards, all of them are needed: a table that lacks a third of its cases looks whole."""
    shards = {str(document["shard"]) for document in documents if document.get("shard")}
    counts = {shard.partition("/")[2] for shard in shards}
    wanted = {f"{index}/{count}" for count in counts for index in range(1, int(count) + 1)}
    if missing := sorted(wanted - shards, key=lambda shard: int(shard.partition("/")[0])):
        listed = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise ConfigError(
            f"Of the run's shards {listed} are not among the parts; run them (--shard), then merge all of them."
            if len(missing) > 1
            else f"Of the run's shards {listed} is not among the parts; run it (--shard), then merge all of them."
        )


def _owners(parts: Sequence[Path], documents: Sequence[dict[str, Any]]) -> dict[str, Path]:
    owners: dict[str, Path] = {}
    for part, document in zip(parts, documents, strict=True):
        for case in document["cases"]:
            if case["case_id"] in owners:
                raise ConfigError(f"Two parts hold the case {case['case_id']}; name each part once.")
            owners[case["case_id"]] = part
    return owners


def _joined(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    cases = sorted(
        (case for document in documents for case in document["cases"]), key=lambda case: str(case["case_id"])
    )
    return documents[0] | {
        "shard": None,
        "started": min(document["started"] for document in documents),
        "ended": max(document["ended"] for document in documents),
        "counts": {
            status: sum(document["counts"][status] for document in documents) for status in documents[0]["counts"]
        },
        "passed_over": _passed_over(documents),
        "cases": cases,
    }


def _passed_over(documents: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Every shard walks the same folders; other parts have folders of their own."""
    told = documents[:1] if documents[0]["shard"] else documents
    return dict(sum((Counter(document.get("passed_over", {})) for document in told), Counter()))


def _copy(folder: Path, out: Path, case_id: str) -> None:
    unfinished = out / f"{TEMPORARY}{secrets.token_hex(8)}"
    with writing(f"Case {case_id}"):
        shutil.copytree(folder, unfinished)
        set_aside(out, case_id)
        unfinished.rename(out / case_id)


def _join_ledgers(parts: Sequence[Path], out: Path) -> None:
    with (out / LEDGER).open("ab") as joined:
        for part in parts:
            if (part / LEDGER).is_file():
                joined.write((part / LEDGER).read_bytes())


def outcome_of(case: dict[str, Any], recipe_digest: str) -> CaseOutcome:
    """How a case ended, as run.json tells it."""
    known = {field.name for field in fields(CaseOutcome)}
    return CaseOutcome(**{key: value for key, value in case.items() if key in known}, recipe_digest=recipe_digest)
