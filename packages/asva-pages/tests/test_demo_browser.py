"""The page in a real browser: from upload to playing video, several users, keys, a phone, and what is refused."""

import json
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import uvicorn
from PIL import Image

from asva_data import read_video
from asva_pages import Limits, Settings
from asva_pages.demo.app import make_app
from asva_pipelines import resolve_model

pytestmark = pytest.mark.slow
PATIENCE = 600_000  # milliseconds; the machine may have much else to do
UPLOAD = 5_000_000
DESKTOP, PHONE = {"width": 1100, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def server():
    """The real page with the bundled model, on a free port."""
    limits = Limits(upload=UPLOAD, seconds=30)
    app = make_app(Settings(model="tiny", folder=resolve_model("tiny"), device="cpu", limits=limits))
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    server = app.state.server
    server.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    yield server
    running.should_exit = True
    thread.join(60)
    assert not server.home.exists()


@pytest.fixture
def visit(server, chromium):
    """``visit(**options)``: the page as somebody new sees it; it must not complain, nor ask anyone else."""
    opened = []

    def start(**options):
        context = chromium.new_context(**{"viewport": DESKTOP} | options)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(server.url)
        opened.append(context)
        return page

    yield start
    for context in opened:
        for page in context.pages:
            assert [url for url in page.asked if not url.startswith((server.url, "blob:"))] == []
            # The browser itself logs every answer that is a refusal.
            assert [words for words in page.said if not words.startswith("Failed to load resource")] == []
        context.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A picture and a sound of a clip that no training has seen; the same sound for 20 seconds; a fake video."""
    from asva_pages.demo.examples import draw_examples

    folder = tmp_path_factory.mktemp("clip")
    draw_examples(folder)
    from scipy.io import wavfile

    rate, samples = wavfile.read(folder / "drums.wav")
    wavfile.write(folder / "long.wav", rate, np.tile(samples, 10))
    (folder / "fake.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"not a video at all" * 500)
    return folder


def choose(page, sound, picture):
    page.set_input_files("#sound-file", sound)
    page.wait_for_selector("#timing-full:not([hidden])")
    page.set_input_files("#picture-file", picture)
    page.wait_for_selector("#make:not([disabled])")


def becomes(page, condition):
    """Whether a condition comes true; the page's policy forbids Playwright's own way to wait."""
    for _ in range(PATIENCE // 100):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(100)
    return False


def plays(page):
    """Whether the newest video plays, sound and all."""
    page.evaluate("document.querySelector('video').play()")
    playing = becomes(page, "document.querySelector('video').currentTime > 0.2")
    state = "(v => [v.videoWidth, v.duration.toFixed(2), v.error, v.webkitAudioDecodedByteCount > 0])"
    return playing, page.evaluate(f"{state}(document.querySelector('video'))")


def seconds(page):
    return page.evaluate("[...document.querySelectorAll('.keyframe[role]')].map(k => +k.getAttribute('aria-valuenow'))")


def width(page):
    return page.evaluate("document.documentElement.scrollWidth")


def picture_of(page, name):
    """A screenshot for the documents, where somebody wants one."""
    if folder := os.environ.get("ASVA_SCREENSHOTS"):
        page.evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        page.screenshot(path=Path(folder, name), full_page=True)


def test_from_upload_to_playing_video(visit, clip, tmp_path):
    page = visit()
    choose(page, clip / "drums.wav", clip / "drums.png")
    before = seconds(page)
    assert len(before) == 11 and page.locator("#count").inner_text() == "12 keyframes, the model's own"
    page.click("#make")
    page.wait_for_selector(".made:not([hidden]) video")
    box = page.locator(".keyframe[role]").nth(5).locator("circle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 14, box["y"] + 4, steps=3)
    page.mouse.up()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageDown")
    page.keyboard.press("Delete")
    after = seconds(page)
    assert len(after) == 10 and after[5] > before[5] and page.locator("#count").inner_text() == "11 keyframes, yours"
    page.dblclick("#timeline svg", position={"x": 40, "y": 60})
    assert len(seconds(page)) == 11
    page.fill("#seed", "7")
    page.click("#make")
    page.wait_for_selector(".result:nth-child(2)")  # the new one stands before the first now
    page.wait_for_selector(".result:nth-child(1) .made:not([hidden]) video")
    playing, state = plays(page)
    assert playing and state == [64, "2.00", None, True]
    with page.expect_download() as saved:
        page.locator(".save-json").first.click()
    record = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert set(seconds(page)) <= {round(second, 4) for second in record["keyframes"]["seconds"]}
    assert (record["seed"], record["inputs"]["audio"]["name"]) == (7, "drums.wav")
    assert "--keyframes 0," in page.locator("code").first.inner_text()
    with page.expect_download() as saved:
        page.locator(".save-video").first.click()
    assert saved.value.suggested_filename == "drums-2.mp4"
    assert page.locator("video").count() == 2 and page.locator("#together").is_visible()
    page.click("#together")
    assert becomes(page, "[...document.querySelectorAll('video')].every(video => !video.paused)")
    page.evaluate("document.querySelectorAll('video').forEach(v => { v.pause(); v.currentTime = .5; })")
    page.wait_for_timeout(500)
    picture_of(page, "demo.png")
    page.reload()
    page.wait_for_selector("video >> nth=1")
    assert page.locator("#sound-name").inner_text() == "drums.wav, 2.00 s."


def test_a_long_one_is_cancelled_and_leaves_nothing(visit, clip, server):
    page = visit()
    choose(page, clip / "long.wav", clip / "drums.png")
    page.click("#make")
    assert becomes(page, "document.querySelector('.result progress')?.value > 0.02")
    assert "left" in page.locator(".stage").inner_text()
    page.click(".cancel")
    page.wait_for_selector(".result .problem:not([hidden])")
    assert page.locator(".result .problem").inner_text() == "Cancelled."
    assert not list(server.home.rglob("*.part")) and not list(server.home.rglob("long-1*"))
    page.click(".remove")
    page.wait_for_selector(".result", state="detached")


def test_two_at_once_wait_for_each_other_and_see_their_own(visit, clip):
    first, second = visit(), visit()
    for page, name in ((first, "drums"), (second, "frog")):
        choose(page, clip / f"{name}.wav", clip / f"{name}.png")
    first.click("#make")
    second.click("#make")
    for page, name in ((first, "drums"), (second, "frog")):
        page.wait_for_selector(".made:not([hidden]) video")
        assert page.locator("h3").all_inner_texts() == [f"{name}-1.mp4"]
        assert plays(page)[0]
    address = first.locator("video").get_attribute("src")
    status = "fetch('{}').then(answer => answer.status)"
    assert [page.evaluate(status.format(address)) for page in (first, second)] == [200, 404]


def test_keys_alone_do_it(visit):
    page = visit()

    def tab_to(condition):
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches('{condition}')"):
                return
        raise AssertionError(f"no key leads to {condition}")

    tab_to("[data-example=frog]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#make:not([disabled])")
    tab_to(".keyframe")
    before = seconds(page)
    page.keyboard.press("ArrowRight")
    assert seconds(page)[0] == pytest.approx(before[0] + 1 / 24, abs=1e-3)
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == f"{seconds(page)[0]:.2f} seconds"
    page.keyboard.press("Delete")
    tab_to(".position")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert len(seconds(page)) == len(before) and 0.5417 in seconds(page)
    tab_to("#make")
    page.keyboard.press("Enter")
    page.wait_for_selector(".made:not([hidden]) video")
    tab_to("video")
    page.keyboard.press("Space")
    assert becomes(page, "document.querySelector('video').currentTime > 0.1")


def test_it_is_as_wide_as_a_phone_and_moved_by_a_finger(visit, clip):
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=1)
    assert width(page) == 360
    choose(page, clip / "frog.wav", clip / "frog.png")
    page.locator("#timeline").scroll_into_view_if_needed()
    before, box = seconds(page), page.locator(".keyframe[role] circle").first.bounding_box()
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, points in (("Start", [(x, y)]), ("Move", [(x + 12, y)]), ("Move", [(x + 24, y)]), ("End", [])):
        told = [{"x": point[0], "y": point[1]} for point in points]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": told})
    assert seconds(page)[0] > before[0]
    page.tap("#make")
    page.wait_for_selector(".made:not([hidden]) video")
    assert width(page) == 360
    heights = page.evaluate("[...document.querySelectorAll('.button, .example')].map(e => e.offsetHeight)")
    assert min(height for height in heights if height) >= 36  # room for a finger
    page.evaluate("document.querySelector('video').currentTime = .5")
    page.wait_for_timeout(500)
    picture_of(page, "demo-phone.png")


def test_it_is_dark_where_wanted(visit, clip):
    page = visit(color_scheme="dark")
    choose(page, clip / "frog.wav", clip / "frog.png")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 26)"
    if os.environ.get("ASVA_SCREENSHOTS_MORE"):
        page.screenshot(path=Path(os.environ["ASVA_SCREENSHOTS_MORE"], "demo-dark.png"), full_page=True)


def test_what_is_painted_moves_and_nothing_else(visit, clip, tmp_path):
    rows, columns = np.mgrid[:240, :320]
    grain = np.random.default_rng(0).integers(0, 160, (60, 80, 3)).repeat(4, 0).repeat(4, 1)
    picture = (grain + 40 * np.sin(rows / 9 + columns / 7)[..., None] + 40).clip(0, 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "grain.png")
    page = visit()
    choose(page, clip / "drums.wav", tmp_path / "grain.png")
    assert ". The bundled model does not know" in page.locator("#picture-name").inner_text()
    assert page.locator("#unpaint").is_disabled()
    page.locator("#brush").scroll_into_view_if_needed()
    box = page.locator("#brush").bounding_box()
    left, right = (box["x"] + box["width"] * share for share in (0.2, 0.35))
    above, below = (box["y"] + box["height"] * share for share in (0.2, 0.35))
    page.mouse.move(left, above)
    page.mouse.down()
    page.mouse.move(right, above, steps=5)
    page.mouse.move(right, below, steps=5)
    page.mouse.move(left, below, steps=5)
    page.mouse.up()
    assert page.locator("#unpaint").is_enabled()
    picture_of(page, "painted.png")
    page.click("#make")
    page.wait_for_selector(".made:not([hidden]) video")
    with page.expect_download() as saved:
        page.locator(".save-video").first.click()
    frames = read_video(saved.value.path()).frames.astype(float)
    moves = np.abs(np.diff(frames, axis=0)).mean(axis=(0, 3))
    inside, outside = moves[54:78, 72:104].mean(), moves[150:, 190:].mean()
    assert inside > 10 * outside


def test_the_microphone_is_a_sound_too(visit):
    page = visit(permissions=["microphone"])
    page.click("#record")
    page.wait_for_selector("#record[aria-pressed=true]")
    page.wait_for_timeout(1500)
    page.click("#record")
    page.wait_for_selector("#timing-full:not([hidden])")
    assert page.locator("#sound-name").inner_text().startswith("recording-1.webm")


def test_what_is_refused_is_said_on_the_page(visit, clip, server):
    page = visit()
    for name, words in (("fake.mp4", "fake.mp4"), ("drums.png", "The file must be a sound")):
        page.set_input_files("#sound-file", clip / name)
        page.wait_for_selector("#problem:not([hidden])")
        assert words in page.locator("#problem").inner_text()
        assert str(server.home) not in page.locator("#problem").inner_text()
    named = "fetch('/api/uploads/sound?name=..%2F..%2Fx.wav', {method: 'PUT', body: 'RIFF'}).then(a => a.status)"
    assert page.evaluate(named) == 400
    page.evaluate("""() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(6e6)], "big.wav"));
        document.getElementById("sound").dispatchEvent(new DragEvent("drop", {dataTransfer}));
    }""")
    assert becomes(page, "document.getElementById('problem').innerText.includes('more than 5 MB')")
    assert page.locator("#make").is_disabled()


@pytest.mark.parametrize("stated", [True, False], ids=["honest", "without end"])
def test_ten_gigabytes_are_refused_and_not_stored(visit, server, stated):
    page = visit()
    cookie = page.context.cookies()[0]
    host = server.url.split("/")[2]
    before = shutil.disk_usage(server.home).used
    with socket.create_connection(host.split(":"), timeout=60) as line:
        told = "Content-Length: 10000000000" if stated else "Transfer-Encoding: chunked"
        head = f"PUT /api/uploads/sound?name=a.wav HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
        line.sendall(f"{head}Cookie: {cookie['name']}={cookie['value']}\r\n{told}\r\n\r\n".encode())
        piece, sent = b"RIFF\0\0\0\0WAVE" + bytes(99_988), 0
        try:
            while sent < 10_000_000_000:
                line.sendall(piece if stated else b"%x\r\n%s\r\n" % (len(piece), piece))
                sent += len(piece)
                if sent > UPLOAD and server.home.stat():
                    time.sleep(0.01)
        except (ConnectionError, TimeoutError):
            pass
        try:
            answer = line.recv(4096)
        except ConnectionError:
            answer = b"HTTP/1.1 413"  # thrown away with what was on its way, 10 GB of which nobody waits for
    assert answer.startswith(b"HTTP/1.1 413") and sent < 20 * UPLOAD
    assert not [path for path in server.home.rglob("a.wav")]
    assert shutil.disk_usage(server.home).used - before < 1_000_000_000


def test_a_worker_that_is_killed_is_one_clear_line_and_the_next_video_is_made(visit, clip, server):
    page = visit()
    choose(page, clip / "long.wav", clip / "drums.png")
    page.click("#make")
    assert becomes(page, "document.querySelector('.result progress')?.value > 0")
    psutil.Process(server.makers[0].pid).kill()
    page.wait_for_selector(".result .problem:not([hidden])")
    assert "worker died" in page.locator(".result .problem").inner_text()
    page.set_input_files("#sound-file", clip / "drums.wav")
    assert becomes(page, "document.getElementById('sound-name').innerText.startsWith('drums.wav')")
    page.click("#make")
    page.wait_for_selector(".made:not([hidden]) video")
