"""Damaged files without end: every reader gives a result or one clear sentence, within time and memory.

    python benchmarks/fuzz.py --runs 1000                     every kind of file, seeded mutations, no extra package
    python benchmarks/fuzz.py --engine atheris --runs 20000   guided by coverage (pip install atheris)
    python benchmarks/fuzz.py --kinds dicom seg --seed 7 --runs 5000 --keep found/

Prints one row a kind: inputs read, refused, and faults. A fault is anything but a result or a `LeaksegError` of one
line that does not tell where the file lies; more than SECONDS of CPU time; more than MEGABYTES more memory; or an
undamaged slice of a DICOM series that comes out at another place in the patient, as voxels or as what results refer to.
Faults are kept under --keep, one
file for each place in the code, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

    from leakseg.batch.ledger import Ledger
    from leakseg.dicom_series import DicomSeries
    from leakseg.volume import Volume

SECONDS = 10.0
MEGABYTES = 1024
ADDRESS_SPACE = 8 << 30
SHARED = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where damaged files lie: in memory, where that can be had."""
CT = "1.2.840.10008.5.1.4.1.1.2"
SERIES = "1.2.826.0.1.3680043.8.498.61"
SHAPE = (3, 8, 9)
SYNTAXES = {
    "dicom": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg": "1.2.840.10008.1.2.4.70",
    "jpegls": "1.2.840.10008.1.2.4.80",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
}
WORDS = [
    b"\x00", b"\xff\xff\xff\xff", b"\xff\x7f", b"\x00\x80", b"-1", b"0", b"1e999", b"nan", b"inf", b"99999999999",
    b"\\", b"\n", b"\r\n", b'"', b"'", b"[", b"]]", b"{", b"}", b"=", b",", b";", b"\t", b"#", b"null", b"true", b"L1",
    b"[" * 3000, b"9" * 400, b"9" * 5000, b"1979-05-27", "²".encode(), b"\xff\xfe", b"\xef\xbb\xbf", b"..",
    b"/dev/zero", b"raw", b"gzip",
]  # fmt: skip


class WrongPlaceError(AssertionError):
    """An undamaged slice was found elsewhere in the patient."""


class TooMuch(BaseException):
    """Time ran out inside a reader; no `Exception`, so that no reader can swallow it."""


@dataclass
class Kind:
    """One kind of file: seeds to damage, the file's name, and what reads it."""

    seeds: list[bytes]
    name: str
    read: Callable[[Path], None]


@dataclass
class Score:
    inputs: int = 0
    results: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: dict[str, bytes] = field(default_factory=dict)


def pattern() -> np.ndarray:
    """HU of the little series, each voxel its own."""
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) * 7 - 300).astype(np.int16)


