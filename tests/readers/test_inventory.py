"""What is found in folders: grouped, judged, chosen, named, and the rest passed over with a reason."""

import os

import numpy as np
import pytest
from pydicom.uid import UID

from leakseg.criteria import ReadingCriteria
from leakseg.errors import ConfigError
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti
from leakseg.readers import read_volume, take_inventory

SMALL = {"shape": (12, 9, 8), "spacing": (2.5, 3.0, 2.0)}


def series(bench, folder, number=2, change=None, study="1.2.3.9", names=None, **painted):
    """Write a small series; its UID ends in its number."""
    made = bench.Painted(**(SMALL | painted), series_uid=f"1.2.3.{number}", study_uid=study).datasets()
    for dataset in made:
        dataset.SeriesNumber = number
        for keyword, value in (change or {}).items():
            setattr(dataset, keyword, value)
    return bench.save(made, folder, names=names)


def reasons(inventory):
    return {entry.source.series_instance_uid: entry.reason for study in inventory.studies for entry in study.series}


def chosen(inventory):
    return [entry.source.series_instance_uid for entry in inventory.cases() if entry.analysable]


def test_series_are_told_apart_in_one_folder_and_joined_over_several(bench, tmp_path):
    series(bench, tmp_path / "in" / "a", 5, study="1.5")
    series(bench, tmp_path / "in" / "a", 3, study="1.6", names=[f"second{k}" for k in range(12)])
    made = bench.Painted(**SMALL, series_uid="1.2.3.7", study_uid="1.7").datasets()
    bench.save(made[::2], tmp_path / "in" / "b" / "deep" / "one")
    bench.save(made[1::2], tmp_path / "in" / "b" / "deep" / "two")
    inventory = bench.inventory(tmp_path / "in")
    assert len(inventory.studies) == 3
    cases = {entry.source.case_id: entry.source for entry in inventory.cases()}
    assert {name: source.series_instance_uid for name, source in cases.items()} == {
        "a": "1.2.3.3", "a-2": "1.2.3.5", "b-deep": "1.2.3.7"
    }  # fmt: skip
    assert len(cases["b-deep"].files) == 12
    assert cases["b-deep"].folder == tmp_path / "in" / "b" / "deep"
    for source in cases.values():
        assert bench.wrong(read_volume(source, ReadingCriteria())) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.7")}, "secondary capture"),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER", "DOSE_INFO"]}, "dose report"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MIP"]}, "maximum intensity projection"),
        ({"ImageType": ["DERIVED", "SECONDARY", "3D"]}, "3D rendering"),
        ({"SamplesPerPixel": 3}, "colour image"),
        ({"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.128")}, "SOP class is 1.2.840.10008.5.1.4.1.1.128"),
    ],
)
def test_series_that_are_no_scan_have_their_reason(bench, tmp_path, change, reason):
    series(bench, tmp_path, change=change)
    (case,) = bench.inventory(tmp_path).cases()
    assert not case.analysable
    assert reason in case.reason


def test_a_study_without_ct_is_no_case(bench, tmp_path):
    series(bench, tmp_path, change={"Modality": "MR", "SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.4")})
    inventory = bench.inventory(tmp_path)
    assert inventory.cases() == ()
    assert reasons(inventory) == {"1.2.3.2": "Not CT: its modality is MR."}


