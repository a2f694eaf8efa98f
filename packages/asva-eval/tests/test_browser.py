"""report.html in a real browser: its videos play, nothing is fetched or refused, it fits a phone, keys reach it."""

import pytest
import yaml

from asva_eval import evaluate, write_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory, write_ball):
    home = tmp_path_factory.mktemp("page")
    for place in range(2):
        write_ball(home / f"true/wood/'\"<b>{place}.mp4", 0.3, 0.6)
        write_ball(home / f"made/wood/'\"<b>{place}.mp4", 0.3 + 0.1 * place, 0.6)
    (home / "mine.yaml").write_text(
        yaml.safe_dump({"description": "", "scores": ["motion", "event_f1", "local_sync"]}), encoding="utf-8"
    )
    result = evaluate({"made": home / "made"}, home / "true", home, protocol=home / "mine.yaml")
    write_report(result, home, command=[])
    return home / "report.html"


@pytest.fixture
def page(report, chromium):
    """The report on a phone, with what it complained of and asked for."""
    page = chromium.new_page(viewport={"width": 360, "height": 740})
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(report.as_uri())
    yield page
    page.close()


def becomes(page, condition):
    """Whether a condition comes true within some seconds; the page's policy forbids Playwright's own way to wait."""
    for _ in range(100):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(100)
    return False


def test_videos_play_and_the_line_follows(page):
    page.evaluate("document.querySelectorAll('video').forEach(video => { video.preload = 'auto'; video.load(); })")
    assert becomes(page, "[...document.querySelectorAll('video')].every(video => video.readyState > 1)")
    sizes = page.evaluate("[...document.querySelectorAll('video')].map(v => [v.videoWidth, v.duration.toFixed(1)])")
    assert sizes == [[48, "2.0"]] * 4
    page.evaluate("document.querySelector('video').currentTime = 1")
    assert becomes(page, "document.querySelector('.playhead').style.left == '50%'")
    assert page.said == []


def test_figures_change_their_colours_on_a_dark_screen(page):
    ink = "getComputedStyle(document.querySelector('svg text')).fill"
    light = page.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ink) != light


def test_nothing_is_asked_for_and_it_is_as_wide_as_a_phone(page):
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tables = "[...document.querySelectorAll('.wide')]"
    assert page.evaluate(f"{tables}.length > 2 && {tables}.every(one => one.scrollWidth <= one.clientWidth)")


def test_keys_reach_links_tables_classes_and_videos(page):
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.className || document.activeElement.tagName"))
    assert {"skip", "A", "wide", "VIDEO"} <= reached
