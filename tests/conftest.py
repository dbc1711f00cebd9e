"""Options of the whole suite."""


def pytest_addoption(parser):
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write sample_dicom/expected anew where a run differs from it by more than the stated tolerances",
    )
