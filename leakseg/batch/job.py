"""The main job: every study under SCANS analysed into OUT, resumed where it was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import from_json

import leakseg
from leakseg import criteria as criteria_table
from leakseg.allocator import making_what_lasts
from leakseg.anchor import Anchor
from leakseg.batch.engine import run_batch
from leakseg.batch.executors import default_workers, processes, serial
from leakseg.batch.ledger import Ledger
from leakseg.batch.output import DRAWN, RUN, claimed, write_json, writing
from leakseg.batch.plan import Shard, anchors_by_case, check_masks, from_anywhere, plan_case
from leakseg.batch.remembered import find_cases
from leakseg.case import CaseOutcome, CaseRequest, outcome, run_case
from leakseg.config import AnalysisConfig
from leakseg.findings import SCHEMA_VERSION
from leakseg.plugins import load_classifier
from leakseg.readers import SeriesEntry
from leakseg.readers.walk import FoundFile
from leakseg.replaced import REPORT, set_aside
from leakseg.writers import csv_tables

_DAMAGED = "Its report.json was damaged after it was written: remove the case's folder of results and run again."
_SPARE = 1
"""Requests submitted beyond the number of workers, so that none waits for the parent."""
_NO_PATHS = frozenset({"auto", "builtin", "totalsegmentator", "verse", "totalsegmentator_v1", "spineps", "cads"})


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to run, as the command line says it."""

    scans: tuple[Path, ...]
    out: Path
    config: AnalysisConfig
    anchors: tuple[Anchor, ...] = ()
    shard: Shard | None = None
    resume: bool = True
    beside: bool = False
    """Tell the cases that OUT held before too, in tables, pages and run.json: for an OUT that grows study by study."""


class Watcher(Protocol):
    """Someone who is told how the job goes."""

    def found(self, cases: int) -> None:
        """So many cases will be worked on."""

    def ended(self, outcome: CaseOutcome) -> None:
        """One case ended."""


@dataclass(frozen=True)
class JobResult:
    """How the job ended: run.json's document, and the cases' outcomes in order of case_id."""

    document: dict[str, Any]
    outcomes: tuple[CaseOutcome, ...]
    complete: bool

    @property
    def exit_code(self) -> int:
        """As in contract.md."""
        if not self.complete:
            return 130
        told = [outcome for outcome in self.outcomes if outcome.status in {"refused", "failed"}]
        return 1 if told or not self.outcomes else 0


def run_job(job: Job, watcher: Watcher) -> JobResult:
    """Run it; interrupted by Ctrl-C it keeps what is done and says so.

    Raises
    ------
    ConfigError, PluginError
        Before any case is touched.
    """
    identity = load_classifier(job.config.classifier).identity
    check_masks(job.config)
    with claimed(job.out) as out, closing(Ledger(out)) as ledger:
        record = _Record(job, identity)
        job = _with_cache(job)
        engine = _executor(job.config)
        with making_what_lasts():
            found = find_cases(job.scans, job.config.criteria.reading, out, all_series=job.config.all_series)
        entries, record.passed_over = found.cases, found.passed_over
        anchors = anchors_by_case(job.anchors, [entry.source.case_id for entry in entries])
        if job.shard:
            entries = tuple(job.shard.of(entries))
        write_json(out / RUN, record.document((), complete=False))
        watcher.found(len(entries))
        ended: list[CaseOutcome] = []
        complete = True
        try:
            plan = partial(_planned, job, anchors, record.recipe_digest, found.seen)
            with closing(_outcomes(job, map(plan, entries), ledger, engine)) as outcomes:
                for one in outcomes:
                    ended.append(one)
                    watcher.ended(one)
        except KeyboardInterrupt:
            complete = False
        ended.sort(key=lambda one: one.case_id)
        told = ledger.with_earlier(ended) if job.beside else ended
        write_batch(told, out, job.config.write, complete=complete)
        document = record.document(told, complete=complete)
        write_json(out / RUN, document)
        return JobResult(document, tuple(ended), complete)


def write_batch(ended: Sequence[CaseOutcome], out: Path, names: Collection[str], *, complete: bool = True) -> None:
    """Write what is told of the cases together: the tables and the page of all cases, which says if some are to come.

    Reports are read from the disk one after the other, each once: thousands do not fit into memory.

    Raises
    ------
    OutputError
        Where the disk does not take it.
    """
    cases = (table_case(one, out) for one in ended)
    if "csv" in names:
        cases = _into_tables(cases, out)
    try:
        if "html" in names:
            from leakseg.writers import html

            with writing("The page of all cases"):
                html.write_index(cases, out, complete=complete)
    finally:
        for _ in cases:  # whatever becomes of the page, the tables are written whole
            pass


def _into_tables(cases: Iterable[csv_tables.TableCase], out: Path) -> Generator[csv_tables.TableCase, None, None]:
    with writing("The tables"):
        yield from csv_tables.passing(cases, out)


