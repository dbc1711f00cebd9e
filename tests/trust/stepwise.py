"""A run of two cases, stopped at every single thing it does to its results folder, each time run again.

    python stepwise.py SAMPLE WORKSHOP kill|full|denied|torn

Prints one JSON document: the steps, and for each what differs from an undisturbed run after the second run. Python
tells an audit hook of every file it opens, makes, renames or removes; the hook kills the process there (``kill``), or
raises what a full disk (``full``) or a lost right (``denied``) raises. The program itself knows nothing of it. The
analysis, which touches no file, is done once and remembered, for its minutes are not what is tested.
"""

import csv
import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import leakseg.case
from leakseg.batch.job import Job, run_job
from leakseg.batch.ledger import NAME as LEDGER
from leakseg.config import load_config
from leakseg.errors import LeaksegError

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "shutil.rmtree"}
WRITING = os.O_WRONLY | os.O_RDWR
VOLATILE = {"run.json", LEDGER, ".leakseg.lock", "index.html"}
"""They tell when a case was done, and whether in this run."""


class Silent:
    def found(self, cases):
        pass

    def ended(self, outcome):
        pass


def run(sample, out):
    masks = str(sample / "masks")
    config = load_config(None, {"masks": (masks,), "write": ("json", "csv", "nifti"), "workers": 0})
    scans = (sample / "scans" / "three-leaks", sample / "scans" / "treated-no-leak")
    return run_job(Job(scans=scans, out=out, config=config), Silent())


def is_change(event, arguments, out):
    if not arguments or not isinstance(arguments[0], str | os.PathLike) or not str(arguments[0]).startswith(str(out)):
        return False
    return event in CHANGES or (event == "open" and bool(arguments[2] & WRITING))


def in_child(sample, out, stop_at, mode):
    """Exit status of a run that meets its fault at that change, and how many changes it made."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        count = 0

        def hook(event, arguments):
            nonlocal count
            if not is_change(event, arguments, out):
                return
            count += 1
            os.write(write, b".")
            if count == stop_at and mode == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if stop_at and count >= stop_at and mode == "full" and event in {"open", "os.mkdir"}:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
            if stop_at and count == stop_at and mode == "denied":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(arguments[0]))

        sys.addaudithook(hook)
        try:
            status = run(sample, out).exit_code
        except LeaksegError as error:
            status = 3 if "\n" not in str(error) else 70
        except OSError:
            status = 70
        os._exit(status)
    os.close(write)
    made = 0
    while chunk := os.read(read, 4096):
        made += len(chunk)
    os.close(read)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), made


def contents(out):
    found = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if not path.is_file() or name in VOLATILE or name.startswith(".superseded"):
            continue
        if name == "summary.csv":
            with path.open(newline="", encoding="utf-8") as stream:
                rows = [
                    {k: v for k, v in row.items() if k not in {"status", "seconds"}} for row in csv.DictReader(stream)
                ]
            found[name] = json.dumps(rows)
        else:
            found[name] = path.read_bytes()
    return found


def difference(wanted, out):
    found = contents(out)
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def torn(sample, out, whole):
    """Power lost between a case's rename and its line in the ledger, or within the line."""
    lines = (whole / LEDGER).read_bytes().splitlines(keepends=True)
    for kept in (b"", lines[0], lines[0] + lines[1][:40], b"".join(lines)[:-1], b"\x00" * 512, lines[0] + b"\x00" * 99):
        shutil.copytree(whole, out)
        (out / LEDGER).write_bytes(kept)
        yield in_child(sample, out, 0, "none")


def steps(sample, workshop, mode, whole, changes):
    out = workshop / "out"
    if mode == "torn":
        for first in torn(sample, out, whole):
            yield first, out
            shutil.rmtree(out)
        return
    for stop_at in range(1, changes + 1):
        first = in_child(sample, out, stop_at, mode)
        if first[1] < stop_at:
            break
        yield first, out
        shutil.rmtree(out)


def main():
    sample, workshop, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    results = {}

    def analyse(request, method=None):
        if request.source.case_id not in results:
            results[request.source.case_id] = original(request, method)
        return results[request.source.case_id]

    original, leakseg.case.analyse_case = leakseg.case.analyse_case, analyse
    run(sample, workshop / "warm")
    whole = workshop / "whole"
    status, changes = in_child(sample, whole, 0, "none")
    assert status == 0, status
    wanted, told = contents(whole), []
    for (first, _), out in steps(sample, workshop, mode, whole, changes):
        second, _ = in_child(sample, out, 0, "none")
        left = [path.name for path in out.iterdir() if path.name.startswith(".tmp")]
        told.append({"first": first, "second": second, "differ": difference(wanted, out), "left": left})
    print(json.dumps({"changes": changes, "steps": told, "files": sorted(wanted)}))


if __name__ == "__main__":
    main()
