"""CLAP's tokens, and how any encoder's tokens are shared out among frames."""

import pytest
import torch

from asva_audio import BEATsEncoder, CLAPAudioEncoder, ImageBindAudioEncoder, encoder_segment_mask, segment_mask
from asva_audio.segments import segment_tokens

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
CLAP = {"hidden_size": 32, "patch_embeds_hidden_size": 4, "depths": (1,) * 4, "num_attention_heads": (1,) * 4}


def made(kind, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(**options).eval()


def ears():
    beats = made(BEATsEncoder, **SMALL, embed_dim=8, intermediate_size=16, conv_pos=8, conv_pos_groups=2)
    return beats, made(
        CLAPAudioEncoder, **CLAP | {"depths": (1,) * 4, "num_attention_heads": (1,) * 4, "hidden_size": 32}
    )


@pytest.mark.parametrize("window", ["official", "split"])
def test_imagebinds_mask_is_that_of_its_grid(window):
    encoder = made(ImageBindAudioEncoder, **SMALL, stride=(10, 10), num_frames=204)
    found = encoder_segment_mask(encoder, encoder.null_spectrogram(), 12, window=window)
    assert torch.equal(found, segment_mask(12, encoder.grid, window=window))


@pytest.mark.parametrize("encoder", ears(), ids=["beats", "clap"])
def test_frames_hear_their_time(encoder):
    """What a frame attends to begins no more than two tokens before it and ends no more than two behind."""
    sound = torch.randn(2, 32000, generator=torch.Generator().manual_seed(0))
    mel = encoder.spectrogram(sound)
    with torch.no_grad():
        tokens = segment_tokens(encoder, mel)
    times = encoder.token_times(mel)
    mask = encoder_segment_mask(encoder, mel, 12)
    assert tokens.shape[:2] == (2, 1 + len(times)) and mask.shape == (12, 1 + len(times)) and mask[:, 0].all()
    width = 2 * (times[0, 1] - times[0, 0])
    for frame, heard in enumerate(mask[:, 1:]):
        inside = times[heard]
        assert len(inside) and inside.min() > frame / 6 - width and inside.max() < (frame + 1) / 6 + width
    silence = encoder.null_spectrogram(3)
    assert silence.shape == (3, *mel.shape[1:])


def test_clap_is_transformers(tmp_path):
    from transformers import ClapConfig, ClapModel

    audio = {**CLAP, "depths": [1] * 4, "num_attention_heads": [1] * 4, "num_hidden_layers": 4, "projection_dim": 8}
    text = SMALL | {"intermediate_size": 16, "vocab_size": 30, "projection_dim": 8}
    model = made(lambda: ClapModel(ClapConfig(text_config=text, audio_config=audio | {"enable_fusion": False})))
    model.save_pretrained(tmp_path / "clap")
    encoder = CLAPAudioEncoder.from_clap(tmp_path / "clap", seconds=10)
    mel = encoder.spectrogram(torch.randn(1, 160000, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        theirs = model.audio_model(input_features=mel)
        ours = encoder(mel).last_hidden_state
    torch.testing.assert_close(ours, theirs.last_hidden_state[..., :32].flatten(2).mT)
    encoder.save_pretrained(tmp_path / "ours")
    again = CLAPAudioEncoder.from_pretrained(tmp_path / "ours")
    with torch.no_grad():
        assert torch.equal(again(mel).last_hidden_state, ours)


def test_claps_columns_run_with_time():
    """A noise in silence changes the column that it sounds in the most."""
    encoder = ears()[1]
    for column in (1, 3, 5):
        sound = torch.zeros(1, 32000)
        start = int(16000 * 0.32 * column)
        sound[:, start : start + 5120] = torch.randn(5120, generator=torch.Generator().manual_seed(0)) / 4
        with torch.no_grad():
            change = [encoder(encoder.spectrogram(one)).last_hidden_state for one in (sound, torch.zeros(1, 32000))]
        by_column = (change[0] - change[1]).abs().mean(-1).view(2, -1).mean(0)
        assert by_column.argmax() == column


def test_seconds_are_checked():
    with pytest.raises(ValueError, match="`seconds` must be above 0 and at most 10, got 11"):
        CLAPAudioEncoder(seconds=11)
    with pytest.raises(ValueError, match="`depths` must be of four stages"):
        CLAPAudioEncoder(depths=(2, 2))
