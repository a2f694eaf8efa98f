"""What `asva sample` does to networks before they run: LoRA, small storage, tiles; and how it steps."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asva_data import read_video


@pytest.fixture
def sample(asva, inputs, method_model):
    def run(method, *more, output="out.mp4"):
        words = ["sample", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav", "--model", method_model(method)]
        ran = asva(*words, "--device", "cpu", "--duration", 2, "-o", output, *more)
        return ran, json.loads(Path(output).with_suffix(".json").read_text(encoding="utf-8")) if not ran.code else {}

    return run


def frames(path="out.mp4"):
    return read_video(path).frames.astype(int)


@pytest.fixture
def layers(method_model, tmp_path):
    """A folder of LoRA layers for the small AVSyncD."""
    from peft import LoraConfig

    from asva_pipelines import load_pipeline

    pipeline = load_pipeline(method_model("avsyncd"), device="cpu")
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v"]))
    for name, value in pipeline.unet.named_parameters():
        value.data += 0.5 * ("lora_B" in name)
    pipeline.save_lora_weights(tmp_path / "layers")
    return tmp_path / "layers"


def test_lora_layers_count_by_their_scale(sample, layers):
    sample("avsyncd", output="plain.mp4")
    for scale, alike in ((":0", True), ("", False)):
        ran, record = sample("avsyncd", "--lora", f"{layers}{scale}", "--overwrite")
        assert ran.code == 0, ran.err
        assert (np.abs(frames() - frames("plain.mp4")).max() == 0) == alike
    (told,) = record["device"]["lora"]
    assert told["name"] == "layers" and told["scale"] == 1.0 and len(told["sha256"]) == 64


@pytest.mark.parametrize(
    ("method", "more", "message"),
    [
        ("i2vd", (), "`lora` must be of this model, got a layer for 'unet."),
        ("mtv", ("--speech", "{sound}"), "`lora` must be of transformer, got layers of unet"),
        ("avsyncd", ("--lora", "nowhere"), "LoRA 'nowhere' must be a folder with"),
        ("avsyncd", ("--sampler", "unipc", "--eta", "0.5"), "`eta` must be 0 with unipc"),
        ("mtv", ("--interp-sampler", "ddim"), "`--interp-sampler` must be left out with the method mtv"),
        ("avsyncd", ("--compile", "--storage", "float8"), "`compile` must be left out with float8"),
        ("avsyncd", ("--interp-eta", "1"), "`--interp-eta` must be left out with the method avsyncd: it is for keyvid"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(sample, inputs, layers, method, more, message):
    words = [word.format(sound=inputs / "knocks.wav") for word in more]
    ran, _ = sample(method, "--lora", layers, *words)
    assert ran.code != 0 and message in ran.err.replace("\n", " ")


def test_a_method_without_networks_takes_none(asva, inputs):
    words = ("sample", "--method", "static", "-i", inputs / "ball.png", "-a", inputs / "knocks.wav")
    ran = asva(*words, "--storage", "float8")
    assert ran.code == 2 and "`--storage` must be left out with the method static" in ran.err


@pytest.mark.parametrize("method", ["avsyncd", "mtv"])
def test_storage_and_tiles_are_recorded_and_change_little(sample, method):
    sample(method, output="plain.mp4")
    more = ("--storage", "float8") + (("--tiling",) if method == "avsyncd" else ())
    ran, record = sample(method, *more)
    assert ran.code == 0, ran.err
    assert record["device"]["storage"] == "float8" and record["device"].get("tiling", False) == ("--tiling" in more)
    assert 0 < np.abs(frames() - frames("plain.mp4")).mean() < 20


def test_stages_have_samplers_and_noise_of_their_own(sample):
    made = {}
    for name, more in {
        "own": (),
        "both": ("--sampler", "unipc"),
        "second": ("--interp-sampler", "unipc"),
        "noisy": ("--interp-eta", "1"),
        "as own": ("--sampler", "ddim", "--eta", "0"),
    }.items():
        ran, record = sample("keyvid", "--steps", 2, "--interp-steps", 2, *more, "--overwrite")
        assert ran.code == 0, ran.err
        made[name] = frames(), record["settings"], record["keyframes"]["indices"]
    assert made["both"][1]["sampler"] == made["second"][1]["interp_sampler"] == "unipc"
    assert np.array_equal(made["own"][0], made["as own"][0])
    for name in ("both", "second", "noisy"):
        assert not np.array_equal(made[name][0], made["own"][0]), name


def test_what_waits_in_eight_bits_is_foretold(method_model):
    from asva_pipelines.memory.prediction import predict

    own, small = (
        predict(method_model("avsyncd"), height=16, width=16, storage=storage) for storage in ("own", "float8")
    )
    assert small.weights < 0.9 * own.weights


WARM = """
import sys, torch
sys.path.insert(0, sys.argv[2])
from fixtures.pipelines import video
from asva_pipelines import load_pipeline
plain = video(load_pipeline(sys.argv[1], device="cpu", dtype="float32"))
assert (video(load_pipeline(sys.argv[1], device="cpu", dtype="float32", compile=True)) - plain).abs().max() < 1e-4
counters = torch._dynamo.utils.counters["inductor"]
print(counters["fxgraph_cache_hit"], counters["fxgraph_cache_miss"])
"""


@pytest.mark.slow
def test_what_was_compiled_is_found_by_the_next_process(method_model, tmp_path, monkeypatch):
    monkeypatch.setenv("ASVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    tests = Path(__file__).parents[3] / "tests"
    counts = []
    for _ in range(2):
        words = [sys.executable, "-c", WARM, method_model("i2vd"), tests]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        counts.append([int(word) for word in ran.stdout.split()[-2:]])
    assert counts[0][1] > 0 and counts[1] == [sum(counts[0]), 0]