def table_case(one: CaseOutcome, out: Path) -> csv_tables.TableCase:
    """The case as the tables tell of it, with its report from the disk."""
    report = None
    if one.status in {"done", "skipped"}:
        try:
            report = _document((out / one.case_id / REPORT).read_bytes())
        except ValueError:
            one = replace(one, status="failed", reason=_DAMAGED)
    return csv_tables.TableCase(
        one.case_id, one.status, one.reason, one.study_instance_uid, one.series_instance_uid, one.seconds, report
    )


def _document(report: bytes) -> dict[str, Any]:
    """A report's values; pydantic's parser takes half the time of Python's, and no half of a surrogate pair."""
    try:
        document: dict[str, Any] = from_json(report)
    except ValueError:
        document = json.loads(report)
    return document


def _outcomes(
    job: Job,
    plans: Iterable[CaseRequest | CaseOutcome],
    ledger: Ledger,
    engine: tuple[Callable[[], Executor], int],
) -> Generator[CaseOutcome, None, None]:
    """Every case's outcome; what needs no work comes as soon as it is known."""
    at_once: list[CaseOutcome] = []

    def to_do() -> Iterator[CaseRequest]:
        for planned in plans:
            if isinstance(planned, CaseOutcome):
                set_aside(job.out, planned.case_id, planned.series_instance_uid)
                ledger.append(planned)
                at_once.append(planned)
                continue
            before = ledger.done_before(planned.source.case_id, planned.input_digest, planned.recipe_digest)
            if job.resume and before is not None:
                at_once.append(before)
            else:
                yield planned if job.config.scheduler is None else from_anywhere(planned)

    make_executor, in_flight = engine
    with closing(run_batch(to_do(), run_case, make_executor, in_flight=in_flight, lost=_lost)) as results:
        for one in results:
            ledger.append(one)
            yield one
            yield from _drained(at_once)
    yield from _drained(at_once)


def _planned(
    job: Job, anchors: dict[str, Anchor], recipe_digest: str, seen: Mapping[str, FoundFile], entry: SeriesEntry
) -> CaseRequest | CaseOutcome:
    return plan_case(entry, job.config, job.out, anchors.get(entry.source.case_id), recipe_digest, seen)


def _drained(outcomes: list[CaseOutcome]) -> Iterator[CaseOutcome]:
    while outcomes:
        yield outcomes.pop(0)


def _with_cache(job: Job) -> Job:
    """The job with a place for what TotalSegmentator draws: in OUT, where the user names none."""
    options = job.config.totalsegmentator
    cache = str(Path(options.cache or job.out / DRAWN).absolute())
    return replace(job, config=replace(job.config, totalsegmentator=replace(options, cache=cache)))


def _executor(config: AnalysisConfig) -> tuple[Callable[[], Executor], int]:
    if config.scheduler is not None:
        from leakseg.batch.cluster import cases_in_flight, cluster

        return partial(cluster, config.scheduler), config.workers or cases_in_flight(config.scheduler)
    count = default_workers() if config.workers is None else config.workers
    if count == 0:
        return serial, 1
    return partial(processes, count), count + _SPARE


def _lost(request: CaseRequest) -> CaseOutcome:
    set_aside(request.out, request.source.case_id, request.source.series_instance_uid)
    return outcome(
        request,
        "failed",
        "Its worker process died twice, the second time with this case alone: memory ran out, or a library crashed. "
        "Try it on a machine with more memory.",
        0.0,
    )


class _Record:
    """What run.json says."""

    def __init__(self, job: Job, classifier: str) -> None:
        config = job.config
        self._started = _now()
        self.passed_over: dict[str, int] = {}
        """How many files under SCANS were passed over, by reason; no path, which may hold a name."""
        self.recipe_digest = _digest_with(config.digest(), classifier)
        self._head: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "leakseg": leakseg.__version__,
            "classifier": classifier,
            "recipe": {
                "masks": [_without_path(spec) for spec in config.masks],
                "label_scheme": _without_path(config.label_scheme),
                "classifier": config.classifier,
                "write": list(config.write),
                "all_series": config.all_series,
                "anchors": [str(anchor) for anchor in job.anchors],
                "criteria": criteria_table.values(config.criteria),
            },
            "recipe_digest": self.recipe_digest,
            "criteria_digest": criteria_table.digest(config.criteria),
            "shard": str(job.shard) if job.shard else None,
        }

    def document(self, ended: Iterable[CaseOutcome], *, complete: bool) -> dict[str, Any]:
        cases = [
            {key: value for key, value in asdict(one).items() if key not in {"trace", "recipe_digest"}} for one in ended
        ]
        counts = {
            status: sum(case["status"] == status for case in cases)
            for status in ("done", "refused", "failed", "skipped")
        }
        return self._head | {
            "started": self._started,
            "ended": _now() if complete else None,
            "complete": complete,
            "counts": counts,
            "passed_over": self.passed_over,
            "cases": cases,
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest_with(recipe_digest: str, classifier: str) -> str:
    return "sha256:" + sha256(f"{recipe_digest} {classifier}".encode()).hexdigest()


def _without_path(spec: str | None) -> str | None:
    """A choice as run.json may say it: a path may hold a patient's name, so only its fingerprint is kept."""
    if spec is None or spec in _NO_PATHS:
        return spec
    role, equals, path = spec.rpartition("=")
    return f"{role}{equals}path-{sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
