"""DeSync: Synchformer, what it is shown, and the number made of its answers."""

import json
import zlib

import numpy as np
import pytest
import torch

from asva_audio import resample
from asva_metrics import Synchformer, convert_synchformer, desync, load_synchformer, synchformer_mel, synchformer_video
from asva_metrics.desync import OFFSETS, frames_at_25, square_pixels
from asva_metrics.networks.synchformer_convert import TABLE
from asva_weights import ConversionError


def sizes(config):
    """Arguments of ours from those of a fixture."""
    return {
        "hidden_sizes": (config["vdim"], config["adim"], config["dim"]),
        "num_layers": (config["vdepth"], config["adepth"], config["layers"]),
        "num_heads": (config["vheads"], config["aheads"], config["heads"]),
        "mlp_size": config["ainter"],
        "image_size": config["img"],
        "patch_size": config["patch"],
        "num_segments": config["nseg"],
    }


@pytest.fixture
def small(parity):
    """The fixture's network; parts that its state lacks keep the weights they are made with."""
    chosen = sizes(parity.config["config"])
    return convert_synchformer(TABLE.to_original(Synchformer(**chosen).state_dict()) | parity.state, **chosen)


@torch.no_grad()
@pytest.mark.parity("desync/synchformer_visual_*.json")
def test_the_picture_s_tower(parity, small, note):
    seen = []
    for block in small.video.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out))
    features = small.embed_video(parity.inputs["segments"])
    expected = [parity.outputs[f"block_{i}"] for i in range(len(seen))] + [parity.outputs["features"]]
    for actual, stored in zip([*seen, features], expected, strict=True):
        note(actual, stored)
        torch.testing.assert_close(actual, stored, atol=2e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parity("desync/synchformer_audio_*.json")
def test_the_sound_s_tower(parity, small, note):
    hidden = []
    small.audio.norm.register_forward_hook(lambda _, __, out: hidden.append(out))
    features = small.embed_audio(parity.inputs["mel"])
    for actual, stored in ((hidden[0], "last_hidden_state"), (features, "features")):
        note(actual, parity.outputs[stored])
        torch.testing.assert_close(actual, parity.outputs[stored], atol=2e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parity("desync/synchformer_head_*.json")
def test_the_head(parity, small, note):
    logits = small.compare(parity.inputs["aud"], parity.inputs["vis"])
    note(logits, parity.outputs["logits"])
    torch.testing.assert_close(logits, parity.outputs["logits"], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="must hold"):
        small.compare(parity.inputs["aud"][:, 1:], parity.inputs["vis"])


@torch.no_grad()
@pytest.mark.parity("desync/synchformer_e2e_*.json")
def test_from_frames_and_sound_to_logits(parity, small, note):
    segments = parity.inputs["video"].unfold(1, 16, 8).movedim(-1, 2)
    video, audio = small.embed_video(segments), small.embed_audio(synchformer_mel(parity.inputs["waveform"]))
    for actual, name in ((video, "vfeats"), (audio, "afeats"), (small.compare(audio, video), "logits")):
        note(actual, parity.outputs[name])
        torch.testing.assert_close(actual, parity.outputs[name], atol=5e-5, rtol=0)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parity("desync/synchformer_full_*.json")
def test_the_released_size(parity, parity_folder, note):
    rule = parity.config

    def draw(name, shape):
        seed = zlib.crc32((rule["SALT"] + name).encode()) & 0xFFFFFFFF
        return torch.from_numpy(np.random.RandomState(seed).standard_normal(size=shape).astype(np.float32))

    def weight(key, shape):
        drawn, leaf = draw(key, shape), key.rsplit(".", 1)[-1]
        if leaf in rule["TOKENS"]:
            return rule["TOKEN_GAIN"] * drawn
        if len(shape) > 1:
            return rule["GAIN"] * drawn / float(np.sqrt(np.prod(shape[1:])))
        return 1 + 0.1 * drawn if leaf == "weight" else 0.05 * drawn

    shapes = json.loads((parity_folder / "desync" / rule["keys"]).read_text(encoding="utf-8"))["keys"]
    network = convert_synchformer({key: weight(key, shape) for key, shape in shapes.items()})
    given = {name: draw(f"in/{name}", one["shape"]) * one["scale"] for name, one in rule["inputs"].items()}
    given = {name: x.clamp(*rule["inputs"][name].get("clamp", (-torch.inf, torch.inf))) for name, x in given.items()}
    found = {
        "vfeats": network.embed_video(given["segments"]),
        "afeats": network.embed_audio(given["mel"]),
        "logits": network.compare(given["aud"], given["vis"]),
    }
    for name, actual in found.items():
        note(actual, parity.outputs[name])
        torch.testing.assert_close(actual, parity.outputs[name], atol=1e-4, rtol=0)


@pytest.mark.parity("desync/full_keys_synchformer*.json")
def test_full_size_keys_are_strict_both_ways(parity, tmp_path):
    shapes = parity.config["keys"]
    state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    with torch.device("meta"):
        network = Synchformer()
    ours = TABLE.to_ours(state, network.state_dict(), "Synchformer")
    unused = TABLE.rest(state)
    assert len(unused) == 2 and sum(x.numel() for x in state.values()) == 237_460_245
    assert {k: list(v.shape) for k, v in {**TABLE.to_original(ours), **unused}.items()} == shapes
    for wrong, text in (({"other": torch.zeros(1)}, "1 unknown: other"), ({"vproj.bias": torch.zeros(3)}, "shapes")):
        with pytest.raises(ConversionError, match=text):
            convert_synchformer({**state, **wrong})
    torch.save({"model": {"vproj.bias": torch.zeros(3)}}, tmp_path / "x.pt")
    with pytest.raises(ConversionError, match=r"x\.pt' is not a whole checkpoint of Synchformer: .* missing"):
        load_synchformer(tmp_path / "x.pt")


@pytest.mark.parity("desync/desync_mel_*.json")
def test_mel(parity, note):
    mel = synchformer_mel(parity.inputs["waveform"])
    assert mel.shape[1] == parity.config["n_segments"]
    kept = mel[:, parity.config["segments_kept"]]
    note(kept, parity.outputs["mel"])
    torch.testing.assert_close(kept, parity.outputs["mel"], atol=1e-5, rtol=0)
    torch.testing.assert_close(mel.mean(dim=(2, 3, 4)), parity.outputs["mel_mean"], atol=1e-5, rtol=0)
    resampled = resample(parity.inputs["stereo_44100"].mean(0), 44100, 16000)
    torch.testing.assert_close(resampled, parity.outputs["resampled_16000"], atol=1e-5, rtol=0)


@pytest.mark.parity("desync/desync_frames_*.json")
def test_frames(parity, note):
    for name, frames in parity.inputs.items():
        pixels = square_pixels(frames)
        note(pixels, parity.outputs[f"{name}_u8"])
        assert torch.equal(pixels, parity.outputs[f"{name}_u8"])
        video = synchformer_video(frames.expand(16, -1, -1, -1).permute(0, 2, 3, 1), 25)[0, 0, :1]
        torch.testing.assert_close(video[..., 100:124, 100:124], parity.outputs[f"{name}_patch"], atol=1e-6, rtol=0)


@pytest.mark.parity("desync/desync_fps_*.json")
def test_frame_rates(parity):
    for case, expected in parity.config["cases"].items():
        rate, count = case.split("x")
        above, below = (float(x) for x in (*rate.split("/"), "1")[:2])
        assert frames_at_25(int(count), above / below).tolist() == expected, case


@pytest.mark.parity("desync/desync_aggregate_*.json")
def test_aggregation(parity, note):
    logits = parity.inputs["logits_first"], parity.inputs["logits_last"]
    note(desync(*logits), parity.outputs["desync"])
    assert desync(*logits) == pytest.approx(float(parity.outputs["desync"]), abs=1e-7)
    np.testing.assert_allclose(OFFSETS, parity.outputs["grid"], atol=1e-7)


def test_segments_of_a_clip():
    frames = np.random.default_rng(0).integers(0, 256, (60, 30, 40, 3), dtype=np.uint8)
    video = synchformer_video(frames, 12.5)
    assert video.shape == (1, 14, 16, 3, 224, 224) and video.abs().max() <= 1  # 4.8 s
    assert torch.equal(video[0, 0, 8:], video[0, 1, :8]) and torch.equal(video[0, 0, 0], video[0, 0, 1])
    assert synchformer_mel(torch.zeros(1, 76800)).shape == (1, 14, 1, 128, 66)
    for call in (lambda: synchformer_video(frames[:7], 12.5), lambda: synchformer_mel(torch.zeros(1, 9))):
        with pytest.raises(ValueError, match="must"):
            call()
