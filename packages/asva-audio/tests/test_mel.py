"""The mel against Kaldi's filter bank of torchaudio and the stored results of the original loader."""

import pytest
import torch
from torchaudio.compliance.kaldi import fbank

from asva_audio import avsyncd_mel, imagebind_mel, null_mel


def reference(waveform: torch.Tensor, num_frames: int = 204) -> torch.Tensor:
    frames = fbank(
        (waveform - waveform.mean())[None],
        htk_compat=True,
        sample_frequency=16000,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=128,
        dither=0.0,
        frame_length=25,
        frame_shift=10,
    )[:num_frames]
    frames = torch.cat((frames, torch.zeros(num_frames - len(frames), 128)))
    return ((frames + 4.268) / 9.138).T[None]


@pytest.mark.parametrize("samples", [400, 16000, 32000, 40000])
def test_a_batch_equals_torchaudio_clip_by_clip(samples, generator):
    waveform = torch.randn(5, samples, generator=generator) * torch.tensor([0.0, 1e-5, 0.01, 0.3, 1.0])[:, None]
    mel = imagebind_mel(waveform)
    assert mel.shape == (5, 1, 128, 204)
    for ours, clip in zip(mel, waveform, strict=True):
        torch.testing.assert_close(ours, reference(clip), rtol=0, atol=1e-5)


@pytest.mark.parity("asva/mel*.safetensors")
def test_the_original_loader_is_matched(parity, rounding):
    for name, waveform in parity.inputs.items():
        expected = parity.outputs[name.replace("wave", "mel")]
        assert ((avsyncd_mel(waveform)[0] - expected).abs() <= 1e-5 + rounding(expected)).all()
        if len(waveform) == 1:
            surplus = max(0, waveform.shape[-1] - 32000) // 2
            mel = imagebind_mel(waveform[:, surplus : surplus + 32000])
            assert ((mel[0] - expected).abs() <= 1e-5 + rounding(expected)).all()


def test_missing_frames_are_zero_before_the_normalisation():
    mel = imagebind_mel(torch.zeros(1, 32000))
    torch.testing.assert_close(mel[..., 198:], torch.full((1, 1, 128, 6), 4.268 / 9.138))
    assert mel[..., :198].max() < -1  # silence is far below


def test_autocast_does_not_round_it(generator):
    waveform = torch.randn(2, 8000, generator=generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mel = imagebind_mel(waveform)
    torch.testing.assert_close(mel, imagebind_mel(waveform), rtol=0, atol=0)


def test_null_is_zero_in_normalised_space():
    assert null_mel(2).shape == (2, 1, 128, 204) and not null_mel(2).any()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"`waveform` must have shape \(b, s\) or \(s,\), got \(1, 2, 400\)"):
        imagebind_mel(torch.zeros(1, 2, 400))
    with pytest.raises(ValueError, match=r"at least 400 samples \(25 ms\), got 320; pad it with `fit`"):
        imagebind_mel(torch.zeros(320))
    with pytest.raises(ValueError, match=r"`waveform` must have shape \(c, s\), got \(320,\)"):
        avsyncd_mel(torch.zeros(320))
