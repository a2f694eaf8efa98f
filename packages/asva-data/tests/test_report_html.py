"""The page of a report: every block in it, names as words alone, nothing fetched, colours of the stylesheet."""

import base64
import hashlib
import re
from importlib.resources import files

import numpy as np
import pytest

from asva_data import probe, read_video, write_video
from asva_data.report.blocks import (
    Alarm,
    Bar,
    Card,
    Clip,
    Code,
    Figure,
    Fold,
    Grid,
    Heading,
    Items,
    Number,
    Paragraph,
    Section,
    Strong,
    Table,
)
from asva_data.report.clips import MOST_BYTES, small_clip
from asva_data.report.drawing import COLOURS, draw
from asva_data.report.html import to_html

EVIL = "<b>'\"&{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def svg():
    return draw(lambda figure: figure.add_axes((0, 0.2, 1, 0.8)).plot([0, 2], [1, 3], color=COLOURS["blue"]), 300, 100)


def page(*blocks, **options):
    return to_html("Trial", [Section("first", "First", blocks)], **options)


def test_every_block_stands_in_the_page(svg):
    clip = Clip("made", b"film", b"still", curves=Figure(svg, "one event"), seconds=2.0)
    text = page(
        Heading("above"),
        Paragraph(["see ", Code("a.md"), " and ", Strong("this")], quiet=True),
        Items([["one ", Alarm("too low")], "two"]),
        Table(("rule", Number("count"), ""), [("dark", Number(3), Bar(0.25, "amber"))]),
        Fold("more", [Grid([Card("a card", [Figure(svg, "a line"), clip], "note")])], open=True),
        Clip("lost", problem="no file"),
        facts=[[Strong("3"), " clips"]],
        note="by hand",
    )
    for words in (
        "<h3>above</h3>",
        '<p class="quiet">see <code>a.md</code> and <strong>this</strong></p>',
        '<li>one <strong class="alarm">too low</strong></li>',
        '<th role="columnheader" scope="col" class="number">count</th>',
        '<th role="rowheader" scope="row">dark</th><td role="cell" data-head="count" class="number">3</td>',
        '<td class="bar" role="cell" data-head="">',
        '<span style="width: 25.0%; background: var(--amber)">',
        "<details open><summary>more</summary>",
        '<h4>a card <span class="quiet">note</span></h4>',
        'role="img" aria-label="a line"><svg viewBox="0 0 300 100"',
        f'poster="data:image/jpeg;base64,{base64.b64encode(b"still").decode()}"',
        f'src="data:video/mp4;base64,{base64.b64encode(b"film").decode()}" aria-label="a card: made"',
        '<figure class="clip" data-seconds="2.0">',
        "No video: no file",
        "<li><strong>3</strong> clips</li>",
        '<a href="#first">First</a>',
    ):
        assert words in text, words


def test_names_are_words_and_nothing_is_fetched(svg):
    table = Table((EVIL,), [(EVIL,), (Code(EVIL),)])
    clip = Clip(EVIL, problem=EVIL, curves=Figure(svg, EVIL))
    blocks = (Heading(EVIL), Items([EVIL, [Alarm(EVIL)]]), table, Fold(EVIL, [Card(EVIL, [clip], EVIL)]))
    text = to_html(EVIL, [Section("first", EVIL, blocks)], note=EVIL)
    assert "<b>" not in text and "49" not in re.sub("<svg.*?</svg>", "", text, flags=re.DOTALL).split("<body>")[1]
    assert "http" not in text.replace("http-equiv", "") and not re.search(r'(src|href|poster)="(?!data:|#)', text)


def test_a_script_only_where_it_is_asked_for_and_the_policy_knows_it():
    text = page(Paragraph("words"))
    script = re.search("<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    plain = page(Paragraph("words"), script=False)
    assert "<script" not in plain and "script-src" not in plain and "default-src 'none'" in plain


def test_drawings_take_font_and_colours_from_the_stylesheet(svg):
    style = (files("asva_data.report") / "page/report.css").read_text(encoding="utf-8")
    assert all(style.count(f"--{name}:") == 2 for name in COLOURS)  # in light and in dark
    assert "stroke: var(--blue)" in svg and not re.search("#[0-9a-f]{6}(?![0-9a-f])", svg)
    assert "<text" in svg and "font-family" not in svg and "DejaVu" not in svg
    assert "http" not in svg and "<style" not in svg and "<g id" not in svg and svg.rstrip().endswith("</svg>")


def test_drawings_are_the_same_again_and_hold_any_letters():
    def paint(figure):
        figure.text(0.1, 0.5, "犬 <b> $x_1$ пёс", parse_math=False)

    assert draw(paint, 100, 40) == draw(paint, 100, 40)
    assert "犬 &lt;b&gt; $x_1$ пёс" in draw(paint, 100, 40)


def test_clips_shrink_and_take_another_sound(media, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (12, 300, 402, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", noise, fps=60)
    other = media.write_media(tmp_path / "b.mkv", clicks=(0.25, 1.25))
    for sound in (None, (other, 1.2)):
        clip = small_clip("noise", path, 0.05, 0.1, sound=sound)
        assert clip.problem == "" and len(clip.video) < MOST_BYTES and clip.poster[:2] == b"\xff\xd8"
        (tmp_path / "c.mp4").write_bytes(clip.video)
        found = read_video(tmp_path / "c.mp4")
        assert found.frames.shape == (3, 192, 258, 3) and found.fps == 30
    assert media.click_times(found.waveform, found.sample_rate, 1) == pytest.approx([0.05], abs=0.01)
    (tmp_path / "c.mp4").write_bytes(small_clip("noise", path).video)
    assert not probe(tmp_path / "c.mp4").has_sound


def test_a_clip_that_cannot_be_read_says_so(tmp_path):
    clip = small_clip("lost", tmp_path / "lost.mp4")
    assert clip.video == b"" and "lost.mp4" in clip.problem
