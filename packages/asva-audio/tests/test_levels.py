"""Peaks of the tracks as MTV sets them, and silence."""

import pytest
import torch

from asva_audio import Stems, is_silent, set_levels


def test_every_track_gets_its_peak(generator):
    stems = Stems(*torch.randn(3, 2, 400, generator=generator), 16000)
    for (name, waveform), peak in zip(set_levels(stems).items(), (-10, -15, -20), strict=True):
        assert 20 * waveform.abs().max().log10() == pytest.approx(peak, abs=1e-4)
        torch.testing.assert_close(
            waveform / waveform.abs().max(), getattr(stems, name) / getattr(stems, name).abs().max()
        )
    only = set_levels(stems, {"music": -6.0})
    torch.testing.assert_close(only.speech, stems.speech, rtol=0, atol=0)
    assert only.music.abs().max().item() == pytest.approx(10 ** (-6 / 20))


def test_silence_stays_silent():
    silent = set_levels(Stems(*torch.zeros(3, 1, 50), 16000))
    assert not silent.mix.any()
    crumbs = Stems(*torch.tensor([0.3, 1e-3, 0.0])[:, None, None].expand(3, 1, 50).contiguous(), 16000)
    assert set_levels(crumbs).effects.max().item() == pytest.approx(10 ** (-15 / 20))
    kept = set_levels(crumbs, silence=-45)
    torch.testing.assert_close(kept.effects, crumbs.effects, rtol=0, atol=0)
    assert kept.speech.max().item() == pytest.approx(10 ** (-10 / 20))


def test_silence_is_a_matter_of_the_whole_clip():
    assert is_silent(torch.zeros(1, 5)) and is_silent(torch.full((1, 5), 0.005)) and not is_silent(torch.ones(1, 5))
    click = torch.zeros(1, 100000)
    click[0, 50] = 1.0
    assert is_silent(click) and not is_silent(click, -60)


def test_unknown_tracks_are_named():
    with pytest.raises(
        ValueError, match=r"`peaks` must name tracks of \['effects', 'music', 'speech'\], got \['voice'\]"
    ):
        set_levels(Stems(*torch.zeros(3, 1, 5), 16000), {"voice": -3.0})
