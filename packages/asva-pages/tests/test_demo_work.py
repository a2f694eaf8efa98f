"""The work behind the page: uploads heard and seen, videos made as `asva sample` makes them, stopped at a step."""

import multiprocessing
import wave

import anyio
import numpy as np
import psutil
import pytest
from PIL import Image

from asva_pages import Limits, Settings
from asva_pages.demo.stages import Cancelled
from asva_pages.demo.uploads import check_head, checked_name, store
from asva_pages.demo.work import Work, _answer, serve
from asva_pages.demo.workers import Unable, Worker
from asva_pages.requests import Refused
from asva_pipelines import resolve_model


@pytest.fixture
def settings(small_model):
    return Settings(model=str(small_model), folder=small_model, device="cpu", limits=Limits(seconds=3.0))


@pytest.fixture
def told():
    return []


@pytest.fixture
def work(settings, told):
    return Work(settings, told.append, lambda: False)


def wish(inputs, **more):
    return {"audio": inputs / "knocks.wav", "image": inputs / "ball.png", "prompt": "", "seed": 0, "options": {}} | more


def test_a_sound_is_heard_as_sample_hears_it(work, inputs, tmp_path):
    heard = work.listen(str(inputs / "knocks.wav"), str(tmp_path / "shown.wav"))
    assert (heard["seconds"], heard["fps"], len(heard["curve"]), heard["most"], heard["window"]) == (
        2.0,
        24,
        48,
        12,
        2.0,
    )
    assert max(heard["waveform"]) == 1.0 and len(heard["waveform"]) == 120
    with wave.open(str(tmp_path / "shown.wav")) as shown:
        assert shown.getnframes() / shown.getframerate() == pytest.approx(2.0, abs=0.01)
    made = work.make(wish(inputs), str(tmp_path / "a.mp4"))
    assert made["keyframes"] == pytest.approx(heard["keyframes"], abs=1e-3)


def test_a_picture_becomes_a_small_one(work, inputs, tmp_path):
    assert work.look(str(inputs / "ball.png"), str(tmp_path / "shown.png")) == {"height": 40, "width": 48}
    assert Image.open(tmp_path / "shown.png").size == (48, 40)


def test_progress_rises_to_the_whole(work, told, inputs, tmp_path):
    work.make(wish(inputs), str(tmp_path / "a.mp4"))
    shares = [one["fraction"] for one in told]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert {"keyframes", "frames between", "decoding"} <= {one["stage"] for one in told}
    assert all(one["left"] >= 0 for one in told if one["fraction"])


def test_it_stops_at_the_next_step_and_leaves_nothing(settings, inputs, tmp_path):
    told = []
    work = Work(settings, told.append, lambda: len(told) > 4)
    with pytest.raises(Cancelled):
        work.make(wish(inputs), str(tmp_path / "a.mp4"))
    assert len(told) == 5 and list(tmp_path.iterdir()) == []


def test_refusals_name_the_file_and_no_folder(work, tmp_path):
    folder = tmp_path / "Ab-_9"
    folder.mkdir()
    (folder / "my song.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(5000))
    np.save(tmp_path / "x.npy", np.zeros(3))
    for task in ("listen", "look"):
        given = {"path": str(folder / "my song.mp4"), "preview": str(folder / "shown")}
        kind, line = _answer(work, task, given, tmp_path)
        assert kind == "refused" and "my song.mp4" in line and str(tmp_path) not in line and "`--" not in line


def test_a_playlist_of_another_s_upload_is_refused(work, inputs, tmp_path):
    (tmp_path / "knocks.wav").write_bytes((inputs / "knocks.wav").read_bytes())
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile knocks.wav\n", encoding="utf-8")
    for task in ("listen", "look"):
        given = {"path": str(tmp_path / "list.mp4"), "preview": str(tmp_path / "shown")}
        kind, line = _answer(work, task, given, tmp_path)
        assert kind == "refused" and "list.mp4" in line and "knocks" not in line
    assert not (tmp_path / "shown").exists()


def test_a_sound_that_is_too_long_is_refused(work, tmp_path, inputs):
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * 100))
    kind, line = _answer(work, "listen", {"path": str(tmp_path / "long.wav"), "preview": "x.wav"}, tmp_path)
    assert (kind, line) == ("refused", "The sound must be at most 3 s long, got more: cut it.")


