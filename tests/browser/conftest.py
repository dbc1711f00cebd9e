"""Pages of the sample studies, opened from disk in headless Chromium; skipped where there is no Chromium."""

import shutil
from pathlib import Path

import pytest

from leakseg.batch.job import Job, run_job
from leakseg.config import load_config

SAMPLES = Path(__file__).parents[2] / "sample_dicom"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Nobody:
    def found(self, cases):
        pass

    def ended(self, outcome):
        pass


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("pages") / "out"
    config = load_config(None, {"write": ("json", "html", "png"), "workers": 0})
    run_job(Job(scans=(SAMPLES,), out=out, config=config), Nobody())
    return out


@pytest.fixture(scope="session")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        yield browser
        browser.close()


class Visit:
    """A page with everything it asked for and complained of."""

    def __init__(self, context):
        self.page = context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" else None,
        )

    def open(self, path):
        self.page.goto(path.as_uri())
        return self.page


@pytest.fixture
def visit(chromium):
    contexts = []

    def start(**options):
        contexts.append(chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options)))
        return Visit(contexts[-1])

    yield start
    for context in contexts:
        context.close()
