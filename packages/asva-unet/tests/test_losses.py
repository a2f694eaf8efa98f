"""Losses without a training loop: what learns moves, what is left out is null, frozen parts stay out of checkpoints."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from asva_unet import ImageResampler, KeyVIDUNet, make_scheduler
from asva_unet.losses import AudioWindowLoss, LearningParts, LossSettings, dropped
from asva_unet.losses.audio_window import layer_tokens, tap_name


class Ear(nn.Module):
    """Two blocks over four moments, behind a class token."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(16, 16), nn.Linear(16, 16)])

    def spectrogram(self, sound):
        return sound.view(len(sound), 4, 16)

    def null_spectrogram(self, seconds):
        return torch.zeros(1, 4, 16)

    def token_times(self, spectrogram):
        return torch.arange(4.0)

    def forward(self, spectrogram, output_hidden_states=True):
        states = [torch.cat([spectrogram[:, :1], spectrogram], dim=1)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return SimpleNamespace(hidden_states=states)


class Taps(nn.Module):
    """The second block of the ear, projected."""

    layers = {"ear": [1]}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(16, 16)

    def forward(self, features, times):
        tokens = self.projection(features["ear"][0])
        return SimpleNamespace(tokens=tokens, mask=lambda centres, radius: torch.ones(len(centres), 4).bool())


@pytest.fixture
def loss():
    unet = KeyVIDUNet(
        in_channels=8, out_channels=4, block_out_channels=(32, 32), attention_levels=(False, True), layers_per_block=1,
        attention_head_dim=16, cross_attention_dim=16, norm_num_groups=8, init_attention=False, dropout=0.0,
        audio_cross_attention=False, frame_index_embedding=False, audio_window_attention=True, audio_window_dim=16,
    )  # fmt: skip
    projector = ImageResampler(1, 1, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2)
    parts = {"unet": unet, "taps": Taps(), "ear": Ear(), "image_projector": projector, "vae": AutoencoderKL()}
    settings = LossSettings(dropout={"audio": 0.5})
    options = {"num_frames": 3, "fps": 6, "radius": 1.5}
    loss = AudioWindowLoss(settings, parts, None, make_scheduler("ddim"), ("unet", "taps"), **options)
    loss.nothing = {"text": torch.zeros(1, 7, 16), "image": torch.zeros(1, 5, 16), "ear.1": torch.zeros(1, 4, 16)}
    return loss


def test_a_step_moves_what_learns_alone(loss):
    clips = {"frames": torch.randint(0, 256, (2, 3, 8, 8, 3)).to(torch.uint8), "waveform": torch.randn(2, 64)}
    clips |= {"caption": torch.randn(2, 7, 16), "picture": torch.randn(2, 5, 16)}
    losses = loss(clips, torch.Generator().manual_seed(0))
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"]) and losses.keys() == {"loss", "error", "moving_error"}
    assert loss.part("taps").projection.weight.grad is not None
    assert all(parameter.grad is None for parameter in loss.part("ear").parameters())
    assert {name.split(".")[1] for name in loss.state_dict()} == {"unet", "taps"}
    again = loss(clips, torch.Generator().manual_seed(0))
    assert torch.equal(again["loss"], losses["loss"])


def test_stored_tokens_are_those_of_the_sound(loss):
    sound, drop = torch.randn(2, 64), torch.tensor([True, False])
    ear = loss.part("ear")
    stored = {tap_name("ear", 1): layer_tokens(ear, ear.spectrogram(sound), [1])[0]}
    (loss.nothing["ear.1"],) = layer_tokens(ear, torch.zeros(1, 4, 16), [1])
    heard, told = loss.audio(sound, drop)[0], loss.audio(stored, drop)[0]
    torch.testing.assert_close(heard, told)
    assert not torch.allclose(heard[0], heard[1])


def test_frozen_parts_follow_to_another_type():
    parts = LearningParts({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}, ["a"]).double()
    assert parts.part("b").weight.dtype == torch.float64 and not parts.part("b").weight.requires_grad


def test_conditions_are_left_out_as_often_as_asked():
    drop = dropped(LossSettings(dropout={"text": 1.0, "audio": 0.25}), 4000, torch.Generator().manual_seed(0))
    assert drop["text"].all() and not drop["image"].any()
    assert drop["audio"].float().mean().item() == pytest.approx(0.25, abs=0.03)
