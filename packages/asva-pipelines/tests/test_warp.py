"""The method warp: what moves and what does not, by which band, at which size, and what is refused."""

import tracemalloc
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from asva_audio import Audio, Track, write_sound
from asva_data import read_video
from asva_pipelines import Request, load_pipeline, make_video
from asva_pipelines.warp.framing import Framing
from asva_pipelines.warp.moving import AMOUNT, TURN, Moving
from asva_pipelines.warp.parts import EDGES, KINDS, Part, parse_motion, parse_part
from asva_pipelines.warp.region import find_region
from asva_pipelines.warp.rule import motion_of, warped

RATE = 16000


def photograph(height=120, width=160, seed=0):
    """Smooth ground with a textured disc, off the middle."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(
        rng.integers(60, 100, (6, 8, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
    )
    disc = np.zeros((height, width), np.uint8)
    cv2.circle(disc, (width // 2 + 10, height // 2 + 5), 30, 1, -1)
    texture = cv2.resize(rng.integers(120, 255, (height // 4, width // 4, 3), dtype=np.uint8), (width, height))
    return np.where(disc[..., None] > 0, texture, ground).astype(np.uint8), disc > 0


def hits(*seconds, length=1.0, hertz=1000.0):
    time = np.arange(round(length * RATE)) / RATE
    sound = sum(
        np.where(time >= at, np.exp(-30 * (time - at)), 0) * np.sin(2 * np.pi * hertz * (time - at)) for at in seconds
    )
    return np.float32(0.5 * sound)[None]


def centre(frame, colour):
    rows, columns = np.nonzero(np.abs(frame.astype(int) - colour).sum(-1) < 120)
    return columns.mean(), rows.mean()


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_outside_the_region_moves(kind, edge):
    picture, mask = photograph()
    moving = Moving(picture, mask, Part(kind=kind, edge=edge))
    still, moved = picture.copy(), picture.copy()
    moving.draw(still, 0.0)
    moving.draw(moved, 1.0, 3)
    np.testing.assert_array_equal(still, picture)
    np.testing.assert_array_equal(moved[~moving.area], picture[~moving.area])
    assert (moved[mask] != picture[mask]).mean() > 0.3
    assert mask.sum() < moving.area.sum() < 0.8 * mask.size


@pytest.mark.parametrize("edge", EDGES)
def test_each_kind_moves_as_it_says(edge):
    picture = np.full((200, 200, 3), 90, np.uint8)
    dots = {(80, 80): (250, 0, 0), (120, 80): (0, 250, 0), (100, 120): (0, 0, 250)}
    for place, colour in dots.items():
        cv2.circle(picture, place, 4, colour, -1)
    mask = np.zeros((200, 200), bool)
    mask[60:140, 60:140] = True

    def after(**part):
        frame = picture.copy()
        Moving(picture, mask, Part(edge=edge, **part)).draw(frame, 1.0)
        return [np.subtract(centre(frame, np.array(colour)), place) for place, colour in dots.items()]

    for shift in after(kind="move", angle=0.0):
        np.testing.assert_allclose(shift, (AMOUNT * 80, 0), atol=0.5)
    pivot = (100.0, 120.0)
    turn = np.radians(TURN)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    for place, shift in zip(dots, after(kind="swing", pivot=pivot), strict=True):
        np.testing.assert_allclose(shift, back @ np.subtract(place, pivot) - np.subtract(place, pivot), atol=0.6)
    for place, shift in zip(dots, after(kind="zoom", pivot=pivot), strict=True):
        np.testing.assert_allclose(shift, AMOUNT * np.subtract(place, pivot), atol=0.6)
    down = after(kind="squash", pivot=pivot)
    assert down[0][1] > 2 and down[1][1] > 2 and down[0][0] < 0 < down[1][0]
    assert after(kind="move", strength=2.0)[0][1] == pytest.approx(-2 * AMOUNT * 80, abs=0.5)


def test_what_was_cut_out_leaves_the_ground_behind():
    picture = np.full((200, 200, 3), 90, np.uint8)
    picture[80:120, 80:120] = 250
    mask = (picture == 250).all(-1)
    frame = picture.copy()
    Moving(picture, mask, Part(kind="move", edge="cut", angle=0.0, strength=4.0)).draw(frame, 1.0)
    uncovered = frame[85:115, 81:89].astype(int)
    assert np.abs(uncovered - 90).max() < 12
    assert (frame[85:115, 100:128] > 240).all()


def test_bands_move_regions_of_their_own():
    low, high = hits(0.2, hertz=80.0), hits(0.7, hertz=4000.0)
    parts = (Part(band="low"), Part(band="high"), Part())
    curves = motion_of(Track(low + high, RATE), parts, 24, 24, {"release": 0.0})
    assert np.flatnonzero(curves[0] > 0.6).tolist() == [5]
    assert np.flatnonzero(curves[1] > 0.6).tolist() == [17]
    assert {5, 17} <= set(np.flatnonzero(curves[2] > 0.3))


def test_memory_does_not_grow_with_length():
    picture, _ = photograph(240, 320)
    framing, part = Framing.of((240, 320), None), (Part(kind="shake"),)
    peaks = []
    for count in (4, 64):
        tracemalloc.start()
        for _ in warped(picture, framing, part, np.full((1, count), 0.5, np.float32)):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]


def test_the_thing_is_found():
    picture, disc = photograph()
    found = find_region(picture)
    assert (found & disc).sum() / (found | disc).sum() > 0.7
    np.testing.assert_array_equal(find_region(picture), found)
    plain = find_region(np.full((90, 120, 3), 40, np.uint8))
    assert plain[45, 60] and 0.1 < plain.mean() < 0.3


@pytest.mark.parametrize(
    ("source", "size", "expected"),
    [((451, 301), None, (450, 300)), ((3000, 4000), None, (960, 1280)), ((500, 400), (100, 200), (100, 200))],
)
def test_size(source, size, expected):
    assert Framing.of(source, size).size == expected


def test_a_point_is_cropped_as_the_picture_is():
    picture = np.zeros((300, 200, 3), np.uint8)
    cv2.circle(picture, (150, 120), 6, (255, 0, 0), -1)
    framing = Framing.of((300, 200), (100, 200))
    np.testing.assert_allclose(framing.point(150, 120), centre(framing.crop(picture), np.array([255, 0, 0])), atol=1.0)


@pytest.fixture
def files(tmp_path):
    picture, disc = photograph()
    Image.fromarray(picture).save(tmp_path / "photo.png")
    Image.fromarray(disc).save(tmp_path / "mask.png")
    Image.fromarray(disc[:50]).save(tmp_path / "other.png")
    Image.fromarray(disc & False).save(tmp_path / "empty.png")
    write_sound(tmp_path / "hits.wav", Audio(torch.from_numpy(hits(0.25, 0.75)), RATE))
    return tmp_path


def make(folder, name="video", *, sound="hits.wav", **request):
    request = Request(image=folder / "photo.png", audio=folder / sound, method="warp", **request)
    return make_video(request, {"json": folder / f"{name}.json", "video": folder / f"{name}.mp4"}, overwrite=True)[0]


def test_video_is_of_the_photographs_size_and_moves_at_the_strokes(files):
    record = make(files, options={"--region": files / "mask.png"}, fps=30.0)
    video = read_video(files / "video.mp4").frames.astype(float)
    assert video.shape == (30, 120, 160, 3)
    moved = np.array([np.abs(after - before).mean() for before, after in pairwise(video)])
    assert {int(frame) for frame in np.argsort(moved)[-2:]} == {
        6,
        21,
    }  # pairs that end at 7 and 22, where the strokes are
    assert record["motion"] == "by rule, not generated"
    with av.open(str(files / "video.mp4")) as container:
        assert "moved by rule, nothing generated; method warp" in container.metadata["comment"]
    assert record["parts"][0]["region"]["name"] == "mask.png" and record["settings"]["height"] == 120
    assert len(record["motion_curve"]) == 30


def test_another_size_and_parts(files):
    parts = (parse_part(f"{files / 'mask.png'}=swing,band=low,pivot=90:100"), parse_part("0,0,40,40=zoom,band=high"))
    record = make(files, options={"--part": parts}, size=(90, 90))
    assert read_video(files / "video.mp4").frames.shape[1:3] == (90, 90)
    assert [part["kind"] for part in record["parts"]] == ["swing", "zoom"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"--region": "other.png"}, "`--region` must be a mask as large as the picture, 160x120 pixels, got 160x50"),
        (
            {"--region": "empty.png"},
            "`--region` must hold a part of the picture, not all or none of it, got one that is",
        ),
        ({"--box": (0, 0, 160, 120)}, "`--box` must hold a part .* got one that fills it"),
        ({"--box": (150, 10, 20, 20)}, "`--box` must be a box in the picture, 160x120 pixels, got 150,10,20,20"),
        ({"--motion": {"kind": "swing", "pivot": (200.0, 3.0)}}, "`--motion` must have its pivot in the picture"),
    ],
)
def test_regions_that_do_not_fit_are_refused(files, options, message):
    options = {name: files / value if isinstance(value, str) else value for name, value in options.items()}
    with pytest.raises(ValueError, match=message):
        make(files, options=options)
    assert not (files / "video.mp4").exists()


def test_a_size_that_no_video_has_is_refused(files):
    with pytest.raises(ValueError, match=r"`--size` must be even numbers of at most 4096 pixels, got 91x90"):
        make(files, size=(91, 90))


def test_a_sound_without_onsets_moves_nothing_and_says_so(files, caplog):
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    write_sound(files / "tone.wav", Audio(torch.from_numpy(np.float32(tone))[None], RATE))
    record = make(files, sound="tone.wav")
    assert max(record["motion_curve"]) < 0.05
    write_sound(files / "silence.wav", Audio(torch.zeros(1, RATE), RATE))
    make(files, sound="silence.wav")
    assert "nothing will move" in caplog.text


@pytest.mark.parametrize(
    "text", ["mask.png", "mask.png=fly", "mask.png=zoom,band=tenor", "1,2,3=zoom", "=zoom", "m=zoom,strength=9"]
)
def test_parts_that_cannot_be_read(text):
    with pytest.raises(ValueError, match=r"`--part`"):
        parse_part(text)


def test_motion_is_read():
    assert parse_motion("swing,pivot=3:4.5,edge=cut") == {"kind": "swing", "pivot": (3.0, 4.5), "edge": "cut"}


def test_from_python():
    picture, _ = photograph(64, 64)
    pipeline = load_pipeline(method="warp")
    made = pipeline([picture, picture], Audio(torch.from_numpy(hits(0.5, length=2.0)), RATE), height=64, width=64)
    assert made.frames[0].shape == (48, 64, 64, 3)
    np.testing.assert_array_equal(made.frames[0][11], picture)
    assert (made.frames[0][12] != picture).any()
    assert (
        pipeline(picture, height=64, width=64, output_type="pt").frames[-1]
        == pipeline(picture, height=64, width=64, output_type="pt").frames[0]
    ).all()
