"""``KeyVIDPipeline.interpolate``: the second stage alone, on frames that anybody made."""

import numpy as np
import pytest
import torch

from asva_pipelines import KeyVIDPipeline

PLACES = np.arange(0, 48, 4)
SIZE, RATE = 16, 16000


@pytest.fixture(scope="module")
def pipe(small_model):
    made = KeyVIDPipeline.from_pretrained(small_model)
    made.set_progress_bar_config(disable=True)
    return made


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def frames(seed=0, count=12):
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def sound(seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, 2 * RATE).astype(np.float32)


def between(pipe, keyframes, places=PLACES, audio=None, **options):
    audio = sound() if audio is None else audio
    seeded = torch.Generator().manual_seed(0)
    options = {"sample_rate": RATE, "generator": seeded, "vae_sample": "mode"} | options
    return pipe.interpolate(keyframes, places, audio, **options)


def test_it_is_the_second_stage(pipe):
    noise = torch.randn(1, 48, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    options = {"vae_sample": "mode", "interp_latents": noise, "interp_audio_guidance_scale": 2.0}
    whole = pipe(
        picture(), sound(), "a ball", sample_rate=RATE, keyframe_indices=PLACES, handover="pixels", **options,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    again = between(pipe, whole.keyframe_frames, prompt="a ball", image=picture(), **options)
    assert np.array_equal(again.frames, whole.frames)
    assert again.fps == 24 and again.waveform.shape == (1, 2 * RATE)


def test_float_frames_are_the_same(pipe):
    given = frames()
    floats = torch.from_numpy(given).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert np.array_equal(between(pipe, given).frames, between(pipe, floats).frames)


def test_frames_sound_and_picture_count(pipe):
    base = between(pipe, frames()).frames
    assert not np.array_equal(base, between(pipe, frames(1)).frames)
    assert not np.array_equal(base, between(pipe, frames(), audio=sound(1)).frames)
    assert not np.array_equal(base, between(pipe, frames(), image=picture(5)).frames)
    assert np.array_equal(base, between(pipe, frames(), image=frames()[0]).frames)
    deaf = between(pipe, frames(), no_audio=True).frames
    assert np.array_equal(deaf, between(pipe, frames(), audio=sound(1), no_audio=True).frames)


def test_a_batch_is_its_samples(pipe):
    options = {"output_type": "pt"}
    both = between(
        pipe, [frames(0), frames(1)], audio=[sound(0), sound(1)], generator=[torch.Generator()] * 2, **options
    )
    assert both.frames.shape == (2, 48, 3, SIZE, SIZE)
    noise = torch.randn(1, 48, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    both = between(pipe, [frames(0), frames(1)], interp_latents=noise.repeat(2, 1, 1, 1, 1), **options)
    alone = between(pipe, frames(1), interp_latents=noise, **options)
    torch.testing.assert_close(both.frames[1], alone.frames, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("keyframes", "places", "options", "named"),
    [
        (frames(), PLACES[:3], {}, r"`keyframe_indices` must be as many as keyframes \(12\), got 3"),
        (frames(), PLACES[::-1].copy(), {}, "`keyframe_indices` must rise"),
        (frames(), PLACES * 2, {}, "`keyframe_indices` must rise and lie in"),
        (frames()[0], PLACES, {}, r"`keyframes` must be frames \(k, h, w, 3\)"),
        (frames(count=1)[:0], PLACES, {}, "`keyframes` must be frames"),
        ("a.mp4", PLACES, {}, "`keyframes` must be frames .* got str"),
        (frames().astype(np.int64), PLACES, {}, "`keyframes` must be uint8"),
        (torch.full((12, 3, SIZE, SIZE), 1.5), PLACES, {}, "`keyframes` must be uint8"),
        (torch.full((12, 3, SIZE, SIZE), torch.nan), PLACES, {}, "`keyframes` must be uint8"),
        ([frames(), frames(count=11)], PLACES, {}, "`keyframes` must be equal in shape"),
        (frames()[:, :15], PLACES, {}, "`height` must be a positive multiple"),
        (frames(), PLACES, {"interp_num_inference_steps": 0}, "`interp_num_inference_steps`"),
    ],
)
def test_bad_arguments_are_named(pipe, keyframes, places, options, named):
    with pytest.raises(ValueError, match=named):
        between(pipe, keyframes, places, **options)
