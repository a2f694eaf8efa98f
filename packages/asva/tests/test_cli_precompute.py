"""``asva data precompute``: latents and tokens for a training, and one line for what cannot be done."""

import json
import shutil

import pytest
import torch

from asva_audio import BEATsEncoder
from asva_data import SyntheticWorld, write_video
from asva_train.stored_clips import read_index

CLIPS = {"height": 16, "width": 16, "num_frames": 12, "fps": 6.0, "seed": 3, "workers": 0}
BEATS = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "embed_dim": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "conv_pos": 8,
    "conv_pos_groups": 2,
}


@pytest.fixture
def raw(tmp_path):
    """One video of 2.5 s."""
    clip = SyntheticWorld(seed=0, size=32, num_frames=60, two_objects=0.0)[3]
    (tmp_path / "raw" / "bells").mkdir(parents=True)
    path = tmp_path / "raw" / "bells" / "a.mkv"
    write_video(path, clip.frames, fps=24, waveform=clip.waveform, sample_rate=16000)
    return tmp_path / "raw"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{raw}", "--output", "out/no/where"], "must lie in an existing folder"),
        (["{raw}", "--output", "{raw}"], "must be a new or empty folder"),
        (["none", "--output", "out"], "`root` must be an existing folder"),
        (["{raw}", "--output", "out", "--set", "loop.max_steps=3"], "must begin with data."),
        (["{raw}", "--output", "out", "--set", "data.size=3"], "`--set` must name fields"),
    ],
)
def test_bad_input_is_one_line(asva, raw, small_model, words, said):
    ran = asva("data", "precompute", "--model", small_model, *(word.format(raw=raw) for word in words))
    assert ran.code in (1, 2) and said in " ".join(ran.err.split()), ran.err


def test_the_commands_store_and_train(asva, raw, method_model, tmp_path):
    clips = [word for name, value in CLIPS.items() for word in ("--set", f"data.{name}={value}")]
    base, beats = tmp_path / "base", tmp_path / "elsewhere"
    shutil.copytree(method_model("audio-window"), base)
    shutil.rmtree(base / "beats")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BEATsEncoder(**BEATS).save_pretrained(beats)
    hearing = ["--set", "taps={beats: [1]}", "--set", f"init.beats={beats}"]
    words = ("--model", base, "--recipe", "tiny-audio-window", "--device", "cpu", *clips, *hearing)
    stored = asva("data", "precompute", raw, "--output", tmp_path / "shards", *words)
    assert stored.code == 0 and "1 clips in 1 shards" in stored.out, stored.err
    assert read_index(tmp_path / "shards")["settings"]["tokens"]["taps"] == {"beats": [1]}
    config = json.loads((base / "unet" / "config.json").read_text(encoding="utf-8"))
    network = {name: value for name, value in config.items() if not name.startswith("_")}
    networks = f"models={json.dumps({'audio_window_unet': network})}"
    fields = (
        "data.kind=latents",
        f"data.root={tmp_path / 'shards'}",
        f"base={base}",
        networks,
        "loop.mixed_precision=no",
    )
    chosen = [word for field in fields for word in ("--set", field)]
    home = tmp_path / "run"
    ran = asva("train", "audio-window", "--folder", home, "--steps", 1, "--device", "cpu", *clips, *hearing, *chosen)
    assert ran.code == 0 and (home / "taps" / "config.json").is_file(), ran.err
    wrong = asva("train", "avsyncd", "--folder", tmp_path / "b", "--steps", 1, "--device", "cpu", *clips,
                 *chosen[:4], "--set", f"base={method_model('avsyncd')}", "--set", "models={}")  # fmt: skip
    assert wrong.code == 1 and "as avsyncd hears it" in wrong.err and "Traceback" not in wrong.err
