"""From a waveform through small encoders to timed tokens."""

import pytest
import torch

from asva_audio import (
    BEATsEncoder,
    ImageBindAudioEncoder,
    MultiFeatureEncoder,
    audio_features,
    beats_fbank,
    imagebind_mel,
    multi_feature_tokens,
    null_feature_tokens,
    null_mel,
)


@pytest.fixture
def encoders():
    size = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2}
    beats = BEATsEncoder(**size, embed_dim=4, intermediate_size=8, conv_pos=4, conv_pos_groups=2)
    return {"imagebind": ImageBindAudioEncoder(**size, stride=10).eval(), "beats": beats.eval()}


SOURCES = {"imagebind": {"width": 8, "layers": [0, 2]}, "beats": {"width": 8, "layers": [1]}}


def test_tapped_layers_are_block_outputs_without_the_class_token(encoders, generator):
    waveform = 0.1 * torch.randn(2, 32000, generator=generator)
    features, times = audio_features(encoders, {"imagebind": [0, 2], "beats": [1]}, waveform)
    with torch.no_grad():
        states = encoders["imagebind"](imagebind_mel(waveform), output_hidden_states=True).hidden_states
        beats = encoders["beats"](beats_fbank(waveform), output_hidden_states=True).hidden_states
    torch.testing.assert_close(features["imagebind"], [states[1][:, 1:], states[3][:, 1:]], rtol=0, atol=0)
    torch.testing.assert_close(features["beats"], [beats[2]], rtol=0, atol=0)
    assert times["imagebind"].shape == (228, 2) and times["beats"].shape == (96, 2)


def test_one_sequence_with_times(encoders, generator):
    taps = MultiFeatureEncoder(SOURCES, output_dim=5)
    timed = multi_feature_tokens(encoders, taps, 0.1 * torch.randn(2, 32000, generator=generator))
    assert timed.tokens.shape == (2, 2 * 228 + 96, 5) and timed.times.shape == (552, 2)
    timed.tokens.sum().backward()
    assert all(parameter.grad is not None for parameter in taps.parameters())
    assert all(parameter.grad is None for encoder in encoders.values() for parameter in encoder.parameters())


def test_a_sound_at_another_rate_gives_the_tokens_of_the_same_seconds(encoders):
    at = {rate: 0.1 * torch.sin(2 * torch.pi * 300 * torch.arange(2 * rate) / rate)[None] for rate in (16000, 32000)}
    heard = {
        rate: audio_features(encoders, {"imagebind": [0], "beats": [0]}, wave, sample_rate=rate)
        for rate, wave in at.items()
    }
    for name in ("imagebind", "beats"):
        torch.testing.assert_close(heard[32000][1][name], heard[16000][1][name], rtol=0, atol=0)
    bins = {rate: encoders["imagebind"].spectrogram(wave, rate)[0, 0, :, 100].argmax() for rate, wave in at.items()}
    assert bins[32000] < bins[16000]  # the same filters reach up to half the rate


def test_the_time_of_a_token_is_that_of_its_patch():
    encoder = ImageBindAudioEncoder(hidden_size=8, num_hidden_layers=0, num_attention_heads=1, stride=10).eval()
    times = encoder.token_times(torch.zeros(1, 1, 128, 204))
    waveform = torch.zeros(2, 32000)
    waveform[1, 17600:17608] = torch.tensor([1.0, -1] * 4)  # a click at 1.1 s, without a mean
    with torch.no_grad():
        first, second = encoder(imagebind_mel(waveform)).last_hidden_state[:, 1:]
    changed = (first - second).abs().amax(-1) > 1e-6
    hears = (times[:, 0] < 1.1005) & (times[:, 1] > 1.1)
    assert torch.equal(changed, hears) and int(hears.sum()) == 2 * 12


def test_no_sound_is_zero_in_the_space_of_each_spectrogram(encoders):
    taps = MultiFeatureEncoder(SOURCES, output_dim=5)
    null = null_feature_tokens(encoders, taps, batch=3)
    assert null.tokens.shape == (3, 552, 5)
    with torch.no_grad():
        states = encoders["imagebind"](null_mel(), output_hidden_states=True).hidden_states
        beats = encoders["beats"](torch.zeros(1, 198, 128), output_hidden_states=True).hidden_states
    given = {"imagebind": [states[1][:, 1:], states[3][:, 1:]], "beats": [beats[2]]}
    times = {"beats": null.times[:96], "imagebind": null.times[96:324]}
    torch.testing.assert_close(null.tokens[2:], taps(given, times).tokens)
    silence = multi_feature_tokens(encoders, taps, torch.zeros(1, 32000))
    assert silence.tokens.shape[1] == 552 and not torch.allclose(silence.tokens, null.tokens[:1])


def test_taps_that_a_model_does_not_have_are_refused(encoders):
    waveform = torch.zeros(1, 32000)
    taps = MultiFeatureEncoder({"imagebind": {"width": 8, "layers": [1, 3]}})
    with pytest.raises(
        ValueError, match=r"`layers` of 'imagebind' must lie in \[0, 2\], got \[1, 3\]; it has 3 blocks"
    ):
        multi_feature_tokens(encoders, taps, waveform)
    with pytest.raises(ValueError, match=r"`layers` of 'imagebind' must lie in"):
        null_feature_tokens(encoders, taps)
    with pytest.raises(ValueError, match=r"`encoders` must hold \['wav2vec'\], got .* \['wav2vec'\] missing"):
        audio_features(encoders, {"wav2vec": [0]}, waveform)
    with pytest.raises(ValueError, match=r"`waveform` must have shape \(b, s\), got \(32000,\)"):
        audio_features(encoders, {"beats": [0]}, waveform[0])
    narrow = MultiFeatureEncoder({"beats": {"width": 4, "layers": [0]}})
    with pytest.raises(ValueError, match=r"must have shape \(b, 96, 4\), got \(1, 96, 8\)"):
        multi_feature_tokens(encoders, narrow, waveform)
