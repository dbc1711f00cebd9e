"""TotalSegmentator, an outside program with its own weights and licence, run in a process of its own.

It gets the scan as NIfTI (voxels and geometry, nothing of the patient) and writes two labelmaps: of task
``total`` the vertebrae, sacrum and cord, and of task ``vertebrae_body`` bodies and discs. What it draws is
read and checked as masks given by the user are: it mixes neighbouring vertebrae now and then.

The weights could not be had where leakseg is developed: this is tested with a stand-in program that takes
the same options and writes the same files, names and numbers. Options, file layout and names were read in
TotalSegmentator 2 (https://github.com/wasserth/TotalSegmentator; Wasserthal 2023, doi:10.1148/ryai.230024).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from leakseg.criteria import MaskCriteria
from leakseg.errors import ConfigError, PluginError
from leakseg.findings import QualityNote
from leakseg.nifti import write_nifti
from leakseg.providers.embedded import names_in_file
from leakseg.providers.leash import on_a_leash
from leakseg.providers.names import VERTEBRAE
from leakseg.providers.schemes import SCHEMES, scheme_of_names
from leakseg.providers.values import MaskFile, MaskPlan, MasksRead
from leakseg.volume import Volume

STRUCTURES = (
    *(f"vertebrae_C{number}" for number in range(1, 8)),
    *(f"vertebrae_T{number}" for number in range(1, 13)),
    *(f"vertebrae_L{number}" for number in range(1, 6)),
    "vertebrae_S1",
    "sacrum",
    "spinal_cord",
)
"""What is asked of the task ``total``, by TotalSegmentator's names."""
_SCHEME = "totalsegmentator"
_TEMPORARY = ".tmp-"
_VERSION_TIMEOUT_S = 180.0
_POLL_S = 0.5
_HINTS = (
    (
        re.compile(rb"licen[sc]e", re.IGNORECASE),
        "it needs a licence, free for research: enter it with totalseg_set_license, or say bodies = false in a recipe",
    ),
    (
        re.compile(rb"out of memory|bad_alloc|MemoryError", re.IGNORECASE),
        "memory ran out: try --totalsegmentator-device cpu or --totalsegmentator-fast",
    ),
    (
        re.compile(rb"urlopen|ConnectionError|Max retries|getaddrinfo|Name or service", re.IGNORECASE),
        "its weights could not be fetched: run totalseg_download_weights once on a machine with network",
    ),
)


@dataclass(frozen=True, kw_only=True)
class TotalSegmentator:
    """How TotalSegmentator is run where masks = ["totalsegmentator"]."""

    command: str = "TotalSegmentator"
    """The program: a name on PATH, a path into another environment, or a command line that begins with one."""
    fast: bool = False
    """Its faster 3 mm model for the task total."""
    bodies: bool = True
    """Run the task vertebrae_body too; it needs a licence of TotalSegmentator's makers, free for research."""
    device: str | None = None
    """gpu, gpu:1, cpu or mps; TotalSegmentator's own choice where not given."""
    timeout_s: Annotated[float, Gt(0)] = 3600.0
    """Seconds that one task of one case may take."""
    at_once: Annotated[int, Ge(1)] = 1
    """How many may run on one machine at the same time."""
    cache: str | None = None
    """Folder in which its masks are kept; the hidden folder .totalsegmentator of the results where not given."""

    @property
    def choices(self) -> dict[str, bool]:
        """What changes the masks."""
        return {"fast": self.fast, "bodies": self.bodies}


