"""report.html: one file that needs nothing from outside, whatever files are called, with videos that play."""

import base64
import json
import os
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from asva_data import read_video
from asva_eval import evaluate, load_protocol, write_report

NAMES = ('"><script>alert(1)<', "пёс `и` 犬", "it's & {{ 7 * 7 }} %")
SCORES = ["motion", "event_f1", "local_sync", "small_sync", "fvd", "psnr"]


class Page(HTMLParser):
    """Tags with their attributes, and the words outside of styles and scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.within = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.within.append(tag)

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, words):
        if not {"style", "script"} & set(self.within):
            self.words.append(words)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_ball):
    """(page, its text, folder) of two systems, with evil names, a missing, a broken and a silent file."""
    home = tmp_path_factory.mktemp("page")
    for place, name in enumerate((*NAMES, "broken", "silent", "alone")):
        path = f"{'<b>wood' if place % 2 else 'iron'}/{name.replace('/', '')}.mp4"
        write_ball(home / "true" / path, 0.2 + 0.1 * place, 0.6)
        write_ball(home / "good" / path, 0.2 + 0.1 * place, 0.6, sound=False if name == "silent" else None)
        write_ball(home / "still" / path, 0.3, 0.6, still=True)
    next((home / "good").rglob("broken.mp4")).write_bytes(b"no video")
    next((home / "true").rglob("alone.mp4")).unlink()
    (home / "mine.yaml").write_text(yaml.safe_dump({"description": "<i>mine</i>", "scores": SCORES}), encoding="utf-8")
    systems = {name: home / name for name in ("good", "still")}
    result = evaluate(systems, home / "true", home / "out", protocol=load_protocol(home / "mine.yaml"))
    write_report(result, home / "out", command=["asva", "<u>"], name="mine", examples=2)
    text = (home / "out/report.html").read_text(encoding="utf-8")
    return Page(text), text, home


def videos(page):
    return [base64.b64decode(one["src"].removeprefix("data:video/mp4;base64,")) for one in page.all("video")]


def test_every_video_plays_and_is_small(made, tmp_path):
    page, _, _ = made
    found = videos(page)
    assert len(found) == (3 + 4) * 2  # best and worst of two systems, the true clip beside each; one is silent
    for place, content in enumerate(found):
        (tmp_path / f"{place}.mp4").write_bytes(content)
        clip = read_video(tmp_path / f"{place}.mp4")
        assert clip.frames.shape == (48, 48, 48, 3) and clip.fps == 24 and len(content) < 400_000
        assert clip.waveform is not None and np.abs(clip.waveform).max() > 0.1


def test_names_of_files_are_words_and_nothing_else(made):
    page, text, _ = made
    assert len(page.all("script")) == 1 and not {"b", "i", "u"} & {tag for tag, _ in page.tags}
    assert "alert" not in re.findall(r"<script>.*?</script>", text, re.DOTALL)[0]
    for name in NAMES:
        assert name in page.text, name
    assert "<b>wood" in page.text and "49" not in page.text.split("it's &")[1][:12]
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)


def test_nothing_comes_from_outside(made):
    page, text, _ = made
    assert "http" not in text.replace("http-equiv", "")
    assert not page.all("link") and not page.all("iframe") and not page.all("img")
    sources = [attributes["src"] for _, attributes in page.tags if "src" in attributes]
    assert all(source.startswith("data:video/mp4;base64,") for source in sources)
    assert all(one["href"].startswith("#") for one in page.all("a"))
    names = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {one["href"][1:] for one in page.all("a")} <= names
    policy = next(one["content"] for one in page.all("meta") if "http-equiv" in one)
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy


def test_everything_of_the_report_is_said(made):
    page, _, home = made
    report = json.loads((home / "out/report.json").read_text(encoding="utf-8"))
    figures = report["scores"][1]["systems"]["good"]
    assert f"{figures['value']:.3f} [{figures['low']:.3f}, {figures['high']:.3f}]" in page.text
    for words in (
        "chance (shifted)",
        "Systems against each other",
        "Shift profiles",
        "Not measured",
        "--weights i3d=PATH",
        "files without a partner",
        "no sound track",
        "What the scores cannot see",
        report["protocol"]["digest"],
        "Best of good",
        "Worst of still",
    ):
        assert words in page.text, words
    assert "broken" in page.text and page.all("details")  # classes fold


def test_curves_and_events_stand_under_the_videos(made):
    page, text, _ = made
    curves = re.findall(r'<div class="curves".*?</div>', text, re.DOTALL)
    assert len(curves) == len(page.all("video"))
    marks = {name: len(re.findall(rf"<use [^>]*--{name}", "".join(curves))) for name in ("amber", "violet")}
    assert marks["amber"] > 20 and marks["violet"] > 10
    assert any(one.get("aria-label", "").startswith("heard: 0.") for one in page.all("div"))


def test_intervals_and_profiles_are_drawn(made):
    page, text, _ = made
    drawn = [one["aria-label"] for one in page.all("div") if one.get("role") == "img"]
    assert any(re.match(r"good: [\d.]+ \[[\d.]+, [\d.]+\]; still: ", words) for words in drawn)
    assert sum(words.startswith("mean shift profile of good by local sync, top at") for words in drawn) == 1
    assert text.count("<svg") == len(drawn)


def test_it_can_be_used_without_a_mouse_and_read_on_a_phone(made):
    page, _, _ = made
    assert page.all("html")[0]["lang"] == "en" and page.all("meta")[1]["name"] == "viewport"
    regions = [one for one in page.all("div") if one.get("class") == "wide"]
    assert regions and all(one["tabindex"] == "0" and one["aria-label"] for one in regions)
    assert all("controls" in one and one["aria-label"] for one in page.all("video"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text(tmp_path, write_ball):
    name = os.fsdecode(b"caf\xe9.mp4")
    for side in ("true", "made"):
        write_ball(tmp_path / side / "a.mp4", 0.3, 0.6).rename(tmp_path / side / name)
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({"description": "", "scores": ["motion", "event_f1"]}), encoding="utf-8"
    )
    result = evaluate({"made": tmp_path / "made"}, tmp_path / "true", tmp_path, protocol=tmp_path / "mine.yaml")
    write_report(result, tmp_path, command=[])
    stored = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert stored["clips"][0]["sides"]["made"]["file"] == str(tmp_path / "made" / name)
    assert "caf\\udce9" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_number_and_page_can_be_chosen(made):
    _, _, home = made
    result = evaluate({"good": home / "good"}, home / "true", home / "out", protocol=home / "mine.yaml")
    write_report(result, home / "out", command=[], examples=0)
    text = (home / "out/report.html").read_text(encoding="utf-8")
    assert "<video" not in text and "Best and worst clips" not in text
    write_report(result, home / "out", command=[], page=False)
    assert not (home / "out/report.html").exists() and (home / "out/report.md").exists()
    with pytest.raises(ValueError, match="`examples` must be at least 0"):
        write_report(result, home / "out", command=[], examples=-1)
