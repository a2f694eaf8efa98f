"""AVSyncD, I2VD, the audio-window model and DynamiCrafter from picture and sound to frames, on small random models."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModel

from asva.pipelines import AudioWindowPipeline, AVSyncDPipeline
from asva_audio import BEATsEncoder, ImageBindAudioEncoder, MultiFeatureEncoder
from asva_unet import AVSyncDUNet, ImageResampler, KeyVIDUNet, make_scheduler

WIDTH = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
PICTURE = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
KINDS = ["avsyncd", "i2vd", "audio-window", "dynamicrafter"]


def _shared():
    tokenizer = CLIPTokenizer().train_new_from_iterator(["a ball bounces"], 600, show_progress=False)
    tokenizer.model_max_length = 8
    return {
        "vae": AutoencoderKL(
            block_out_channels=(16, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=8,
        ),
        "tokenizer": tokenizer,
        "text_encoder": CLIPTextModel(CLIPTextConfig(vocab_size=len(tokenizer), max_position_embeddings=8, **WIDTH)),
    }


def _avsyncd(audio=True, **config):
    unet = AVSyncDUNet(
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 16),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=16,
        attention_head_dim=2,
        audio_cross_attention_dim=16,
        audio=audio,
    )
    encoder = ImageBindAudioEncoder(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, stride=(10, 10), num_frames=204
    )
    scheduler = PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    parts = _shared() | {"unet": unet, "scheduler": scheduler, "audio_encoder": encoder if audio else None}
    return AVSyncDPipeline(**parts, **{"height": 16, "width": 16, "num_inference_steps": 2} | config)


def _audio_window(audio=True, **config):
    unet = KeyVIDUNet(
        block_out_channels=(32, 32),
        layers_per_block=1,
        attention_levels=(False, True),
        attention_head_dim=16,
        init_attention_heads=2,
        cross_attention_dim=16,
        norm_num_groups=8,
        audio_cross_attention=False,
        frame_index_embedding=False,
        audio_window_attention=audio,
        audio_window_dim=16,
    )
    sources = {"imagebind": {"width": 16, "layers": [0]}, "beats": {"width": 16, "layers": [0]}}
    parts = _shared() | {
        "image_encoder": CLIPVisionModel(CLIPVisionConfig(image_size=16, patch_size=8, **WIDTH)),
        "image_projector": ImageResampler(12, 2, dim=16, embedding_dim=16, output_dim=16, depth=1, heads=2, dim_head=8),
        "unet": unet,
        "scheduler": make_scheduler("ddim"),
    }
    if audio:
        beats = {"hidden_size": 16, "embed_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        parts |= {
            "taps": MultiFeatureEncoder(sources, output_dim=16),
            "imagebind": ImageBindAudioEncoder(hidden_size=16, num_hidden_layers=1, num_attention_heads=2),
            "beats": BEATsEncoder(**beats, intermediate_size=32, conv_pos=8, conv_pos_groups=2),
        }
    return AudioWindowPipeline(**parts, **{"height": 16, "width": 16, "num_inference_steps": 2} | config)


@pytest.fixture(scope="module", params=KINDS)
def pipeline(request):
    make = _avsyncd if request.param in KINDS[:2] else _audio_window
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = make(audio=request.param in ("avsyncd", "audio-window"))
        for part in made.components.values():
            if isinstance(part, torch.nn.Module):  # layers that start at zero shall count
                for parameter in part.parameters():
                    parameter.data.add_(0.05 * torch.randn(parameter.shape))
    made.set_progress_bar_config(disable=True)
    return made


def _sound(seed):
    return 0.3 * torch.randn(32000, generator=torch.Generator().manual_seed(seed))


def _latents(pipeline, sound, **options):
    generator = torch.Generator().manual_seed(0)
    audio = None if sound is None else _sound(sound)
    out = pipeline(PICTURE, audio, "a ball", sample_rate=16000, generator=generator, output_type="latent", **options)
    return out.frames


def _hears(pipeline):
    return pipeline.unet.config.get("audio") or pipeline.unet.config.get("audio_window_attention", False)


def test_a_video_comes_out(pipeline):
    steps = []
    out = pipeline(
        PICTURE,
        _sound(0),
        sample_rate=16000,
        generator=torch.Generator().manual_seed(0),
        callback_on_step_end=lambda stage, step, total, latents: steps.append((stage, step, total)),
    )
    assert out.frames.shape == (12, 16, 16, 3) and out.frames.dtype == np.uint8
    assert out.waveform.shape == (1, 32000) and out.fps == 6
    assert {stage for stage, _, _ in steps} == {"frames", "decode"}


def test_the_seed_decides(pipeline):
    assert torch.equal(_latents(pipeline, 0), _latents(pipeline, 0))


def test_only_who_hears_depends_on_the_sound(pipeline):
    same = torch.equal(_latents(pipeline, 0), _latents(pipeline, 1))
    assert same != bool(_hears(pipeline))
    assert torch.equal(_latents(pipeline, 0, no_audio=True), _latents(pipeline, 1, no_audio=True))
    assert torch.equal(_latents(pipeline, 0, no_audio=True), _latents(pipeline, None))


def test_guidance_by_the_sound_counts(pipeline):
    weak, strong = (_latents(pipeline, 0, audio_guidance_scale=scale) for scale in (1.0, 6.0))
    assert torch.equal(weak, strong) != bool(_hears(pipeline))


def test_branches_at_once_or_one_by_one(pipeline):
    options = {"text_guidance_scale": 2.0, "audio_guidance_scale": 3.0}
    one_by_one, at_once = (_latents(pipeline, 0, **options, batched_guidance=batched) for batched in (False, True))
    torch.testing.assert_close(one_by_one, at_once, rtol=1e-4, atol=1e-4)


def test_a_batch_is_its_samples(pipeline):
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    both = pipeline(
        PICTURE, [_sound(0), _sound(1)], sample_rate=16000, generator=generators, output_type="latent"
    ).frames
    alone = pipeline(
        PICTURE, _sound(1), sample_rate=16000, generator=torch.Generator().manual_seed(1), output_type="latent"
    ).frames
    torch.testing.assert_close(both[1], alone, rtol=1e-4, atol=1e-4)


def test_saved_and_read_it_gives_the_same(pipeline, tmp_path):
    pipeline.save_pretrained(tmp_path)
    again = type(pipeline).from_pretrained(tmp_path)
    again.set_progress_bar_config(disable=True)
    assert torch.equal(_latents(pipeline, 0), _latents(again, 0))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"height": 15}, "`height`"),
        ({"num_inference_steps": 0}, "`num_inference_steps`"),
        ({"output_type": "x"}, "`output_type`"),
    ],
)
def test_bad_arguments_are_named(pipeline, options, named):
    with pytest.raises(ValueError, match=named):
        pipeline(PICTURE, _sound(0), sample_rate=16000, **options)


def test_the_first_frame_of_avsyncd_stays_clean():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = _avsyncd(vae_sample="mode")
    made.set_progress_bar_config(disable=True)
    pixels = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        first = made.vae.encode(pixels).latent_dist.mean * made.vae.config.scaling_factor
    torch.testing.assert_close(_latents(made, 0)[0], first[0])


def test_a_radius_that_hears_nothing_is_named():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = _audio_window()
    with pytest.raises(ValueError, match="`radius`"):
        made(PICTURE, _sound(0), sample_rate=16000, radius=0.01)
