"""Ways through `asva sample` and `asva keyframes` as somebody walks them who has a video or released names."""

import json

import numpy as np
import pytest

from asva_data import read_video, write_video


@pytest.fixture
def clip(tmp_path, knocks):
    """Two seconds that get brighter from frame to frame, with sound."""
    frames = np.broadcast_to(np.arange(24, dtype=np.uint8)[:, None, None, None] * 10, (24, 32, 32, 3))
    path = tmp_path / "clip.mp4"
    write_video(path, np.ascontiguousarray(frames), fps=12, waveform=knocks[:32000], sample_rate=16000)
    return path


def told(path="out.json"):
    return json.loads(open(path, encoding="utf-8").read())


@pytest.mark.parametrize(("start", "brightness"), [(0.0, 0), (1.0, 120), (1.46, 170)])
def test_picture_and_sound_of_one_video_begin_at_one_moment(asva, clip, start, brightness):
    ran = asva("sample", "--method", "static", "-i", clip, "-a", clip, "--start", start, "--size", "32x32")
    assert ran.code == 0, ran.err
    made = read_video("out.mp4")
    assert abs(made.frames.mean() - brightness) < 4 and abs(len(made.frames) / made.fps - (2 - start)) < 0.2
    assert told()["inputs"]["image"].get("start", 0.0) == start


def test_the_picture_of_another_video_is_its_first(asva, clip, inputs):
    ran = asva("sample", "--method", "static", "-i", clip, "-a", inputs / "knocks.wav", "--start", 1, "--size", "32x32")
    assert ran.code == 0, ran.err
    assert read_video("out.mp4").frames.mean() < 4 and "start" not in told()["inputs"]["image"]


def test_a_start_behind_the_picture_is_refused(asva, clip):
    ran = asva("sample", "--method", "static", "-i", clip, "-a", clip, "--start", 7)
    assert ran.code == 1 and "clip.mp4" in ran.complaint


def test_keyframes_of_the_released_model_need_no_download(asva, inputs):
    ran = asva("keyframes", inputs / "knocks.wav", "--model", "keyvid", "--json")
    assert ran.code == 0, ran.err
    assert len(json.loads(ran.out)["keyframes"]["indices"]) == 12
    assert "localizer of KeyVID was not released" in ran.err


@pytest.fixture
def sample(asva, inputs, method_model):
    def run(method, *more, output="out.mp4"):
        words = ["sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", method_model(method)]
        return asva(*words, "--output", output, *more)

    return run


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        ("keyvid", "interp_noise=freenoise"),
        ("keyvid", "alignment=official"),
        ("keyvid", "handover=pixels"),
        ("avsyncd", "sampler=unipc"),
        ("avsyncd", "guidance_stop=0.5"),
        ("mtv", "guidance_start=0.5"),
        ("audio-window", "sampler=dpm++"),
        ("audio-window", "no_audio=true"),
        ("mtv", "effects_scale=0"),
    ],
)
def test_any_argument_of_the_call_can_be_set(sample, method, setting):
    steps = () if method == "keyvid" else ("--steps", 2)
    assert sample(method, *steps, output="plain.mp4").code == 0
    ran = sample(method, *steps, "--set", setting)
    assert ran.code == 0, ran.err
    assert (read_video("out.mp4").frames != read_video("plain.mp4").frames).any()
    name, _, value = setting.partition("=")
    assert str(told()["settings"][name]).lower().removesuffix(".0") == value


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--set", "planner"], "`--set` must be NAME=VALUE"),
        (["--set", "loudness=2"], "`--set` must name one of"),
        (["--set", "text_guidance_scale=much"], "`--set text_guidance_scale` must be float"),
        (["--set", "guidance_stop=2"], "`guidance_start` and `guidance_stop` must rise from 0 to 1"),
        (["--set", "sampler=magic"], "`--set sampler` must be one of own, ddim, unipc, dpm++"),
        (["--set", "height=16"], "`--set` must name one of"),
    ],
)
def test_what_cannot_be_set_is_said_in_one_line(sample, words, match):
    ran = sample("avsyncd", *words)
    assert ran.code in (1, 2) and match in ran.complaint, ran.complaint


def test_words_over_time_reach_mtv(sample):
    plain, turned = ("--seed", 1), ("--seed", 1, "--prompt-at", "1.2=a drum")
    assert sample("mtv", "-p", "a wall", *plain, output="plain.mp4").code == 0
    ran = sample("mtv", "-p", "a wall", *turned)
    assert ran.code == 0, ran.err
    one, other = (read_video(name).frames.astype(int) for name in ("plain.mp4", "out.mp4"))
    windows = told()["windows"]
    assert told()["over_time"] == {"prompt_at": [[1.2, "a drum"]]} and len(windows) > 2
    assert np.abs(one[:9] - other[:9]).max() == 0 and np.abs(one[-3:] - other[-3:]).max() > 0
    assert sample("mtv", "--prompt-at", "9=a drum", "--overwrite").complaint.startswith(
        "`--prompt-at` must lie within the video"
    )
