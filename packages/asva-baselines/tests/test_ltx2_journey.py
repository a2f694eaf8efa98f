"""LTX-2 from its released layout, small and random, to videos at the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers", "0.42")

from fixtures.inputs import write_wav
from fixtures.ltx2 import write_released

from asva_data import probe, read_video
from asva_pipelines import load_pipeline


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return write_released(tmp_path_factory.mktemp("ltx2") / "LTX-2")


@pytest.fixture
def sample(asva, inputs, released):
    """``sample("--fps", 12)``: how the command ended."""

    def run(*more, sound=inputs / "knocks.wav"):
        words = ("--model", released, "--size", "64x64", "--prompt", "a ball", "--steps", 1, "--audio", sound)
        return asva("sample", *words, *more)

    return run


def test_from_released_files_to_a_video(sample, inputs, monkeypatch):
    monkeypatch.setattr("asva_pipelines.loading.citations._said", set())
    ball = inputs / "ball.png"
    ran = sample("--image", ball, "--frame", f"1.5={ball}", "--method", "ltx2")
    assert ran.code == 0 and "LTX-2 Community License" in ran.err, ran.err
    frames = read_video("out.mp4").frames
    assert frames.shape == (48, 64, 64, 3) and frames.std() > 0
    told = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert told["method"] == "ltx2" and list(told["inputs"]["frames"]) == ["1.5"]
    assert told["num_frames"] == 48 and told["settings"]["route"] == "distilled"


@pytest.mark.parametrize("fps", [24, 25, 12])
def test_nine_lengths_exact_to_the_frame_with_the_sound_as_it_was(sample, knocks, tmp_path, fps):
    lengths = (0.05, 0.13, 0.34, 0.5, 0.71, 1.0, 1.33, 1.7, 2.0)
    rows = [{"output": f"{place}.mp4", "duration": seconds} for place, seconds in enumerate(lengths)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert sample("--batch", "rows.jsonl", "--output", "out", "--fps", fps).code == 0
    for place, seconds in enumerate(lengths):
        clip, count = read_video(f"out/{place}.mp4"), max(round(seconds * fps), 1)
        assert len(clip.frames) == count and probe(f"out/{place}.mp4").fps == fps
        heard, given = clip.waveform[0, : round(count / fps * 16000)], knocks[: round(count / fps * 16000)]
        assert seconds < 0.3 or np.corrcoef(heard[: len(given)], given[: len(heard)])[0, 1] > 0.98


def test_another_sound_or_rate_makes_another_video(sample, tmp_path):
    noise = 0.3 * np.random.default_rng(0).normal(size=8000)
    rows = {
        "knocks": {},
        "noise": {"audio": str(write_wav(tmp_path / "noise.wav", noise))},
        "guided": {"set": ["route=guided"]},
    }
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps({"output": f"{name}.mp4"} | row) for name, row in rows.items()), encoding="utf-8"
    )
    ran = sample("--batch", "rows.jsonl", "--output", "out", "--duration", 0.5)
    assert ran.code == 0, ran.err
    made = {name: read_video(f"out/{name}.mp4").frames.astype(float) for name in rows}
    assert np.abs(made["knocks"] - made["noise"]).mean() > 0.5 and np.abs(made["knocks"] - made["guided"]).mean() > 0.5
    assert "the distilled LoRA is not in the model's folder: one stage" in ran.err


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--size", "96x64"), "`height` must be a positive multiple of 64, got 96"),
        (("--steps", 9), "`num_inference_steps` must be at most 8 on the distilled route, got 9"),
        (("--set", "route=fast"), "`route` must be one of distilled, guided, got fast"),
        (("--set", "num_frames=9"), "got 'num_frames'"),
        (("--frame", "3=ball.png"), "`--frame` must be at 0 to 1.95833 s"),
        (("--duration", 25), "`num_frames` must last from 0.04 s, a latent of the sound, to 20 s"),
        (("--curve", "curve.csv"), "`--curve` must be left out with the method ltx2"),
        (("--image-model", "any"), "`--image-model` must be left out with the method ltx2"),
    ],
)
def test_what_cannot_be(sample, inputs, tmp_path, words, rule):
    for name in ("ball.png", "curve.csv"):
        (tmp_path / name).write_bytes((inputs / "ball.png").read_bytes())
    ran = sample(*words)
    assert ran.code != 0 and rule in ran.complaint, ran.err
    assert not Path("out.mp4").exists()


def test_a_sound_shorter_than_a_latent_of_it(sample, tmp_path):
    ran = sample(sound=write_wav(tmp_path / "short.wav", np.full(480, 0.1)))
    assert ran.code == 1 and "`audio` must last at least 0.04 s, a latent of the sound, got 0.03 s." in ran.complaint


def test_its_licence_is_shown_and_nothing_is_fetched(asva, inputs):
    ran = asva("models", "info", "ltx2")
    assert ran.code == 0 and "LTX-2 Community License" in ran.out and "Gemma Terms of Use" in ran.out
    ran = asva("sample", "--method", "ltx2", "--audio", inputs / "knocks.wav")
    assert ran.code == 1 and "fetch Lightricks/LTX-2, or pass that id" in ran.complaint


@pytest.mark.slow
def test_to_a_row_of_the_bench(released, bench_row, tmp_path):
    load_pipeline(released, device="cpu").save_pretrained(tmp_path / "model")
    assert bench_row("ltx2", 64)["inputs"]["image"]
