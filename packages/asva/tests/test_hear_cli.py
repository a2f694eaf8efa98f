"""A control is trained on a base of diffusers, and the base makes videos that hear, by the command line alone."""

import json
from pathlib import Path

import pytest

from asva_data import read_video, write_world

SMALL = ["data.num_frames=5", "data.fps=5", "loop.max_steps=2", "loop.learning_rate=1", "loop.batch_size=1"]
SMALL += ["loop.warmup_steps=0"]
SMALL += ["arguments={audio_dim: 16, num_heads: 2, head_dim: 4}", "ears={mel: {fps: 5, hidden_size: 8}}"]


def _of_clips(fields):
    """Those of the fields that say what a clip and its sound are."""
    kept = [field for field in fields[1::2] if field.startswith(("data.", "ears"))]
    return [word for field in kept for word in ("--set", field)]


@pytest.mark.parametrize("name", ["wan", "ltx2"])
def test_from_clips_to_a_video_that_hears(name, asva, stock_folder, inputs):
    """From videos and the shards made of them; a base that was trained on stored words needs no text encoder."""
    base, frames, side = stock_folder(name), *((9, 64) if name == "ltx2" else (5, 16))
    fields = [word for field in SMALL for word in ("--set", field)]
    fields += ["--set", f"data.num_frames={frames}"]
    fields += ["--set", f"data.height={max(side, 32)}", "--set", f"data.width={max(side, 32)}"]
    known = ("--recipe", "tiny-control", *fields)
    write_world(Path("videos"), 1, size=32)
    ran = asva("data", "precompute", "videos", "--model", base, *known[:2], *_of_clips(fields), "--output", "shards")
    assert ran.code == 0, ran.err
    stored = ["--set", "data.kind=latents", "--set", "data.root=shards"]
    ran = asva("train", "control", "--base", base, *known, *stored, "--folder", "run", "--json")
    assert ran.code == 0, ran.err
    control = ["--method", "hear", "--model", base, "--set", "control=run/control", "--set", "control_scale=30"]
    control += ["--size", f"{side}x{side}", "--steps", "1"]
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
    assert {(video.frames.shape, video.fps) for video in made.values()} == {((7, side, side, 3), 5)}
    assert (made["on"].frames != made["off"].frames).any()
    assert (made["on"].frames != made["shifted"].frames).any()
    told = json.loads(Path("on.json").read_text(encoding="utf-8"))
    assert told["method"] == "hear" and told["num_frames"] == 7
    assert told["fps"] == 5
