"""Self-made media of every kind: each frame carries its number, each sound clicks at known times."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

BITS = 8


def numbered_frame(number, size=(64, 96), colour=(200, 60, 30)):
    """A coloured picture whose top row of blocks is its number in black and white."""
    height, width = size
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = colour
    block = width // BITS
    for bit in range(BITS):
        frame[: height // 3, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
    return frame


def number_of(frame):
    """The number that `numbered_frame` drew."""
    height, width = frame.shape[:2]
    row = frame[height // 6].astype(int).sum(axis=1)
    return sum(int(row[int((bit + 0.5) * (width // BITS))] > 384) << bit for bit in range(BITS))


def click_track(clicks=(0.25, 1.25), seconds=2.0, sample_rate=16000, channels=1):
    """(c, s) float32 silence with one full-scale sample at each time."""
    sound = np.zeros((channels, round(seconds * sample_rate)), np.float32)
    for click in clicks:
        sound[:, round(click * sample_rate)] = 1.0
    return sound


def click_times(waveform, sample_rate, count):
    """Times of the `count` loudest moments, at least 0.1 s apart."""
    level = np.abs(waveform).max(axis=0).copy()
    found = []
    for _ in range(count):
        peak = int(level.argmax())
        found.append(peak / sample_rate)
        level[max(0, peak - sample_rate // 10) : peak + sample_rate // 10] = 0
    return sorted(found)


def write_media(
    path,
    *,
    num_frames=48,
    fps=24,
    size=(64, 96),
    codec="libx264",
    pix_fmt="yuv420p",
    gop=12,
    times=None,
    video_start=0.0,
    audio_start=0.0,
    audio_codec="aac",
    sound=True,
    sample_rate=16000,
    channels=1,
    seconds=2.0,
    clicks=(0.25, 1.25),
    gain=1.0,
    picture=True,
    pixel_aspect=1,
    container_format=None,
    options=None,
    x265_params="log-level=none",
    codec_options=None,
    clock=90000,
):
    """Write with PyAV alone, so that the code under test is not its own judge."""
    rate = Fraction(fps)
    with av.open(str(path), "w", format=container_format, options=options or {}) as container:
        video = audio = None
        if picture:
            video = container.add_stream(codec, rate=rate, options={"g": str(gop), **(codec_options or {})})
            video.height, video.width, video.pix_fmt = *size, pix_fmt
            video.codec_context.time_base = Fraction(1, clock)
            video.codec_context.thread_count = 1
            video.codec_context.sample_aspect_ratio = Fraction(pixel_aspect)
            if codec == "libx265":
                video.options = {**video.options, "x265-params": x265_params}
        if sound:
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
            audio = container.add_stream(audio_codec, rate=sample_rate, layout=layout)
        pictures = (video, num_frames, rate, size, times, video_start, pix_fmt, clock)
        packets = [*_picture_frames(*pictures)] if picture else []
        if sound:
            samples = click_track(clicks, seconds, sample_rate, channels) * np.float32(gain)
            packets += _sound_frames(audio, samples, sample_rate, layout, audio_start)
        for _, stream, frame in sorted(packets, key=lambda packet: packet[0]):
            container.mux(stream.encode(frame))
        for stream in filter(None, (video, audio)):
            container.mux(stream.encode(None))
    return path


def _picture_frames(stream, num_frames, rate, size, times, start, pix_fmt, clock):
    times = [Fraction(n, 1) / rate for n in range(num_frames)] if times is None else times
    ends = [*times[1:], times[-1] + 1 / rate]
    for number, (time, end) in enumerate(zip(times, ends, strict=True)):
        frame = av.VideoFrame.from_ndarray(numbered_frame(number, size), format="rgb24")
        frame = frame.reformat(format=pix_fmt, threads=1)
        frame.pts, frame.time_base = round((time + Fraction(start)) * clock), Fraction(1, clock)
        frame.duration = round((end - time) * clock)
        yield float(time) + start, stream, frame


def _sound_frames(stream, samples, sample_rate, layout, start):
    bounds = [*range(0, samples.shape[1], 1024), samples.shape[1]]
    for begin, end in pairwise(bounds):
        frame = av.AudioFrame.from_ndarray(samples[:, begin:end].copy(), format="fltp", layout=layout)
        frame.pts, frame.time_base = begin + round(start * sample_rate), Fraction(1, sample_rate)
        frame.sample_rate = sample_rate
        yield begin / sample_rate + start, stream, frame


def turn_track(path, degrees):
    """Write a display matrix that turns the picture clockwise into the header of an mp4."""
    data = bytearray(path.read_bytes())
    one = 1 << 16
    a, b, c, d = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0), "mirror": (-one, 0, 0, one)}[
        degrees
    ]
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version, times and ids, reserved, layer to volume
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut_without_decoding(source, target, start):
    """What ``ffmpeg -ss START -c copy`` writes: packets from the keyframe before, hidden by an edit list."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        tracks = {
            stream.index: new.add_stream_from_template(stream) for stream in (*old.streams.video, *old.streams.audio)
        }
        packets = [packet for packet in old.demux() if packet.dts is not None]
        video = old.streams.video[0]
        key = max(p.dts for p in packets if p.stream is video and p.is_keyframe and p.pts * p.time_base <= start)
        for packet in packets:
            offset = round(start / packet.time_base)
            if packet.dts * packet.time_base < key * video.time_base:
                continue
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
            packet.stream = tracks[packet.stream.index]
            new.mux(packet)
    return target


