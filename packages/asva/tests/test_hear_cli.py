"""A control is trained on a base of diffusers, and the base makes videos that hear, by the command line alone."""

import json
from pathlib import Path

from asva_data import read_video

SMALL = ["data.num_frames=5", "data.fps=5", "loop.max_steps=2", "loop.learning_rate=1", "loop.batch_size=1"]
SMALL += ["loop.warmup_steps=0"]
SMALL += ["arguments={audio_dim: 16, num_heads: 2, head_dim: 4}", "ears={mel: {fps: 5, hidden_size: 8}}"]


def test_from_clips_to_a_video_that_hears(asva, stock_folder, inputs):
    base = stock_folder("wan")
    fields = [word for field in SMALL for word in ("--set", field)]
    ran = asva("train", "control", "--base", base, "--recipe", "tiny-control", "--folder", "run", *fields, "--json")
    assert ran.code == 0, ran.err
    control = ["--method", "hear", "--model", base, "--set", "control=run/control", "--set", "control_scale=30"]
    control += ["--size", "16x16", "--steps", "1"]
    made = {}
    for name, more in {
        "on": [],
        "off": ["--set", "no_audio=true"],
        "shifted": ["--guidance", "3", "--set", "against=shifted"],
    }.items():
        given = ["--image", inputs / "ball.png", "--audio", inputs / "knocks.wav", "--duration", "1.4"]
        ran = asva("sample", *control, *given, *more, "--output", f"{name}.mp4")
        assert ran.code == 0, ran.err
        made[name] = read_video(f"{name}.mp4")
    assert {(video.frames.shape, video.fps) for video in made.values()} == {((7, 16, 16, 3), 5)}
    assert (made["on"].frames != made["off"].frames).any()
    assert (made["on"].frames != made["shifted"].frames).any()
    told = json.loads(Path("on.json").read_text(encoding="utf-8"))
    assert told["method"] == "hear" and told["num_frames"] == 7
    assert told["fps"] == 5
