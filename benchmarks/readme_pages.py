"""The README's screenshots: the index and a case's page of `leakseg run sample_dicom -o results`, in Chromium.

Needs leakseg[test] and Chromium: python benchmarks/readme_pages.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = {
    "readme_index.png": ("index.html", "body", 680),
    "readme_page.png": ("scans-three-leaks/report.html", "body[data-planes=ready]", 900),
}


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        out = Path(folder) / "results"
        # Exit code 1 is right: one of the samples is there to be refused.
        subprocess.run(
            [sys.executable, "-m", "leakseg", "run", str(ROOT / "sample_dicom"), "-o", str(out)], check=False
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for name, (page_name, ready, height) in PICTURES.items():
            page = browser.new_page(viewport={"width": 1280, "height": height}, color_scheme="light")
            page.goto((out / page_name).as_uri())
            page.wait_for_selector(ready)
            page.screenshot(path=str(ROOT / "benchmarks" / name))
        browser.close()


if __name__ == "__main__":
    main()