def test_silence_is_remarked_upon(work, tmp_path):
    with wave.open(str(tmp_path / "still.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000))
    given = {"path": str(tmp_path / "still.wav"), "preview": str(tmp_path / "shown.wav")}
    kind, heard = _answer(work, "listen", given, tmp_path)
    assert kind == "done" and heard["notes"][0].startswith("'still.wav' is silent")


def test_what_nobody_foresaw_is_one_line(work, tmp_path, capfd):
    kind, line = _answer(work, "make", {"request": {"colour": 1}, "video": "x"}, tmp_path)
    assert (kind, line.splitlines()) == ("failed", [line]) and "TypeError" in line


def test_a_worker_that_dies_is_told_and_replaced(settings, inputs, tmp_path):
    async def live():
        worker = Worker(settings, tmp_path)
        given = {"path": str(inputs / "ball.png"), "preview": str(tmp_path / "shown.png")}
        try:
            assert (await worker.do("look", **given))["width"] == 48
            before = worker.pid
            psutil.Process(before).suspend()
            async with anyio.create_task_group() as group:
                group.start_soon(killed, worker, given)
                await anyio.sleep(0.1)
                psutil.Process(before).kill()
            assert (await worker.do("look", **given))["width"] == 48
            assert worker.pid != before
            with pytest.raises(Unable, match="must be an existing picture"):
                await worker.do("look", path=str(tmp_path / "none.png"), preview="x")
        finally:
            worker.close()

    async def killed(worker, given):
        with pytest.raises(Unable, match="died of it"):
            await worker.do("look", **given)

    anyio.run(live)


def test_a_reader_that_takes_too_long_is_ended_and_replaced(settings, inputs, tmp_path):
    async def live():
        worker = Worker(settings, tmp_path, 60.0)
        given = {"path": str(inputs / "ball.png"), "preview": str(tmp_path / "shown.png")}
        try:
            await worker.do("look", **given)
            psutil.Process(before := worker.pid).suspend()
            worker._seconds = 0.2
            with pytest.raises(Unable, match=r"more than 0\.2 s to be read"):
                await worker.do("look", **given)
            assert not psutil.pid_exists(before)
            worker._seconds = 60.0
            assert (await worker.do("look", **given))["width"] == 48
        finally:
            worker.close()

    anyio.run(live)


def test_a_reader_of_uploads_is_bounded(inputs, small_model, tmp_path):
    """A picture of a size that a user of the command may read, and a memory that is full."""

    async def live():
        limits = Limits(pixels=1000, memory=2**30)
        worker = Worker(Settings(model="x", folder=small_model, device="cpu", limits=limits), tmp_path, 60.0)
        try:
            with pytest.raises(Unable, match="must hold at most 1000 pixels"):
                await worker.do("look", path=str(inputs / "ball.png"), preview=str(tmp_path / "shown.png"))
            bounds = psutil.Process(worker.pid).rlimit(psutil.RLIMIT_DATA)
            assert bounds[0] == 2**30
        finally:
            worker.close()

    anyio.run(live)


def test_a_worker_whose_server_was_killed_ends_without_a_word(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)  # it is this process here
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    ours.send((1, "look", {"path": "none.png", "preview": "x"}))
    ours.close()
    serve(theirs, context.RawValue("q", -1), settings, tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\0\0\0\0WAVE",
        b"fLaC",
        b"OggS",
        b"ID3\x04\0\0\0\0\0\0\xff\xfb",
        b"ID3\x04\0\0\0\0\x0f\x0f",
        b"\xff\xfb\x90\0",
        b"\0\0\0\x20ftypM4A ",
        b"\x1aE\xdf\xa3",
        b"FORM\0\0\0\0AIFF",
        b"RIFF\0\0\0\0AVI ",
    ],
)
def test_sounds_are_told_by_their_first_bytes(head):
    check_head(head, "sound")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"#EXTM3U\n",
        b"ffconcat version 1.0",
        b"v=0\r\no=",
        b"<?xml version",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"MZ\x90\0",
        b"RIFF\0\0\0\0ACON",
        b"\x89PNG\r\n\x1a\n",
        b"\0" * 100,
    ],
)
def test_other_things_are_no_sounds(head):
    with pytest.raises(Refused):
        check_head(head, "sound")


def test_a_playlist_behind_the_tags_of_a_song_is_refused(tmp_path):
    tags = b"ID3\x04\0\0\0\0\x7f\x7f" + bytes(16383)

    async def send(behind):
        async def chunks():
            yield tags + behind

        await store(chunks(), tmp_path / "song.mp3", "sound", 10**6)

    with pytest.raises(Refused):
        anyio.run(send, b"#EXTM3U\n")
    assert list(tmp_path.iterdir()) == []
    anyio.run(send, b"\xff\xfb\x90\0")


def test_a_name_stays_as_it_is():
    assert checked_name("Tür & Tor (1).WAV") == "Tür & Tor (1).WAV"


def test_a_photograph_is_moved_where_it_was_painted(inputs, tmp_path, told):
    work = Work(Settings(model="tiny", folder=resolve_model("tiny"), device="cpu"), told.append, lambda: False)
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((128, 96)).save(tmp_path / "photo.png")
    Image.fromarray(np.pad(np.full((30, 30), 255, np.uint8), ((20, 46), (40, 58)))).save(tmp_path / "region.png")
    looked = work.look(str(tmp_path / "photo.png"), str(tmp_path / "shown.png"))
    assert looked == {"height": 96, "width": 128, "moved": True}
    region = {"--region": tmp_path / "region.png"}
    made = work.make(wish(inputs, image=tmp_path / "photo.png", options=region), str(tmp_path / "a.mp4"))
    assert (made["height"], made["width"], made["frames"], made["keyframes"]) == (96, 128, 48, [])
    assert max(one["fraction"] for one in told) == 1.0 and any(0.2 < one["fraction"] < 0.8 for one in told)