@pytest.fixture
def media():
    """The makers and readers of self-made media, as attributes."""
    from types import SimpleNamespace

    names = (numbered_frame, number_of, click_track, click_times, write_media, turn_track, cut_without_decoding)
    return SimpleNamespace(**{function.__name__: function for function in names})


@pytest.fixture(scope="session")
def curated_once(tmp_path_factory):
    """Results of a curation: two bells of 4 s, one of which stands still, a copy, and a file that is no video."""
    from asva_data import write_video
    from asva_data.curation import curate, load_recipe, settle, sources, write_results
    from asva_data.listing import video_files
    from asva_data.synthetic import SyntheticWorld

    home = tmp_path_factory.mktemp("curated")
    raw = home / "raw" / "bell"
    raw.mkdir(parents=True)
    for index, name in ((3, "a b"), (13, "<b>&\"'"), (3, "copy"), (23, "still")):
        clip = SyntheticWorld(seed=3, size=64, num_frames=96, two_objects=0.0)[index]
        frames = np.repeat(clip.frames[:1], 96, axis=0) if name == "still" else clip.frames
        write_video(raw / f"{name}.mp4", frames, fps=24, waveform=clip.waveform, sample_rate=16000)
    (raw / "none.mp4").write_bytes(b"no video")
    recipe = load_recipe("open-asva", {"filters.resolution.min": 64, "filters.frozen.min": 0.02})
    measured, verdicts = zip(*curate(sources(video_files(home / "raw"), home / "raw"), recipe), strict=True)
    (home / "out").mkdir()
    write_results(home / "out", measured, settle(measured, verdicts, recipe), recipe)
    return home / "out"


@pytest.fixture
def curated(curated_once, tmp_path):
    """A copy of the results, with what they hold: `verdicts`, `recipe`, and kept `clips` as (key, path, span)."""
    import shutil
    from types import SimpleNamespace

    from asva_data.curation.results import Results
    from asva_data.curation.verdict import clip_key

    folder = tmp_path / "curated"
    shutil.copytree(curated_once, folder)
    results = Results(folder)
    clips = [
        (clip_key(one.path, clip.start, clip.end), one.path, clip)
        for one in results.verdicts
        for clip in one.clips
        if clip.kept
    ]
    return SimpleNamespace(folder=folder, verdicts=results.verdicts, recipe=results.recipe, clips=clips)
