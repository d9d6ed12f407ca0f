"""The report in a browser, as an operator opens it: in both themes, at desk and on a phone, without a network.

Needs Chromium (Debian: chromium). Where there is none these tests are skipped; REPLAY_TEST_BROWSER=required (CI) makes
that a failure.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from replay.counts import ByName
from replay.watch.report.page import render
from tests.support.report_story import BEGUN_S, eventful, run

FLAGS = [
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, TABLET, DESK = 360, 769, 1_100  # the second is the narrowest page with wide plots
LOADED_MS = 15_000  # for a file on disk; a busy machine needs a second

# Whatever reaches beyond the window, outside the boxes that scroll by themselves.
OVERFLOWING = """() => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.scroll *, svg') && e.getBoundingClientRect().right > window.innerWidth + 0.5)
    .map(e => e.tagName + ' ' + e.className)"""

# Heights of the letters of the plots that are displayed, in pixels of the screen.
LETTERS = """() => [...document.querySelectorAll('.plot svg')].filter(e => e.checkVisibility())
    .flatMap(svg => [...svg.querySelectorAll('text')]
        .map(e => parseFloat(getComputedStyle(e).fontSize) * svg.getScreenCTM().a))"""

STROKES = """() => [...document.querySelectorAll('.plot path')].filter(e => e.checkVisibility())
    .map(e => getComputedStyle(e).stroke)"""


# Where the marks' numbers stand in each plot, and the labels of time.
PLACES = """() => [...document.querySelectorAll('.plot svg')].filter(e => e.checkVisibility()).map(svg => {
    const top = svg.getBoundingClientRect().top + 20
    return [...svg.querySelectorAll('text')].map(e => [e.textContent.trim(), e.getBoundingClientRect()])
        .filter(([text, box]) => /^[0-9]+(:[0-9][0-9])+$/.test(text) || (/^[0-9]$/.test(text) && box.top < top))
        .map(([text, box]) => text + ' ' + Math.round(box.left))})"""

# Letters that reach beyond their plot: browsers cut them off.
CUT = """() => [...document.querySelectorAll('.plot svg')].filter(e => e.checkVisibility()).flatMap(svg => {
    const {left, right} = svg.getBoundingClientRect()
    return [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()])
        .filter(([text, box]) => box.right > right + 0.5 || box.left < left - 0.5).map(([text, box]) => text)})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        if os.environ.get("REPLAY_TEST_BROWSER") == "required":
            pytest.fail("no browser: install chromium")
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        profile = str(tmp_path_factory.mktemp("profile"))
        context = playwright.chromium.launch_persistent_context(profile, executable_path=program, args=FLAGS)
        context.set_default_timeout(LOADED_MS)
        yield context
        context.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    data = eventful()
    symbols = {"<script>document.title='x'</script>": 9_999_999, "W" * 60: 5, **data.symbols.rows}
    path.write_text(render(replace(data, symbols=ByName(symbols))), encoding="utf-8")
    return path


@contextmanager
def opened(browser: Any, path: Path, width: int = DESK, theme: str = "light") -> Iterator[Any]:
    page = browser.new_page()
    page.asked = []
    page.complaints = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    page.goto(path.as_uri())
    yield page
    page.close()


def test_it_says_in_a_browser_what_it_says(browser, report):
    """Broken: a browser shows another page than was written, runs a symbol's name, or asks somebody for something."""
    with opened(browser, report) as page:
        assert page.title() == "Done: nightly-trades, 2026-11-22 (replay)"
        assert page.locator("h1").inner_text() == "nightly-trades, 2026-11-22"
        assert "✓ Done" in page.locator(".verdict").inner_text()
        assert page.get_by_role("img", name="Throughput, rows a second").count() == 1  # the other width is hidden
        assert page.get_by_text("<script>document.title='x'</script>").count() == 1
        levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(e => +e.tagName[1])")
        assert levels[0] == 1
        assert all(deeper - before <= 1 for before, deeper in pairwise(levels))
        assert page.asked == [report.as_uri()]
        assert page.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_it_fits_and_can_be_read(browser, report, width, theme):
    """Broken: a phone has to scroll sideways, or the letters in a plot are specks."""
    with opened(browser, report, width, theme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
        letters = page.evaluate(LETTERS)
        assert len(letters) > 20
        assert min(letters) >= 9.5
        assert page.locator(".plot:visible").count() == 5
        assert page.asked == [report.as_uri()]


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_all_plots_have_one_time_axis_and_the_timeline_is_on_top(browser, report, width):
    """Broken: what happened at one moment stands at different places, and cannot be compared."""
    with opened(browser, report, width) as page:
        places = page.evaluate(PLACES)
        assert len(places) == 5
        assert len(places[0]) >= 7
        assert all(sorted(each) == sorted(places[0]) for each in places)
        assert page.evaluate(CUT) == []
        assert page.locator("h3").all_inner_texts()[:2] == ["Timeline", "Progress, rows in the topic"]
        legends = page.locator(".legend").all_inner_texts()
        assert ["so far", "planned by the pace"] in [each.split("\n") for each in legends]


def test_the_tables_of_runs_and_marks_need_no_scrolling_on_a_phone(browser, report):
    """Broken: how a run ended lies outside the screen, and its words stand one below the other."""
    with opened(browser, report, PHONE) as page:
        for name in ("Runs", "Outages, pauses and resumes"):
            region = page.get_by_role("region", name=name, exact=True)
            assert region.evaluate("e => e.scrollWidth <= e.clientWidth")
        ended = page.locator("td[data-label=ended]").first
        assert ended.evaluate("e => getComputedStyle(e, '::before').content") == '"ended"'
        assert ended.bounding_box()["width"] > PHONE * 0.8


def test_dark_is_dark_in_the_plots_too(browser, report):
    """Broken: in the dark theme plots are black on black, or paper is printed black."""
    seen = {}
    for theme in ("light", "dark"):
        with opened(browser, report, DESK, theme) as page:
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            seen[theme] = (ground, {each for each in page.evaluate(STROKES) if each != "none"})
            page.emulate_media(media="print", color_scheme=theme)
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
            assert page.locator(".plot.wide:visible").count() == 5
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert seen["dark"][0] == "rgb(16, 20, 26)"
    assert len(seen["dark"][1]) == len(seen["light"][1]) >= 7  # three lines, three marks, the grid, the runs
    assert not seen["dark"][1] & seen["light"][1]


def test_the_browser_is_told_to_load_nothing(browser, tmp_path):
    """Broken: should markup ever slip through, it runs, or it tells a stranger that the page is read."""
    asked = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{server.server_port}"
    slipped = (
        f"<script>document.title='x'</script><img src='{there}/a' onerror=\"document.title='x'\">"
        f"<script src='{there}/b'></script><style>@import '{there}/c'; h1 {{ background: url({there}/d) }}</style>"
        f"<iframe src='{there}/e'></iframe>"
    )
    quiet = replace(eventful(), runs=[replace(run(BEGUN_S, 0, 1, exit_code=0), samples=())])
    path = tmp_path / "slipped.html"
    path.write_text(render(quiet).replace("<main>", "<main>" + slipped), encoding="utf-8")
    try:
        with opened(browser, path) as page:
            page.wait_for_load_state("networkidle")
            assert page.title() == "Done: nightly-trades, 2026-11-22 (replay)"
            assert any("Content Security Policy" in each for each in page.complaints)
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []
