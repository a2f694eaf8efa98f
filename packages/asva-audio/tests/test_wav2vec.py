"""wav2vec 2.0 features against the released code on stored results, and their windows, lengths and errors."""

import json
import math
import zlib

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

from asva_audio import Audio, fit, frame_windows, load_wav2vec, num_video_frames, wav2vec_features

SMALL = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "conv_dim": [4] * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


def small(kind=Wav2Vec2Model, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(Wav2Vec2Config(**SMALL | options)).eval()


def weight_of(name, shape):
    """The rule of the fixtures: every weight from its own name."""
    drawn = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).randn(*shape)
    if name.endswith("original0"):
        value = 1 + 0.1 * drawn
    elif len(shape) >= 2:
        value = drawn * 0.7 / np.sqrt(np.prod(shape[1:]))
    else:
        value = 1 + 0.1 * drawn if name.endswith("weight") else 0.02 * drawn
    return torch.from_numpy(np.asarray(value, np.float32))


@pytest.mark.parity("mtv/wav2vec*_params.json")
def test_features_and_windows_match_the_original(parity_path):
    if parity_path is None:
        pytest.skip("no such parity data (set ASVA_PARITY_DIR)")
    stated = json.loads(parity_path.read_text(encoding="utf-8"))
    encoder = Wav2Vec2Model(Wav2Vec2Config(**stated["config"])).eval()
    encoder.load_state_dict({name: weight_of(name, shape) for name, shape in stated["parameters"].items()})
    results = sorted(parity_path.parent.glob(parity_path.stem.removesuffix("params") + "*.npz"))
    assert results, parity_path
    for path in results:
        with np.load(path) as stored:
            for case in sorted(key.removesuffix(".wav") for key in stored.files if key.endswith(".wav")):
                waveform = torch.from_numpy(stored[f"{case}.wav"])
                meta = dict(zip(stated["meta_fields"], stored[f"{case}.meta"].tolist(), strict=True))
                length = len(waveform) + int(meta["pad_samples"])
                features = wav2vec_features(encoder, waveform[None], int(meta["seq_len"]), num_samples=length)[0]
                windows = frame_windows(features).mean(dim=(-2, -1))
                assert num_video_frames(len(waveform), meta["fps"]) == meta["audio_length"]
                torch.testing.assert_close(features, torch.from_numpy(stored[f"{case}.emb"]), rtol=0, atol=5e-6)
                expected = torch.from_numpy(stored[f"{case}.windows_mean"])
                torch.testing.assert_close(windows, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("stable", [False, True])
def test_every_layer_is_there_in_order(generator, stable):
    encoder = small(do_stable_layer_norm=stable, feat_extract_norm="layer" if stable else "group")
    waveform = torch.randn(2, 16000, generator=generator)
    features = wav2vec_features(encoder, waveform, 25)
    assert features.shape == (2, 25, 2, 8)
    heard = (waveform - waveform.mean(-1, keepdim=True)) / (waveform.var(-1, correction=0, keepdim=True) + 1e-7).sqrt()
    with torch.no_grad():
        steps = encoder.feature_extractor(heard)
        steps = torch.nn.functional.interpolate(steps, 25, mode="linear", align_corners=True)
        hidden, _ = encoder.feature_projection(steps.transpose(1, 2))
        last = encoder.encoder(hidden).last_hidden_state
    torch.testing.assert_close(features[:, :, -1], last)
    assert not encoder.feature_extractor._forward_hooks


def test_levels_do_not_matter_and_silence_is_finite(generator):
    encoder = small()
    waveform = torch.randn(1, 8000, generator=generator)
    loud, quiet = wav2vec_features(encoder, waveform, 12), wav2vec_features(encoder, 0.1 * waveform + 0.3, 12)
    torch.testing.assert_close(loud, quiet, rtol=0, atol=1e-3)
    assert wav2vec_features(encoder, torch.zeros(1, 8000), 12).isfinite().all()


def test_silence_is_added_after_the_normalisation(generator):
    encoder = small()
    waveform = torch.randn(1, 8000, generator=generator) + 0.5
    padded = wav2vec_features(encoder, waveform, 24, num_samples=16000)
    before = wav2vec_features(encoder, fit(Audio(waveform, 16000), 1.0).waveform, 24)
    assert padded.shape == before.shape and not torch.allclose(padded, before)


def test_windows_repeat_the_ends(generator):
    features = torch.randn(2, 7, 3, 4, generator=generator)
    windows = frame_windows(features)
    assert windows.shape == (2, 7, 5, 3, 4)
    for frame in range(7):
        for offset in range(-2, 3):
            neighbour = min(max(frame + offset, 0), 6)
            torch.testing.assert_close(windows[:, frame, offset + 2], features[:, neighbour], rtol=0, atol=0)
    torch.testing.assert_close(frame_windows(features[:, :1]), features[:, :1, None].expand(-1, -1, 5, -1, -1))


def test_loading_a_folder(tmp_path):
    small(Wav2Vec2ForCTC).save_pretrained(tmp_path / "ctc")
    encoder = load_wav2vec(tmp_path / "ctc")
    assert not encoder.training and isinstance(encoder, Wav2Vec2Model)
    with pytest.raises(ValueError, match=r"`folder` must hold config\.json and model\.safetensors .*`hf download"):
        load_wav2vec(tmp_path)
    weights = tmp_path / "ctc/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"`folder` must hold a whole model\.safetensors"):
        load_wav2vec(tmp_path / "ctc")
    small(num_hidden_layers=1).save_pretrained(tmp_path / "short")
    config = tmp_path / "short/config.json"
    config.write_text(
        config.read_text(encoding="utf-8").replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'), encoding="utf-8"
    )
    with pytest.raises(ValueError, match=r"`folder` must hold the encoder's weights and no others, .*layers\.1"):
        load_wav2vec(tmp_path / "short")


def test_wrong_arguments_are_named():
    encoder, waveform = small(), torch.zeros(1, 8000)
    with pytest.raises(ValueError, match=r"`waveform` must have shape \(b, s\), got \(8000,\)"):
        wav2vec_features(encoder, waveform[0], 12)
    with pytest.raises(ValueError, match="`waveform` must hold at least 400 samples, got 399; pad it with `fit`"):
        wav2vec_features(encoder, waveform[:, :399], 12)
    with pytest.raises(ValueError, match="`waveform` must be finite, got NaN or infinity"):
        wav2vec_features(encoder, waveform + math.nan, 12)
    with pytest.raises(ValueError, match="`num_frames` must be at least 1, got 0"):
        wav2vec_features(encoder, waveform, 0)
    with pytest.raises(ValueError, match="`num_samples` must be at least the sound's 8000, got 7999"):
        wav2vec_features(encoder, waveform, 12, num_samples=7999)
    with pytest.raises(ValueError, match="`encoder` must be in evaluation mode"):
        wav2vec_features(small().train(), waveform, 12)
    with pytest.raises(ValueError, match="`encoder` must have no adapter"):
        wav2vec_features(small(add_adapter=True), waveform, 12)
    with pytest.raises(ValueError, match="`size` must be odd and positive, got 4"):
        frame_windows(torch.zeros(3, 1, 1), 4)
    with pytest.raises(ValueError, match=r"`features` must have shape \(\.\.\., t, layers, d\) with a frame"):
        frame_windows(torch.zeros(0, 1, 1))