def dicom_series(syntax: str) -> list[bytes]:
    """The little series as files, the slices 2 mm apart, columns 1.5 mm and rows 1.25 mm."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset

    files = []
    for k, hu in enumerate(pattern()):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = CT
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = f"{SERIES}.{k + 1}"
        values = {
            "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesNumber": 2, "PatientName": "F^Z",
            "FrameOfReferenceUID": SERIES + ".7", "StudyInstanceUID": SERIES + ".9", "SeriesInstanceUID": SERIES,
            "InstanceNumber": k + 1, "ImagePositionPatient": [10.0, -20.0, 2.0 * k],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1.25, 1.5], "SliceThickness": 2.0,
            "Rows": SHAPE[1], "Columns": SHAPE[2], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "RescaleSlope": 1,
            "RescaleIntercept": 0, "RescaleType": "HU", "KVP": 120, "ConvolutionKernel": "B31s",
        }  # fmt: skip
        for keyword, value in values.items():
            setattr(one, keyword, value)
        one.PixelData = hu.tobytes()
        one["PixelData"].VR = "OW"
        files.append(transcoded(one, SYNTAXES[syntax]))
    return files


def transcoded(dataset: Dataset, syntax: str) -> bytes:
    import gdcm
    import pydicom

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "a"))
        if syntax in {SYNTAXES["dicom"], SYNTAXES["deflated"]}:
            dataset.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(path, dataset, enforce_file_format=True)
            return Path(path).read_bytes()
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change(), syntax
        writer = gdcm.ImageWriter()
        writer.SetFileName(path)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return Path(path).read_bytes()


def dicom_kind(syntax: str, name: str = "damaged.dcm") -> Kind:
    """One slice of three is damaged; the other two must stay where they are, or the series be refused.

    By its name it is read before the others or after them: what a slice says is kept for those that agree with it.
    """
    files = dicom_series(syntax)
    whole = {0: files[0], 2: files[2]}

    def read(path: Path) -> None:
        from leakseg.criteria import ReadingCriteria
        from leakseg.dicom_series import read_series
        from leakseg.errors import InputError
        from leakseg.readers import read_volume, take_inventory

        criteria = ReadingCriteria(min_slices=2, min_coverage_mm=1.0)
        for k, data in whole.items():
            beside = path.with_name(f"whole{k}.dcm")
            if not beside.exists():
                beside.write_bytes(data)
        refusals, read_any = [], False
        for case in take_inventory([path.parent], criteria).cases():
            try:
                scan = read_volume(case.source, criteria)
            except InputError as error:
                refusals.append(error)
                continue
            read_any = True
            if case.source.series_instance_uid == SERIES and len(case.source.files) > 1:
                in_place(scan.volume)
                referred_to(read_series(replace(case.source, files=scan.volume.files), scan.volume.grid))
        if not read_any:
            raise refusals[0] if refusals else InputError("No case.")

    return Kind([files[1]], name, read)


def referred_to(series: DicomSeries | None) -> None:
    """What a SEG would refer to lies where it was scanned."""
    for one in series.slices if series is not None else ():
        for k in (0, 2):
            if one.sop_instance_uid == f"{SERIES}.{k + 1}" and not np.allclose(one.position_mm, (10, -20, 2 * k)):
                raise WrongPlaceError(f"slice {k} as a source")


def in_place(volume: Volume) -> None:
    """The undamaged slices lie where they were scanned."""
    hu = pattern()
    for k in (0, 2):
        rows, columns = np.indices(SHAPE[1:])
        points = np.stack([10 + 1.5 * columns, -20 + 1.25 * rows, np.full(SHAPE[1:], 2.0 * k)], axis=-1)
        index = np.rint(volume.grid.to_index(points)).astype(int)
        inside = ((index >= 0) & (index < volume.grid.shape)).all()
        if not inside or not np.allclose(volume.hu[tuple(np.moveaxis(index, -1, 0))], hu[k]):
            raise WrongPlaceError(f"slice {k}")


def image_kind(name: str) -> Kind:
    """A scan or a labelmap as NIfTI or NRRD, through every door that reads one."""
    from leakseg.geometry import Grid
    from leakseg.nifti import write_nifti

    affine = np.array([[0, 0, -2.0, 9], [0, -2.0, 0, 8], [2.0, 0, 0, 7], [0, 0, 0, 1]])
    grid, hu = Grid((4, 5, 6), affine), np.arange(-40, 80).reshape(4, 5, 6)
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for array in (hu.astype(np.int16), hu.astype(np.float32), ((hu > 20) * 20).astype(np.uint8)):
            path = Path(folder, name)
            if name.endswith((".nii", ".nii.gz")):
                write_nifti(path, grid, array)
            else:
                import SimpleITK as sitk

                image = sitk.GetImageFromArray(array)
                image.SetOrigin((1.0, 2.0, 3.0))
                sitk.WriteImage(image, str(path), useCompression=array.dtype == np.int16)
            seeds.append(path.read_bytes())

    def read(path: Path) -> None:
        from leakseg.criteria import ReadingCriteria
        from leakseg.errors import LeaksegError
        from leakseg.evaluate.voxels import read_labels
        from leakseg.providers.labelmap import read_labelmap
        from leakseg.providers.schemes import SCHEMES
        from leakseg.providers.values import MaskFile
        from leakseg.readers import read_volume, take_inventory

        criteria = ReadingCriteria(min_slices=2, min_coverage_mm=1.0)
        for other in (lambda: read_labelmap(MaskFile(path, "vertebrae", SCHEMES["verse"])), lambda: read_labels(path)):
            with contextlib.suppress(LeaksegError):
                other()
        cases = take_inventory([path], criteria).cases()
        for case in cases:
            volume = read_volume(case.source, criteria).volume
            assert np.isfinite(volume.hu).all()

    return Kind(seeds, name, read)


def seg_kind() -> Kind:
    import highdicom as hd
    import pydicom
    from pydicom.sr.coding import Code

    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for k, data in enumerate(dicom_series("dicom")):
            path = Path(folder, f"{k}")
            path.write_bytes(data)
            one = pydicom.dcmread(path)
            one.PatientID, one.PatientBirthDate, one.PatientSex, one.StudyID = "1", "", "", "1"
            one.AccessionNumber, one.StudyDate, one.StudyTime, one.ReferringPhysicianName = "", "", "", ""
            sources.append(one)
        mask = np.zeros(SHAPE, np.uint8)
        mask[:, 2:4, 1:4] = 1
        segment = hd.seg.SegmentDescription(
            1,
            "vertebrae_L1",
            Code("123037004", "SCT", "Anatomical Structure"),
            Code("51282000", "SCT", "Vertebra"),
            "MANUAL",
        )
        seeds = []
        for kind in ("BINARY", "FRACTIONAL"):
            path = Path(folder, kind)
            hd.seg.Segmentation(
                sources, mask if kind == "BINARY" else mask.astype(np.float32), kind, [segment], "1.2.3.4", 1,
                "1.2.3.5", 1, "m", "m", "1", "1",
            ).save_as(path)  # fmt: skip
            seeds.append(path.read_bytes())

    def read(path: Path) -> None:
        from leakseg.providers.dicom_seg import read_seg
        from leakseg.providers.segments import holds_vertebrae, read_seg_header
        from leakseg.providers.values import MaskFile

        header = read_seg_header(path)
        if header is not None:
            holds_vertebrae(header)
        read_seg(MaskFile(path, "seg"))

    return Kind(seeds, "masks.dcm", read)


def text_kinds() -> dict[str, Kind]:
    """TOML, CSV and JSON, each by the reader that a command uses."""
    from leakseg.batch.ledger import Ledger
    from leakseg.config import config_toml, load_config
    from leakseg.evaluate.folders import read_cohort
    from leakseg.phantom.recipe import read_recipe
    from leakseg.providers.schemes import read_labels_file
    from leakseg.studies.amend.edits import read_edits
    from leakseg.studies.amend.rewrite import read_report
    from leakseg.studies.cohort.clinical import read_clinical
    from leakseg.studies.cohort.joined import read_reports

    sample = Path(__file__).parents[1] / "sample_dicom"
    leak = {"id": 1, "type": "epidural", "level": "L1", "volume_mm3": 21.5, "confidence": 0.9}
    truth = {"case_id": "a", "study_instance_uid": "1.2", "leaks": [leak], "group": "1 mm", "strata": {"noise": "low"}}
    run = {
        "cases": [
            {"case_id": "b", "status": "failed", "reason": "r", "study_instance_uid": "1", "series_instance_uid": "2"}
        ]
    }
    line = {"case_id": "a", "status": "done", "seconds": 1.0, "input_digest": "d", "recipe_digest": "e", "leakseg": "1"}
    report = next(iter(sorted((sample / "expected").glob("*/report.json")))).read_bytes()
    table = b"case_id,id,type,level,volume_mm3\na,1,epidural,L1,3.5\nb,,,,\n"
    clinical = (
        b"case_id,age,sex,treated_levels,leak_type,vas_preop,vas_last,macnab,followup_months,weight\n"
        b"a,71,f,L1;L2,epidural+foraminal,8,2,good,12,60\nb,66,m,T12,none,7,,excellent,,81.5\n"
    )
    edits = (
        b'reader = "A. Reader"\nwhen = 2026-01-02T03:04:05Z\nreviewed = true\n[levels]\nL1 = "L2"\n'
        b'[leaks.1]\ntype = "venous"\nsubtype = "caval"\nside = "left"\ncomment = "c"\n[leaks.2]\nstrike = "in bone"\n'
    )
    labels = b'20 = "L1"\n21 = "vertebrae_L2"\n1 = "canal"\n'

    def inside(read: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda path: void(read(path.parent))

    return {
        "recipe": Kind(
            [config_toml().encode(), b'masks = ["auto"]\nworkers = 2\n'], "r.toml", lambda p: void(load_config(p))
        ),
        "labels": Kind([labels], "labels.toml", lambda p: void(read_labels_file(p))),
        "edits": Kind([edits], "e.toml", lambda p: void(read_edits(p))),
        "phantom": Kind([(sample / "recipe.toml").read_bytes()], "p.toml", lambda p: void(read_recipe(p))),
        "clinical": Kind([clinical], "c.csv", lambda p: void(read_clinical(p))),
        "truth": Kind([json.dumps(truth).encode()], "truth.json", inside(lambda f: read_cohort(f, "truth"))),
        "table": Kind([table], "leaks.csv", inside(lambda f: read_cohort(f, "truth"))),
        "run": Kind([json.dumps(run).encode()], "run.json", inside(lambda f: read_cohort(f, "results"))),
        "report": Kind([report], "report.json", lambda p: void(read_report(p))),
        "reports": Kind([report], "a/report.json", lambda p: void(read_reports(p.parents[1]))),
        "ledger": Kind([json.dumps(line).encode() * 2 + b"\n"], "ledger.jsonl", inside(ledger_read(Ledger))),
    }


def ledger_read(make: Callable[[Path], Ledger]) -> Callable[[Path], None]:
    def read(out: Path) -> None:
        ledger = make(out)
        ledger.done_before("a", "d", "e")
        ledger.with_earlier(())

    return read


def void(_: object) -> None:
    return None


MAKERS: dict[str, Callable[[], Kind]] = {
    **{syntax: (lambda syntax=syntax: dicom_kind(syntax)) for syntax in SYNTAXES},
    "later": lambda: dicom_kind("dicom", "wounded.dcm"),
    "nifti": lambda: image_kind("scan.nii"),
    "gzip": lambda: image_kind("scan.nii.gz"),
    "nrrd": lambda: image_kind("scan.nrrd"),
    "seg": seg_kind,
    **{
        name: (lambda name=name: text_kinds()[name])
        for name in (
            "recipe", "labels", "edits", "phantom", "clinical", "truth", "table", "run", "report", "reports", "ledger"
        )
    },
}  # fmt: skip


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A seed after a few random wounds."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0 | 1 if data:
                data[at % len(data)] = rng.randrange(256)
            case 2 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 3:
                word = rng.choice(WORDS)
                data[at : at + len(word)] = word
            case 4:
                data[at:at] = rng.choice(WORDS)
            case 5:
                del data[at : at + rng.choice((1, 2, 4, 16, 100))]
            case 6:
                other = rng.choice(seeds)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.choice((4, 16, 64))]
            case _:
                if rng.random() < 0.3:
                    del data[at:]
    return bytes(data)


def attempt(kind: Kind, data: bytes, folder: Path, score: Score) -> str | None:
    """Read one input; the fault's name, or None."""
    from leakseg.errors import LeaksegError

    path = folder / kind.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    score.inputs += 1
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    fault = None
    try:
        kind.read(path)
        score.results += 1
    except LeaksegError as error:
        score.refused += 1
        told = str(error)
        if not told or "\n" in told:
            fault = f"unclear sentence of {place_of(error)}"
        elif type(error).__name__ != "ConfigError" and str(folder) in told:
            fault = f"path told by {place_of(error)}"
    except (Exception, TooMuch) as error:  # whatever it is, that is what we are looking for
        fault = f"{type(error).__name__} at {place_of(error)}"
    spent = time.process_time() - began
    score.slowest_s = max(score.slowest_s, spent)
    if fault is None and spent > SECONDS:
        fault = "slow"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if fault is None and grown > MEGABYTES:
        fault = "large"
    if fault is not None:
        score.faults.setdefault(fault, data)
    return fault