def find_program(command: str) -> tuple[str, ...]:
    """The command's words, its program as a whole path.

    Raises
    ------
    ConfigError
        Where there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    found = shutil.which(words[0]) if words else None
    if found is None:
        raise ConfigError(
            "TotalSegmentator was not found: install it (pip install TotalSegmentator, in an environment of its own), "
            "or say where it is with --totalsegmentator-command."
        )
    return (str(Path(found).absolute()), *words[1:])


def read_totalsegmentator(volume: Volume, options: TotalSegmentator, criteria: MaskCriteria) -> MasksRead:
    """Run TotalSegmentator on the volume, or take what it drew of it before, and check the masks.

    Masks are kept by what they depend on: the scan's voxels and geometry, TotalSegmentator's version, and
    the options that change them.

    Raises
    ------
    ConfigError, PluginError
        Where it is not there, fails, takes too long or writes nothing; one sentence, without its words.
    AnatomyError
        Where the masks fail a check.
    """
    from leakseg.providers.precomputed import read_precomputed

    program = find_program(options.command)
    version = _version(program)
    with _cache(options) as cache:
        drawn = cache / _key(volume, version, options)
        if not drawn.is_dir():
            with _turn(options.at_once):
                if not drawn.is_dir():
                    _draw(volume, program, options, drawn)
        read = read_precomputed(_plan(drawn), volume, criteria)
    masks = replace(read.masks, provider=_SCHEME, version=version)
    return MasksRead(masks, (*read.notes, *_told(options)))


def _plan(drawn: Path) -> MaskPlan:
    total, bodies = drawn / "total.nii.gz", drawn / "vertebrae_body.nii.gz"
    names = names_in_file(total)
    scheme = replace(scheme_of_names(names, _SCHEME), name=_SCHEME) if names else SCHEMES[_SCHEME]
    files = [MaskFile(total, VERTEBRAE, scheme)]
    if bodies.is_file():
        files.append(MaskFile(bodies, "bodies"))
    return MaskPlan("totalsegmentator", tuple(files), _SCHEME)


def _told(options: TotalSegmentator) -> tuple[QualityNote, ...]:
    if not options.fast:
        return ()
    return (QualityNote("masks_fast", "info", "TotalSegmentator drew the vertebrae with its faster 3 mm model."),)


def _draw(volume: Volume, program: Sequence[str], options: TotalSegmentator, drawn: Path) -> None:
    """Both tasks in a private folder, which gets its name when both are done."""
    work = drawn.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    work.mkdir(mode=0o700)
    try:
        scan = work / "scan.nii"
        write_nifti(scan, volume.grid, np.asarray(volume.hu))
        fast = ["--fast"] if options.fast else []
        _run(program, "total", [*fast, "--roi_subset", *STRUCTURES], scan, options)
        if options.bodies:
            _run(program, "vertebrae_body", [], scan, options)
        scan.unlink()
        work.rename(drawn)
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise PluginError(f"TotalSegmentator's masks could not be kept: {told}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run(program: Sequence[str], task: str, more: Sequence[str], scan: Path, options: TotalSegmentator) -> None:
    written = scan.with_name(f"{task}.nii.gz")
    log = scan.with_name(f"{task}.log")
    device = ["--device", options.device] if options.device else []
    arguments = [*program, "-i", str(scan), "-o", str(written), "--task", task, "--ml", *device, *more]
    code = on_a_leash(arguments, log, _environment(options.at_once), options.timeout_s)
    if code is None:
        raise PluginError(
            f"TotalSegmentator's task {task} was ended after {options.timeout_s:g} s without a result: "
            "allow it more (timeout_s under [totalsegmentator] in a recipe), a GPU, or --totalsegmentator-fast."
        )
    words = log.read_bytes()
    log.unlink()
    if code == 0 and written.is_file():
        return
    hint = next((told for pattern, told in _HINTS if pattern.search(words)), "")
    if code > 128:
        hint = hint or "it was killed, most likely because memory ran out"
    how = f"ended with exit code {code}" if code else "ended without writing its masks"
    advice = hint or "run `TotalSegmentator` on this scan by hand to see why"
    raise PluginError(f"TotalSegmentator's task {task} {how}: {advice}.")


@lru_cache(maxsize=8)
def _version(program: tuple[str, ...]) -> str:
    """What it says of itself.

    Raises
    ------
    PluginError
        Where it says nothing of the kind, or is older than 2, which numbers its labels otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="leakseg-") as folder:
        log = Path(folder) / "version"
        code = on_a_leash([*program, "--version"], log, _environment(1), _VERSION_TIMEOUT_S)
        found = re.findall(rb"^(?:.*\s)?v?(\d+(?:\.\w+)+)\s*$", log.read_bytes(), re.MULTILINE)
    if code != 0 or not found:
        raise PluginError(
            "The program given as TotalSegmentator does not answer to --version; "
            "check that it runs by itself, or give another with --totalsegmentator-command."
        )
    version = str(found[-1].decode())
    if int(version.split(".", maxsplit=1)[0]) < 2:
        raise PluginError(f"TotalSegmentator {version} is too old; version 2 or later is expected.")
    return version


def _key(volume: Volume, version: str, options: TotalSegmentator) -> str:
    voxels = np.ascontiguousarray(volume.hu)
    digest = hashlib.sha256(voxels.data)
    about = [version, options.choices, volume.grid.shape, volume.grid.affine.tolist(), str(voxels.dtype)]
    digest.update(json.dumps(about, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def _environment(at_once: int) -> dict[str, str]:
    """Ours, with the machine's cores shared among those that run at once: workers' own libraries use one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ours = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return ours | {"OMP_NUM_THREADS": str(max(1, cores // at_once))}


@contextmanager
def _cache(options: TotalSegmentator) -> Iterator[Path]:
    """The folder of kept masks, which only the user may enter; one that is gone afterwards where none is named."""
    if options.cache is None:
        with tempfile.TemporaryDirectory(prefix="leakseg-") as folder:
            yield Path(folder)
        return
    cache = Path(options.cache)
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder for TotalSegmentator's masks cannot be used: {error.strerror}.") from error
    yield cache


@contextmanager
def _turn(at_once: int) -> Iterator[None]:
    """Wait for one of so many places on this machine; a place is free again when its process is gone."""
    from filelock import FileLock, Timeout

    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"leakseg-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != user):
        raise PluginError("The folder for locks in the machine's temporary folder belongs to someone else.")
    with ExitStack() as held:
        while True:
            for place in range(at_once):
                try:
                    held.enter_context(FileLock(folder / f"totalsegmentator-{place}.lock", timeout=0))
                except Timeout:
                    continue
                yield
                return
            time.sleep(_POLL_S)
