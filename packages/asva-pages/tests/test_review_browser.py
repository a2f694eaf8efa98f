"""Report and review in a real browser: videos play, keys decide, a phone suffices, nothing is fetched from outside."""

import shutil
import threading
import time

import pytest

from asva_curate import Decision, DecisionLog, write_report
from asva_pages import Session, serve_review

browsers = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with browsers.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page on a phone, with what it complained of and asked for."""
    page = browser.new_page(viewport=PHONE)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


@pytest.fixture
def address(curated):
    """The address of a review that runs."""
    found = []
    session = Session(curated.folder, "ann")
    threading.Thread(target=serve_review, args=(session,), kwargs={"on_ready": found.append}, daemon=True).start()
    while not found:
        time.sleep(0.01)
    return found[0]


def becomes(page, condition):
    """Whether a condition comes true within some seconds; the page's policy forbids Playwright's own way to wait."""
    for _ in range(600):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(50)
    return False


def decisions(curated):
    return DecisionLog(curated.folder, "ann").decisions


def shows(page, number):
    return becomes(page, f"place.value == '{number}' && video.readyState > 1")


def test_keys_decide_trim_and_take_back(page, address, curated):
    page.goto(address)
    first, second = (key for key, _, _ in curated.clips)
    assert shows(page, 1) and page.title() == "Review by ann"
    page.evaluate("video.pause()")  # it starts by itself where the browser lets it
    page.keyboard.press("Space")
    assert becomes(page, "video.currentTime > 0.1")
    page.keyboard.press("Space")
    assert becomes(page, "video.paused")
    page.evaluate("video.currentTime = 1")
    assert becomes(page, "!video.seeking")
    page.keyboard.press(".")
    assert becomes(page, "Math.abs(video.currentTime - 1.04) < 0.001 && !video.seeking")
    page.keyboard.press("i")
    page.evaluate("video.currentTime = 3")
    page.keyboard.press("o")
    page.keyboard.press("k")
    assert shows(page, 2)
    assert decisions(curated) == {first: Decision("keep", 1.04, 3.0)}
    page.keyboard.press("d")
    assert becomes(page, "progress.textContent == '2 of 2 decided: 1 kept, 1 dropped'")
    assert decisions(curated)[second].kind == "drop"
    page.keyboard.press("u")
    assert becomes(page, "progress.textContent == '1 of 2 decided: 1 kept, 0 dropped'")
    page.keyboard.press("ArrowLeft")
    assert shows(page, 1)
    assert page.evaluate("[mark.textContent, from.value, until.value]") == ["kept, trimmed", "1.04", "3"]
    page.keyboard.press("w")
    page.keyboard.press("k")
    assert shows(page, 2)
    assert decisions(curated) == {first: Decision("keep", 0.0, 4.0)}
    assert page.said == [] and all(url.startswith((address, "data:")) for url in page.asked)


def test_a_reload_goes_on_behind_the_last_decision(page, address, curated):
    page.goto(address)
    assert shows(page, 1)
    page.get_by_role("button", name="Drop").click()
    assert shows(page, 2)
    page.reload()
    assert shows(page, 2) and page.evaluate("progress.textContent") == "1 of 2 decided: 0 kept, 1 dropped"


def test_a_trimmed_clip_plays_within_its_ends(page, address):
    page.goto(address)
    assert shows(page, 1)
    page.fill("#from", "1")
    page.fill("#until", "1.5")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Space")
    assert becomes(page, "video.currentTime >= 1")
    page.evaluate(
        "window.far = 0; video.addEventListener('timeupdate', () => { far = Math.max(far, video.currentTime) })"
    )
    page.wait_for_timeout(1500)
    assert page.evaluate("far") < 1.8


def test_what_fails_is_said_and_not_believed(page, address, curated):
    page.goto(address)
    assert shows(page, 1)
    page.evaluate("void (window.fetch = () => Promise.reject(new TypeError('no connection')))")
    page.keyboard.press("k")
    assert becomes(page, "problem.textContent == 'It is not saved: The server does not answer: is it still running?'")
    assert page.evaluate("place.value") == "1" and decisions(curated) == {}
    page.fill("#until", "0")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("k")
    assert becomes(page, "problem.textContent.startsWith('A clip must last')")


def test_what_a_clip_lacks_does_not_hide_what_is_not_saved(page, address, curated):
    """An answer that never comes is given up, and curves that cannot be drawn are said in a place of their own."""
    page.add_init_script("AbortSignal.timeout = () => AbortSignal.abort(new Error('no answer'))")
    page.route("**/curves/*", lambda route: route.fulfill(status=500, json={"error": "no curves"}))
    page.goto(address)
    assert shows(page, 1)
    page.keyboard.press("k")
    assert becomes(page, "problem.textContent == 'It is not saved: The server does not answer: is it still running?'")
    assert becomes(page, "lacking.textContent == 'Its curves cannot be drawn: no curves'")
    assert page.evaluate("!problem.hidden && !lacking.hidden") and decisions(curated) == {}


def test_keys_in_a_field_are_text_and_a_phone_is_wide_enough(page, address, curated):
    page.goto(address)
    assert shows(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#keep").bounding_box()["y"] < PHONE["height"] - 44
    page.focus("#from")
    page.keyboard.press("d")
    reached = set()
    for _ in range(15):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"drop", "keep", "play", "begin", "end", "whole", "next", "open", "place"} <= reached
    assert decisions(curated) == {}


def test_the_report_plays_fits_and_asks_for_nothing(page, curated):
    page.goto(write_report(curated.folder, examples=1).as_uri())
    page.evaluate("document.querySelectorAll('video').forEach((video) => { video.preload = 'auto'; video.load() })")
    assert becomes(page, "[...document.querySelectorAll('video')].every((video) => video.readyState > 1)")
    page.evaluate("const video = document.querySelector('video'); video.muted = true; video.play()")
    assert becomes(page, "document.querySelector('video').currentTime > 0.1")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.said == []
