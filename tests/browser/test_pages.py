"""What a radiologist does with the pages, done in a real browser from disk."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import expect

from leakseg.cli import run_command

EPIDURAL = "#D55E00"


@pytest.fixture
def case(results):
    return results / "scans-three-leaks" / "report.html"


def pixels(locator):
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def coloured(picture, colour, tolerance=40):
    return (np.abs(picture - np.array(ImageColor.getrgb(colour))).max(axis=2) < tolerance).sum()


def opened(visit, case):
    page = visit.open(case)
    page.wait_for_selector("body[data-planes=ready]")
    return page


def test_the_verdict_comes_first_and_the_leak_is_in_front_of_the_reader(visit, case):
    page = opened(one := visit(), case)
    assert page.inner_text("h1").startswith("Epidural leak at L3, left paracentral")
    first = page.locator("article").first
    assert first.locator("h2").inner_text().endswith("epidural, paracentral left, L3")
    picture = first.locator("img")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 500")
    assert picture.bounding_box()["y"] < 450, "the leak's picture is on the first screen"
    assert coloured(pixels(picture), EPIDURAL) > 100
    assert not one.complaints


def test_the_planes_scroll_by_wheel_slider_and_click(visit, case):
    page = opened(visit(), case)
    slider, box = page.locator("#axial-slice"), page.locator("#axial")
    start, before = int(slider.input_value()), pixels(box)
    box.hover()
    page.mouse.wheel(0, -120)
    expect(slider).to_have_value(str(start + 1))
    assert np.abs(pixels(box) - before).max() > 50
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert int(slider.input_value()) == start
    page.locator("#sagittal canvas").click(position={"x": 40, "y": 30})
    assert int(slider.input_value()) > start, "a click near the top of the sagittal plane goes up"


def test_the_first_slices_show_the_worst_leak_on_its_side(visit, case):
    page = opened(visit(), case)
    picture = pixels(page.locator("#axial canvas"))
    where = np.nonzero(np.abs(picture - np.array(ImageColor.getrgb(EPIDURAL))).max(axis=2) < 40)
    assert len(where[0]) > 50
    assert where[1].mean() > picture.shape[1] / 2, "the left leak is on the picture's right"
    sides = [page.inner_text(f"#axial .{side}") for side in "wens"]
    assert sides == ["R", "L", "A", "P"]
    assert [page.inner_text(f"#sagittal .{side}") for side in "wens"] == ["A", "P", "S", "I"]
    assert [page.inner_text(f"#coronal .{side}") for side in "wens"] == ["R", "L", "S", "I"]


def test_overlays_go_and_come_and_windows_change_the_grey(visit, case):
    page = opened(visit(), case)
    box = page.locator("#axial canvas")
    page.locator("[data-kind=leaks]").uncheck()
    assert coloured(pixels(box), EPIDURAL) == 0
    page.locator("[data-kind=leaks]").check()
    with_leak = pixels(box)
    assert coloured(with_leak, EPIDURAL) > 50
    page.locator("#window").select_option(label="soft tissue")
    assert pixels(box).mean() > with_leak.mean() + 10


def test_each_leak_can_be_shown_in_the_view(visit, case):
    page = opened(visit(), case)
    before = page.input_value("#axial-slice")
    page.locator("article").nth(1).get_by_role("button", name="Show in the interactive view").click()
    assert page.input_value("#axial-slice") != before
    assert page.evaluate("document.activeElement.id") == "axial-slice"


def test_the_view_in_three_dimensions_turns(visit, case):
    one = visit()
    page = opened(one, case)
    solid = page.locator("#solid-view")
    solid.scroll_into_view_if_needed()
    page.wait_for_selector("body[data-solid]", timeout=90_000)
    assert page.evaluate("document.body.dataset.solid") == "ready", page.inner_text("#solid-state")
    expect(page.locator("#solid-view canvas").first).to_be_attached()
    page.wait_for_timeout(1500)
    before = pixels(solid)
    assert before.std() > 10, "something is drawn"
    middle = solid.bounding_box()
    page.mouse.move(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
    page.mouse.down()
    page.mouse.move(middle["x"] + middle["width"] / 2 + 120, middle["y"] + middle["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_timeout(1000)
    assert (np.abs(pixels(solid) - before).max(axis=2) > 30).mean() > 0.01
    assert not one.complaints


def test_nothing_leaves_the_page(visit, case, results):
    for path in (case, results / "index.html"):
        one = visit()
        page = one.open(path)
        page.mouse.wheel(0, 5000)
        page.wait_for_timeout(500)
        assert one.requests
        assert all(re.match(r"(file|blob|data):", address) for address in one.requests)
        # The page's own policy stops it even if someone wrote a request into it.
        asked = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'stopped')")
        assert asked == "stopped"
        assert any("Content Security Policy" in complaint for complaint in one.complaints)


def test_without_scripts_and_without_webgl_the_pictures_stand(visit, case):
    bare = visit(java_script_enabled=False).open(case)
    assert bare.locator("article img").count() == 3
    assert "pictures on this page show the same" in bare.inner_text("#view-state")
    one = visit()
    one.page.add_init_script(
        "const real = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.startsWith('webgl') ? null : real.call(this, kind, ...rest); };"
    )
    page = opened(one, case)
    assert "no WebGL" in page.inner_text("#solid-state")
    assert coloured(pixels(page.locator("#axial canvas")), EPIDURAL) > 50
    assert not one.complaints


def test_pages_are_read_in_the_dark_and_on_paper(visit, case):
    page = opened(visit(color_scheme="dark"), case)
    body = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(body) == "rgb(16, 19, 23)"
    page.locator("#theme").click()
    assert page.evaluate(body) == "rgb(255, 255, 255)"
    page.emulate_media(media="print")
    assert not page.locator("#view").is_visible()
    assert page.locator("article img").first.is_visible()


def test_pictures_are_told_to_those_who_do_not_see_them(visit, case):
    page = opened(visit(), case)
    assert page.evaluate("[...document.images].every(image => image.alt.length > 30)")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter(one => one.offsetParent &&"
        " !(one.labels && one.labels.length) && !one.textContent.trim()).length"
    )
    assert unnamed == 0
    assert page.get_by_role("main").count() == page.get_by_role("heading", level=1).count() == 1


def test_the_index_sorts_and_filters_with_the_worst_first(visit, results):
    one = visit()
    page = one.open(results / "index.html")

    def cases():
        return page.eval_on_selector_all(
            "#cases tbody tr", "rows => rows.filter(row => !row.hidden).map(row => row.dataset.case)"
        )

    assert cases() == ["scans-three-leaks", "scans-treated-no-leak"]
    page.click("th[data-key=leaks] button")
    page.click("th[data-key=leaks] button")
    assert cases() == ["scans-treated-no-leak", "scans-three-leaks"]
    assert page.get_attribute("th[data-key=leaks]", "aria-sort") == "ascending"
    page.select_option("#type", "venous")
    assert cases() == ["scans-three-leaks"]
    page.select_option("#type", "foraminal")
    assert cases() == []
    page.select_option("#type", "-")
    assert cases() == ["scans-treated-no-leak"]
    page.select_option("#type", "")
    page.select_option("#level", "L4")
    assert cases() == ["scans-three-leaks"]
    page.check("#review")
    assert cases() == []
    assert page.inner_text("#shown") == "0 shown"
    assert "3 slices missing" in page.inner_text(".doubt")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 50)")
    page.uncheck("#review")
    page.click("#cases a[href$='report.html'] >> visible=true")
    page.wait_for_selector("body[data-planes=ready]")
    assert not one.complaints


def test_heads_stand_over_their_numbers(visit, results):
    page = visit().open(results / "index.html")
    ends = page.evaluate(
        """() => ["leaks", "canal", "volume"].map(key => {
            const head = document.querySelector(`th[data-key=${key}]`);
            const style = element => [getComputedStyle(element).textAlign, element.getBoundingClientRect().right];
            return [style(head), style(document.querySelector("#cases tbody tr").cells[head.cellIndex])];
        })"""
    )
    assert all(head == number == ["right", number[1]] for head, number in ends)


def test_a_case_fits_a_narrow_window(visit, case):
    page = visit(viewport={"width": 420, "height": 900}).open(case)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420


def test_the_edits_file_is_copied_by_keyboard(visit, case):
    one = visit()
    page = opened(one, case)
    page.locator("section:has(#correct) summary").focus()
    page.keyboard.press("Enter")
    page.locator("#copy").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#copied")).not_to_be_empty()
    text = page.inner_text("#edits")
    assert text.startswith('reader = ""')
    assert all(f"[leaks.{number}]" in text for number in (1, 2, 3))
    assert not one.complaints


def test_an_amended_case_shows_both_versions_and_its_view_the_new_colour(visit, results, tmp_path):
    out = Path(shutil.copytree(results, tmp_path / "out"))
    edits = tmp_path / "edits.toml"
    edits.write_text(
        'reader = "A. Reader"\n[leaks.2]\ntype = "intradiscal"\nsegment = "L3/L4"\n[leaks.3]\nstrike = "in bone"\n',
        encoding="utf-8",
    )
    assert run_command(["amend", str(out / "scans-three-leaks"), "--edits", str(edits)]) == 0
    one = visit()
    page = opened(one, out / "scans-three-leaks" / "report.html")
    assert "Amended by A. Reader" in page.inner_text("header")
    assert "Epidural leak at L3" in page.inner_text("header")
    assert page.locator("article").count() == 2
    page.locator("article", has_text="intradiscal").get_by_role("button").click()
    picture = pixels(page.locator("#axial canvas"))
    assert coloured(picture, "#CC79A7") > 50
    assert coloured(picture, EPIDURAL) == 0
    page.click("#both ~ p a")
    assert page.inner_text("h1").startswith("Epidural leak at L3, left paracentral")
    assert not one.complaints