def place_of(error: BaseException) -> str:
    """The last place in leakseg that it passed."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if f"{os.sep}leakseg{os.sep}" in one.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.name}"


def fuzz(name: str, runs: int, seed: int) -> Score:
    """So many damaged inputs of one kind."""
    kind, score = MAKERS[name](), Score()
    with tempfile.TemporaryDirectory(dir=SHARED) as place:
        folder = Path(place, "in")
        folder.mkdir()
        with limited():
            for one in kind.seeds:
                attempt(kind, one, folder, score)
            assert score.results, f"{name}: the undamaged files are refused"
            rng = random.Random(f"{name} {seed}")
            for _ in range(runs):
                signal.alarm(int(SECONDS * 6))
                attempt(kind, mutated(rng, kind.seeds), folder, score)
    return score


def guided(name: str, runs: int, seed: int, end: Callable[[Score], None]) -> None:
    """The same under libFuzzer, which keeps inputs that reach new code; it never returns, so ``end`` ends the process.

    Coverage is that of leakseg and pydicom: their modules are loaded here, by reading the undamaged files.
    """
    import atheris

    score = Score()
    place = Path(tempfile.mkdtemp(dir=SHARED))
    folder, corpus, words = place / "in", place / "corpus", place / "words"
    folder.mkdir()
    corpus.mkdir()
    with atheris.instrument_imports(include=["leakseg", "pydicom"]):
        kind = MAKERS[name]()
        for one in kind.seeds:
            attempt(kind, one, folder, score)
    assert score.results, f"{name}: the undamaged files are refused"
    for number, one in enumerate(kind.seeds):
        (corpus / str(number)).write_bytes(one)
    words.write_text(
        "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS if len(word) < 64)
    )
    rng = random.Random(seed)

    def once(data: bytes) -> None:
        signal.alarm(int(SECONDS * 6))
        attempt(kind, data, folder, score)
        if score.inputs >= runs:
            shutil.rmtree(place)
            end(score)

    def custom(data: bytes, size: int, _seed: int) -> bytes:
        return (
            atheris.Mutate(data, size) if rng.random() < 0.5 or not data else mutated(rng, [data, *kind.seeds])[:size]
        )

    largest = max(map(len, kind.seeds)) * 2 + 8192
    arguments = ["fuzz", f"-seed={seed + 1}", f"-max_len={largest}", "-verbosity=0"]
    arguments += ["-rss_limit_mb=0", f"-dict={words}", str(corpus)]
    with limited():
        atheris.Setup(arguments, once, custom_mutator=custom, internal_libfuzzer=True)
        atheris.Fuzz()


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """A bound on memory, and an alarm for what does not end."""

    def ring(*_: object) -> None:
        raise TooMuch

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, ring)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, hard))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def told(name: str, score: Score, keep: Path | None) -> None:
    print(
        f"{name:10} {score.inputs:7} inputs {score.results:7} read {score.refused:7} refused "
        f"{len(score.faults):3} faults   slowest {score.slowest_s:.2f} s",
        flush=True,
    )
    for fault, data in score.faults.items():
        digest = hashlib.sha256(data).hexdigest()[:12]
        print(f"  {fault}  ({len(data)} bytes, {digest})", flush=True)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{name}-{digest}").write_bytes(data)


def apart(name: str, arguments: argparse.Namespace) -> int:
    """One kind in a process of its own; libFuzzer ends it by itself."""
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in {0, 1}:
            print(
                f"{name:10} CRASHED with exit code {code}; its last input lies in a folder under {SHARED}", flush=True
            )
        return abs(code)
    if arguments.engine == "random":
        MAKERS[name]()  # what is wrong with the seeds themselves is told
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what native libraries say of damaged files is not

    def end(score: Score) -> None:
        told(name, score, arguments.keep)
        os._exit(1 if score.faults else 0)

    if arguments.engine == "atheris":
        guided(name, arguments.runs, arguments.seed, end)
    end(fuzz(name, arguments.runs, arguments.seed))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("random", "atheris"), default="random")
    parser.add_argument("--kinds", nargs="*", choices=sorted(MAKERS), default=list(MAKERS))
    parser.add_argument("--runs", type=int, default=1000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that were faults")
    arguments = parser.parse_args()
    return max([apart(name, arguments) for name in arguments.kinds])


if __name__ == "__main__":
    sys.exit(main())
