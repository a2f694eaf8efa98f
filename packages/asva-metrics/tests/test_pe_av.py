"""PE-AV and SyncReward: the head and the windows of the original, transformers' own numbers, strict loading."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from asva_metrics import PEAV, SyncReward, SyncRewardHead, reward_windows
from asva_metrics.networks.pe_av import PARTS, padded_sound
from asva_weights import ConversionError


@torch.no_grad()
@pytest.mark.parity("pe_av/syncreward_head_*.json")
def test_the_head(parity, note):
    head = SyncRewardHead(**parity.config["config"]).eval()
    head.load_state_dict(parity.state)
    reward = head(parity.inputs["audio_embeds"], parity.inputs["video_embeds"])
    note(reward, parity.outputs["reward"])
    torch.testing.assert_close(reward, parity.outputs["reward"], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="must have one shape"):
        head(parity.inputs["audio_embeds"][:, 1:], parity.inputs["video_embeds"][:, 1:])


@pytest.mark.parity("pe_av/head_keys_syncreward*.json")
def test_the_keys_of_the_released_head(parity):
    with torch.device("meta"):
        shapes = {name: list(value.shape) for name, value in SyncRewardHead().state_dict().items()}
    assert shapes == parity.config["keys"]


@pytest.mark.parity("pe_av/syncreward_windows_*.json")
def test_windows(parity):
    for case in parity.config["cases"]:
        frames, samples = reward_windows(case["frames"], case["fps"], case["samples"], case["sampling_rate"])
        assert frames.tolist() == case["video"] and samples.shape[1] == case["audio_length"]
        ends = [(samples[:, place] + 1).tolist() for place in (0, -1)]
        assert ends == [case["audio_first"], case["audio_last"]]
    with pytest.raises(ValueError, match=r"2 and the sound 0\.1 s or more"):
        reward_windows(1, 24, 48000, 48000)


def small_config():
    """transformers' own test size."""
    tower = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 2, "num_attention_heads": 4}
    tower |= {"num_key_value_heads": 2, "head_dim": 8}
    arguments = {"embed_dim": 64, "img_size": [14, 14], "depth": 2, "num_heads": 4, "global_pool": "map"}
    vision = {"architecture": "vit_pe_core_large_patch14_336", "model_args": arguments, "num_classes": 32}
    dac = {"encoder_hidden_size": 8, "downsampling_ratios": [2, 4, 4], "decoder_hidden_size": 16, "n_codebooks": 2}
    audio = tower | {"dac_config": dac | {"codebook_size": 16, "codebook_dim": 8, "hop_length": 32}}
    video = tower | {"vision_config": {"model_type": "timm_wrapper"} | vision}
    text = tower | {"model_type": "modernbert", "vocab_size": 99, "pad_token_id": 0}
    return {"text_config": text, "audio_video_config": tower | {"audio_config": audio, "video_config": video}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small random PE-AV as it lies on the hub."""
    pytest.importorskip("timm")
    from transformers import PeAudioVideoConfig, PeAudioVideoModel, PeVideoVideoProcessor

    path = tmp_path_factory.mktemp("pe-av")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        PeAudioVideoModel(PeAudioVideoConfig(**small_config())).save_pretrained(path)
    shown = {"size": {"height": 14, "width": 14}, "do_resize": True, "do_rescale": True, "do_normalize": True}
    PeVideoVideoProcessor(**shown, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(path)
    return path


@torch.no_grad()
def test_embeddings_are_those_of_the_joint_pass(folder):
    network = PEAV.from_pretrained(folder)
    frames = np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    sound = torch.randn(1, 9600, generator=torch.Generator().manual_seed(0))
    audio, video = network.embed_audio(sound), network.embed_video(frames)
    towers = network.model.audio_video_encoder.embedder  # transformers does not tie these to the others when it reads
    towers.audio_encoder = network.model.audio_model.audio_encoder
    towers.video_encoder = network.model.video_model.video_encoder
    both = network.model(input_values=padded_sound(sound), pixel_values_videos=network.pixels([frames]))
    torch.testing.assert_close(audio, both.audio_embeds)
    torch.testing.assert_close(video, both.video_embeds)
    torch.testing.assert_close(network.match(audio, video), torch.sigmoid(both.logits_audio_video[0]))


@torch.no_grad()
def test_sync_reward_from_a_folder_is_strict(folder):
    source = PEAV.from_pretrained(folder).model
    state = {
        f"encoder.{part}.{name}": value.clone()
        for part in PARTS
        for name, value in getattr(getattr(source, f"{part[:5]}_model"), part).state_dict().items()
    }
    head = SyncRewardHead(32, 18, 16, 1, 8)
    save_file(state | head.state_dict(), folder / "reward.safetensors")
    network = SyncReward.from_pretrained(folder / "reward.safetensors")
    windows = torch.randn(18, 1920, generator=torch.Generator().manual_seed(0))
    audio = network.embed_audio(windows)
    torch.testing.assert_close(audio.norm(dim=-1), torch.ones(18))
    hidden = source.audio_model.audio_encoder(input_values=padded_sound(windows)).last_hidden_state.mean(dim=1)
    torch.testing.assert_close(audio, torch.nn.functional.normalize(source.audio_model.audio_head(hidden), dim=-1))
    frames = np.random.default_rng(0).integers(0, 256, (18, 3, 20, 30, 3), dtype=np.uint8)
    assert network.head(audio[None], network.embed_video(list(frames))[None]).shape == (1,)
    save_file(state, folder / "towers.safetensors")
    with pytest.raises(ConversionError, match="must hold SyncReward's head"):
        SyncReward.from_pretrained(folder / "towers.safetensors")
    save_file(state | head.state_dict() | {"encoder.audio_head.x": torch.zeros(1)}, folder / "more.safetensors")
    with pytest.raises(ConversionError, match="1 unknown: x"):
        SyncReward.from_pretrained(folder / "more.safetensors")
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"] == "pe_audio_video"