def test_a_study_with_nothing_to_analyse_is_refused_once_with_its_reasons(bench, tmp_path):
    series(bench, tmp_path / "scout", 1, change={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    series(bench, tmp_path / "few", 2, shape=(5, 9, 8))
    (case,) = bench.inventory(tmp_path).cases()
    assert "localizer" in case.reason
    assert "Too few slices: 5" in case.reason


def test_a_localizer_within_the_series_is_left_out_with_a_note(bench, tmp_path):
    series(bench, tmp_path)
    scout = bench.Painted(shape=(10, 9, 8), axes="LIP").datasets()[0]
    scout.SOPInstanceUID, scout.SeriesInstanceUID, scout.StudyInstanceUID = "1.2.3.99", "1.2.3.2", "1.2.3.9"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    bench.save([scout], tmp_path, names=["scout"])
    scan = bench.read(tmp_path)
    assert [note.code for note in scan.notes] == ["images_left_out"]
    assert scan.volume.grid.shape == (12, 9, 8)


class TestChoice:
    """One study with several reconstructions."""

    def test_thin_axial_slices_of_the_whole_length_win(self, bench, tmp_path):
        series(bench, tmp_path / "thick", 1, shape=(12, 9, 8), spacing=(5.0, 3, 2), change={"SliceThickness": 5})
        series(bench, tmp_path / "thin", 2, shape=(48, 9, 8), spacing=(1.25, 3, 2), change={"SliceThickness": 1.25})
        series(bench, tmp_path / "part", 3, shape=(40, 9, 8), spacing=(0.6, 3, 2), change={"SliceThickness": 0.6})
        series(
            bench, tmp_path / "sagittal", 4, shape=(40, 20, 8), spacing=(1, 3, 2), axes="LIP",
            change={"ImageType": ["DERIVED", "PRIMARY", "MPR"], "SliceThickness": 1},
        )  # fmt: skip
        inventory = bench.inventory(tmp_path)
        assert chosen(inventory) == ["1.2.3.2"]
        (case,) = inventory.cases()
        assert "Series 2 was chosen of 4" in case.choice
        assert "axial" in case.choice
        assert all(value is None for value in reasons(inventory).values())
        assert len(bench.inventory(tmp_path, all_series=True).cases()) == 4

    def test_of_equals_the_soft_kernel_wins(self, bench, tmp_path):
        for number, kernel in ((1, "B70s"), (2, "B31s"), (3, "BONE")):
            series(bench, tmp_path / kernel, number, change={"ConvolutionKernel": kernel})
        (case,) = bench.inventory(tmp_path).cases()
        assert case.source.series_instance_uid == "1.2.3.2"
        assert "soft kernel B31s" in case.choice

    def test_a_study_of_reformats_alone_is_analysed_with_a_note(self, bench, tmp_path):
        series(
            bench, tmp_path, shape=(16, 20, 8), spacing=(2, 3, 2), axes="LIP",
            change={"ImageType": ["DERIVED", "PRIMARY", "MPR"]},
        )  # fmt: skip
        (case,) = bench.inventory(tmp_path).cases()
        assert case.analysable
        assert [note.code for note in case.notes] == ["reformat"]
        scan = read_volume(case.source, ReadingCriteria())
        assert bench.wrong(scan) == 0
        assert scan.volume.grid.orientation == "SPL"

    def test_a_stretch_that_only_another_series_shows_is_told(self, bench, tmp_path):
        series(bench, tmp_path / "lumbar", 1, shape=(40, 9, 8), spacing=(1, 3, 2))
        made = bench.Painted(**SMALL, series_uid="1.2.3.2", study_uid="1.2.3.9").datasets()
        for dataset in made:
            dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:2], dataset.ImagePositionPatient[2] + 300]
        bench.save(made, tmp_path / "neck")
        (case,) = bench.inventory(tmp_path).cases()
        assert [(note.code, note.severity) for note in case.notes] == [("series_left_out", "warning")]

    def test_the_thin_series_that_is_refused_is_told_with_the_thick_one(self, bench, tmp_path):
        series(bench, tmp_path / "thick", 3, shape=(12, 9, 8), spacing=(5.0, 3, 2))
        thin = bench.Painted(shape=(48, 9, 8), spacing=(1.25, 3, 2), series_uid="1.2.3.2", study_uid="1.2.3.9")
        bench.save([one for k, one in enumerate(thin.datasets()) if k not in (20, 21, 22)], tmp_path / "thin")
        (case,) = bench.inventory(tmp_path).cases()
        assert case.source.series_instance_uid == "1.2.3.3"
        (note,) = case.notes
        assert (note.code, note.severity) == ("series_unusable", "warning")
        assert note.message.startswith("Series 2 of this study (45 images) could not be analysed: 3 slices missing")

    def test_a_coarser_series_that_is_refused_is_no_warning(self, bench, tmp_path):
        series(bench, tmp_path / "thin", 2, shape=(48, 9, 8), spacing=(1.25, 3, 2))
        series(
            bench, tmp_path / "raw", 3, shape=(12, 9, 8), spacing=(5.0, 3, 2), change={"RescaleType": "US"}
        )  # fmt: skip
        (case,) = bench.inventory(tmp_path).cases()
        assert [(note.code, note.severity) for note in case.notes] == [("series_unusable", "info")]

    @pytest.mark.parametrize(("agent", "codes"), [("Iomeron 300", ["contrast_agent"]), ("None", []), ("", [])])
    def test_a_contrast_agent_is_told(self, bench, tmp_path, agent, codes):
        series(bench, tmp_path, change={"ContrastBolusAgent": agent})
        (case,) = bench.inventory(tmp_path).cases()
        assert [(note.code, note.severity) for note in case.notes] == [(code, "info") for code in codes]

    def test_scouts_captures_and_the_watch_on_a_bolus_are_not_missed(self, bench, tmp_path):
        series(bench, tmp_path / "scan", 2)
        series(bench, tmp_path / "scout", 1, change={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
        series(bench, tmp_path / "mip", 4, change={"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MIP"]})
        bolus = bench.Painted(**(SMALL | {"shape": (30, 9, 8)}), series_uid="1.2.3.5", study_uid="1.2.3.9").datasets()
        for dataset in bolus:
            dataset.ImagePositionPatient = bolus[0].ImagePositionPatient
        bench.save(bolus, tmp_path / "bolus")
        (case,) = bench.inventory(tmp_path).cases()
        assert case.notes == ()


class TestPassedOver:
    """Files and folders that are never scans."""

    def test_broken_and_foreign_files(self, bench, tmp_path):
        series(bench, tmp_path / "scan")
        good = next((tmp_path / "scan").iterdir()).read_bytes()
        for name, data in (
            ("empty", b""),
            ("README.txt", b"not an image"),
            ("random", np.random.default_rng(1).bytes(5000)),
            ("only a preamble", good[:132]),
            ("cut in the header", good[:300]),
            ("broken\nname", b"x" * 200),
            ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100)),
        ):
            (tmp_path / name).write_bytes(data)
        inventory = bench.inventory(tmp_path)
        assert chosen(inventory) == ["1.2.3.2"]
        found = {one.path.name: one.reason for one in inventory.ignored}
        assert set(found) == {
            "empty", "README.txt", "random", "only a preamble", "cut in the header", "broken\nname", "picture.png"
        }  # fmt: skip
        assert found["empty"] == "The file is empty."
        assert all("\n" not in reason and reason.endswith(".") for reason in found.values())

    @pytest.mark.parametrize("mark", [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08\x00"])
    def test_packed_archives_are_to_be_unpacked(self, bench, tmp_path, mark):
        (tmp_path / "study").write_bytes(mark + bytes(300))
        (ignored,) = bench.inventory(tmp_path).ignored
        assert "unpack it" in ignored.reason

    def test_a_series_of_two_patients_is_refused_without_their_names(self, bench, tmp_path):
        """Its results would be filed under one of them; an ID for each slice is a de-identifier's."""
        for number, names in ((1, ["KEY1", "KEY2"]), (2, ["KEY1"]), (3, None)):
            made = bench.Painted(**SMALL, series_uid=f"1.2.3.{number}", study_uid=f"1.2.4.{number}").datasets()
            for place, dataset in enumerate(made):
                dataset.PatientID = names[place % len(names)] if names else f"KEY{place}"
            bench.save(made, tmp_path / str(number))
        told = reasons(bench.inventory(tmp_path))
        assert "The slices name 2 different patients (PatientID)" in told["1.2.3.1"]
        assert "KEY" not in told["1.2.3.1"]
        assert told["1.2.3.2"] is None
        assert told["1.2.3.3"] is None

    @pytest.mark.parametrize("mark", [b"CD001", b"BEA01"])
    def test_images_of_discs_are_to_be_opened(self, bench, tmp_path, mark):
        (tmp_path / "study.iso").write_bytes(bytes(32769) + mark + bytes(300))
        (ignored,) = bench.inventory(tmp_path).ignored
        assert "open (mount) it" in ignored.reason

    def test_an_index_named_for_a_scan_says_what_to_name(self, bench, tmp_path):
        index = bench.Painted(**SMALL).datasets()[0]
        index.SOPClassUID = index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
        bench.save([index], tmp_path, names=["DICOMDIR"])
        (ignored,) = bench.inventory(tmp_path / "DICOMDIR").ignored
        assert "name its folder" in ignored.reason

    def test_masks_truth_and_results(self, bench, tmp_path):
        for folder in ("masks", "truth", "expected"):
            series(bench, tmp_path / "case" / folder, 3)
        series(bench, tmp_path / "case" / "scan", 2)
        series(bench, tmp_path / "out" / "deep", 4)
        (tmp_path / "out" / "run.json").write_text("{}")
        grid = Grid((20, 20, 20), np.diag([2.0, 2.0, 2.0, 1.0])[[2, 1, 0, 3]])
        hu = np.full(grid.shape, -1000, np.int16)
        for name in ("vertebrae", "vertebrae_L1", "L1", "canal", "spinal_canal", "spinal_cord_x", "cord", "truth_ct",
                     "vertebrae_body", "my_discs", "T13_x", "C1.seg"):  # fmt: skip
            write_nifti(tmp_path / "case" / f"{name}.nii.gz", grid, hu)
        inventory = bench.inventory(tmp_path)
        assert [entry.source.relative_path for entry in inventory.cases()] == ["case/scan"]
        assert len(inventory.ignored) == 3 + 1 + 12
        assert {one.path.name for one in inventory.ignored} >= {"out", "masks", "truth", "expected"}

    def test_links_in_a_circle_and_pipes(self, bench, tmp_path):
        series(bench, tmp_path / "scans" / "a")
        (tmp_path / "scans" / "a" / "loop").symlink_to(tmp_path / "scans")
        (tmp_path / "scans" / "gone").symlink_to(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "scans" / "pipe")
        inventory = bench.inventory(tmp_path / "scans")
        assert [len(entry.source.files) for entry in inventory.cases()] == [12]
        assert {one.path.name: one.reason for one in inventory.ignored} == {
            "loop": "A link to something already seen.",
            "gone": "Cannot be opened: No such file or directory.",
            "pipe": "A device or a pipe, not a file.",
        }

    def test_linked_folders_are_followed(self, bench, tmp_path):
        series(bench, tmp_path / "archive" / "scan")
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "patient").symlink_to(tmp_path / "archive" / "scan")
        assert bench.only_case(tmp_path / "scans").source.case_id == "patient"

    def test_the_same_folder_named_twice_counts_once(self, bench, tmp_path):
        series(bench, tmp_path / "a")
        assert len(bench.inventory(tmp_path / "a", tmp_path).cases()) == 1

    def test_a_path_that_is_not_there(self, tmp_path):
        with pytest.raises(ConfigError, match="no file or folder"):
            take_inventory([tmp_path / "nowhere"], ReadingCriteria())

    def test_nothing_at_all(self, bench, tmp_path):
        assert bench.inventory(tmp_path).cases() == ()


def test_copies_of_a_whole_study_are_one_case(bench, tmp_path):
    series(bench, tmp_path / "in" / "a")
    series(bench, tmp_path / "in" / "backup")
    scan = bench.read(tmp_path / "in")
    assert scan.volume.series.slices == 12
    assert [note.code for note in scan.notes] == ["slices_double"]


def test_one_dicom_file_of_many_frames_named_outright(bench, tmp_path):
    folder = bench.save([bench.enhanced(bench.Painted().datasets())], tmp_path / "x", names=["whole.dcm"])
    assert bench.wrong(bench.read(folder / "whole.dcm")) == 0


def test_entries_say_what_was_measured(bench, tmp_path):
    series(bench, tmp_path / "a")
    case = bench.only_case(tmp_path)
    assert (case.modality, case.slices, case.spacing_mm) == ("CT", 12, pytest.approx((2.5, 3.0, 2.0)))
    assert case.chosen
    assert case.choice == ""
    assert case.source.study_instance_uid == "1.2.3.9"
