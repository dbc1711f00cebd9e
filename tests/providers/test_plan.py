from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
import pytest

from leakseg.errors import AnatomyError, ConfigError, InputError, LeaksegError
from leakseg.providers import plan_masks
from leakseg.volume import ScanSource

LABELS = '20 = "L1"\n21 = "L2"\n'


def touch(folder: Path, *names: str) -> None:
    """Empty files: planning must not open an image."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def names(plan_files: tuple[Path, ...]) -> list[str]:
    return [path.name for path in plan_files]


def test_a_labelmap_given_alone_needs_no_role(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path, "drawn.nii.gz")
    plan = plan_masks([str(tmp_path / "drawn.nii.gz")], scan, "verse")
    assert (plan.provider, plan.roles, plan.scheme) == ("precomputed", ("vertebrae",), "verse")
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_numbers_without_names_or_scheme_are_refused(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path, "drawn.nii.gz")
    with pytest.raises(AnatomyError, match=r"not guessed \(26 is S1, L6 or sacrum\).*--label-scheme verse"):
        plan_masks([str(tmp_path / "drawn.nii.gz")], scan)


def test_a_labels_file_beside_names_the_numbers_and_belongs_to_the_digest(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path / "m", "vertebrae.nii.gz", "canal.nii.gz")
    (tmp_path / "m" / "labels.toml").write_text(LABELS)
    plan = plan_masks([str(tmp_path / "m")], scan)
    assert dict(zip(names(plan.files), plan.roles, strict=True)) == {
        "vertebrae.nii.gz": "vertebrae",
        "labels.toml": "names",
        "canal.nii.gz": "canal",
    }
    assert plan.scheme == "labels.toml"


def test_a_wrong_labels_file_costs_its_case_alone(scan: ScanSource, tmp_path: Path) -> None:
    """A `ConfigError` would end the whole run."""
    touch(tmp_path / "m", "vertebrae.nii.gz")
    (tmp_path / "m" / "labels.toml").write_text('20 = "L9"')
    with pytest.raises(AnatomyError, match="'L9', which is no vertebra"):
        plan_masks([str(tmp_path / "m")], scan)


def test_the_scheme_given_wins_over_the_labels_file(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path / "m", "vertebrae.nii.gz")
    (tmp_path / "m" / "labels.toml").write_text(LABELS)
    assert plan_masks([str(tmp_path / "m")], scan, "verse").scheme == "verse"


def test_a_folder_for_many_is_looked_up_by_path_then_id_then_file(scan: ScanSource, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    touch(folder, "case-a-ct.nii.gz", "case-b.nii.gz", "vertebrae.nii.gz")
    assert names(plan_masks([str(folder)], scan, "verse").files) == ["case-a-ct.nii.gz"]
    touch(folder / "case-a-ct", "vertebrae_L1.nii.gz", "spinal_cord.nii.gz")
    assert plan_masks([str(folder)], scan).roles == ("L1", "cord")
    touch(folder / "case-a" / "ct", "anything.nii.gz")
    assert names(plan_masks([str(folder)], scan, "verse").files) == ["anything.nii.gz"]


def test_a_folder_for_many_may_hold_one_for_the_folder_of_a_lone_image(scan: ScanSource, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    touch(folder / "case-a", "vertebrae.nii.gz", "canal.nii.gz")
    assert plan_masks([str(folder)], scan, "verse").roles == ("canal", "vertebrae")
    touch(scan.folder, "another.nii.gz")  # now that folder's name tells two scans
    with pytest.raises(InputError, match="holds nothing for this case"):
        plan_masks([str(folder)], scan, "verse")


def test_another_cases_lone_file_is_not_taken(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path / "masks", "case-b.nii.gz")
    with pytest.raises(InputError, match="holds nothing for this case"):
        plan_masks([str(tmp_path / "masks")], scan, "verse")


def test_one_file_per_structure(scan: ScanSource, tmp_path: Path) -> None:
    folder = tmp_path / "total"
    touch(folder, "vertebrae_L2.nii.gz", "vertebrae_T12.nii.gz", "vertebrae_S1.nii.gz", "sacrum.nii.gz", "liver.nii.gz")
    plan = plan_masks([str(folder)], scan)
    assert plan.roles == ("T12", "L2", "S1", "S1")
    assert plan.scheme == "file names"
    assert [note.code for note in plan.notes] == ["mask_files_left_out"]


def test_roles_said_outright_win(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path / "m", "vertebrae.nii.gz", "canal.nii.gz", "mine.nii.gz")
    plan = plan_masks([str(tmp_path / "m"), f"canal={tmp_path / 'm' / 'mine.nii.gz'}"], scan, "verse")
    assert dict(zip(plan.roles, names(plan.files), strict=True)) == {
        "canal": "mine.nii.gz",
        "vertebrae": "vertebrae.nii.gz",
    }


def test_a_role_may_be_a_folder_for_many(scan: ScanSource, tmp_path: Path) -> None:
    touch(tmp_path / "v", "case-a-ct.nii.gz")
    touch(tmp_path / "c", "case-a-ct.nrrd")
    plan = plan_masks([f"vertebrae={tmp_path / 'v'}", f"canal={tmp_path / 'c'}"], scan, "verse")
    assert plan.roles == ("vertebrae", "canal")


@pytest.mark.parametrize(
    ("specs", "error", "sentence"),
    [
        (["{tmp}/none.nii.gz"], InputError, "do not exist"),
        (["canal={tmp}/none.nii.gz"], InputError, "given as canal do not exist"),
        (["spine={tmp}/canal.nii.gz"], ConfigError, "'spine' is no role"),
        (["{tmp}/canal.nii.gz"], AnatomyError, "hold no vertebrae"),
        (["{tmp}/a.nii.gz", "{tmp}/b.nii.gz"], AnatomyError, "go by the role vertebrae"),
        (["{tmp}/notes.txt"], InputError, "neither NIfTI, NRRD nor DICOM SEG"),
        (["auto", "{tmp}/a.nii.gz"], ConfigError, "stands alone"),
        (["{tmp}/twice"], AnatomyError, "both go by the role canal"),
        (["{tmp}/mixed"], AnatomyError, "a labelmap of vertebrae and a mask of L1"),
        (["{tmp}/empty"], InputError, "holds nothing for this case"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_own_sentence(
    scan: ScanSource, tmp_path: Path, specs: list[str], error: type[LeaksegError], sentence: str
) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz", "canal.nii.gz", "notes.txt")
    touch(tmp_path / "twice", "canal.nii.gz", "canal_2.nii.gz", "vertebrae.nii.gz")
    touch(tmp_path / "mixed", "vertebrae.nii.gz", "L1.nii.gz")
    touch(tmp_path / "empty")
    with pytest.raises(error, match=sentence) as caught:
        plan_masks([spec.format(tmp=tmp_path) for spec in specs], scan, "verse")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("place", ["work/case-a", "work/case-a/masks"])
def test_auto_finds_role_named_files_beside_the_scan(scan: ScanSource, tmp_path: Path, place: str) -> None:
    touch(tmp_path / place, "vertebrae.nii.gz", "canal.nii.gz")
    for specs in ([], ["auto"]):
        assert sorted(plan_masks(specs, scan, "verse").roles) == ["canal", "vertebrae"]


@pytest.mark.parametrize("kind", ["dicom", "nifti"])
def test_auto_finds_the_masks_a_phantom_wrote(tmp_path: Path, kind: Literal["dicom", "nifti"]) -> None:
    touch(tmp_path / "out/masks/case-1", "vertebrae.nii.gz", "canal.nii.gz")
    (tmp_path / "out/masks/case-1/labels.toml").write_text("[labels]\n" + LABELS)
    if kind == "dicom":
        folder, image = tmp_path / "out/scans/case-1", tmp_path / "out/scans/case-1/0001.dcm"
    else:
        folder, image = tmp_path / "out/scans", tmp_path / "out/scans/case-1.nii.gz"
    touch(folder, image.name)
    plan = plan_masks([], ScanSource("case-1", "scans/case-1", folder, (image,), kind))
    assert plan.provider == "precomputed"
    assert plan.roles == ("canal", "vertebrae", "names")


def test_auto_passes_over_what_it_cannot_name_and_says_so(scan: ScanSource) -> None:
    touch(scan.folder, "vertebrae.nii.gz")
    plan = plan_masks([], scan)
    assert (plan.provider, plan.files, plan.scheme) == ("builtin", (), None)
    (note,) = plan.notes
    assert note.code == "masks_passed_over"
    assert "not guessed" in note.message


def test_a_scheme_that_names_no_masks_is_told(scan: ScanSource) -> None:
    touch(scan.folder, "seg_total_v2.nii.gz")
    plan = plan_masks([], scan, "totalsegmentator")
    (note,) = plan.notes
    assert (plan.provider, note.code, note.severity) == ("builtin", "label_scheme_unused", "warning")
    assert plan_masks([], scan).notes == ()


def test_a_misspelt_word_is_told_with_the_words_there_are(scan: ScanSource) -> None:
    with pytest.raises(InputError, match="none of the words auto, builtin, totalsegmentator"):
        plan_masks(["totalseg"], scan)


def test_builtin_looks_at_no_file(scan: ScanSource) -> None:
    touch(scan.folder, "vertebrae.nii.gz", "canal.nii.gz")
    plan = plan_masks(["builtin"], scan, "verse")
    assert (plan.provider, plan.files, plan.notes) == ("builtin", (), ())


def test_auto_takes_no_canal_for_a_vertebra(scan: ScanSource) -> None:
    touch(scan.folder, "canal.nii.gz")
    touch(scan.folder / "masks", "L1.nii.gz", "canal.nii.gz")
    plan = plan_masks([], scan)
    assert [path.parent.name for path in plan.files] == ["masks", "masks"]
    assert [note.code for note in plan.notes] == ["masks_passed_over"]


def test_the_scan_itself_is_no_mask(scan: ScanSource) -> None:
    image = scan.folder / "vertebrae_ct.nii.gz"
    touch(scan.folder, image.name)
    with pytest.raises(InputError, match="holds nothing"):
        plan_masks([str(scan.folder)], replace(scan, files=(image, *scan.files)), "verse")


def test_names_in_the_files_own_header(scan: ScanSource, tmp_path: Path) -> None:
    rows = "".join(
        f'<Label Key="{n}" Red="0"><![CDATA[{name}]]></Label>' for n, name in ((31, "vertebrae_L1"), (5, "liver"))
    )
    path = tmp_path / "total.nii.gz"
    write_with_table(path, rows)
    plan = plan_masks([str(path)], scan)
    assert plan.scheme == "names in the file"


def test_bare_numbers_called_l_in_a_header_are_no_lumbar_vertebrae(scan: ScanSource, tmp_path: Path) -> None:
    path = tmp_path / "total.nii.gz"
    write_with_table(path, "".join(f'<Label Key="{n}" Red="0"><![CDATA[L{n}]]></Label>' for n in (1, 2, 3)))
    with pytest.raises(AnatomyError, match="not guessed"):
        plan_masks([str(path)], scan)


def write_with_table(path: Path, rows: str) -> None:
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    text = f"<CaretExtension><VolumeInformation><LabelTable>{rows}</LabelTable></VolumeInformation></CaretExtension>"
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, text.encode()))
    nib.save(image, path)


def test_a_scan_among_the_masks_is_none_of_them_links_followed(scan: ScanSource, tmp_path: Path) -> None:
    """A role-named scan file, under its own name or linked there, is not taken for a mask of itself."""
    touch(tmp_path / "store", "cord.nii.gz")
    folder = tmp_path / "masks"
    touch(folder, "vertebrae.nii.gz", "canal.nii.gz")
    (folder / "cord.nii.gz").symlink_to(tmp_path / "store" / "cord.nii.gz")
    (tmp_path / "scans").symlink_to(tmp_path / "store")
    (tmp_path / "linked.nii.gz").symlink_to(folder / "cord.nii.gz")
    for file in (
        folder / "cord.nii.gz",
        tmp_path / "scans" / "cord.nii.gz",
        tmp_path / "linked.nii.gz",
    ):
        plan = plan_masks([str(folder)], replace(scan, files=(file,)), "verse")
        assert set(plan.roles) == {"canal", "vertebrae"}
    assert set(plan_masks([str(folder)], scan, "verse").roles) == {"canal", "cord", "vertebrae"}
