"""MTVPipeline: tracks or a mix, frames at any time, any length, guidance; and what it refuses."""

import numpy as np
import pytest
import torch

from asva_audio import Audio, LogMelFrames, default_demixer
from asva_audio.mtv_features import hear_tracks
from asva_dit import MTVPrompt, PatchVideoAutoencoder, make_scheduler
from asva_dit.pixels import decode_video, encode_video
from asva_pipelines.mtv.frames import fill_slots, read_given, slot_of

RATE = 16000
WHITE, BLACK = np.full((16, 16, 3), 255, np.uint8), np.zeros((16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def pipeline(make_pipeline):
    made = make_pipeline("mtv")
    made.vae.fit(torch.rand(32, 3, 9, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    return made


def noise(seconds=2.0, seed=0):
    count = round(seconds * RATE)
    return Audio(0.1 * torch.randn(1, count, generator=torch.Generator().manual_seed(seed)), RATE)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def call(pipeline):
    return lambda *words, **options: pipeline(*(words or ("a drum",)), **{"generator": seeded(), **options})


@pytest.mark.parametrize("num_frames", [1, 5, 8, 9, 10, 13, 14, 16, 40])
def test_any_length_is_exact_to_the_frame(call, num_frames):
    out = call(music=noise(6.0), num_frames=num_frames)
    assert out.frames.shape == (num_frames, 16, 16, 3) and out.frames.dtype == np.uint8
    assert out.waveform.shape == (1, round(num_frames / 8 * RATE)) and out.fps == 8
    assert out.windows[-1][1] >= num_frames


def test_windows_take_over_the_frames_before(call):
    short, long = call(speech=noise(4.0), num_frames=9), call(speech=noise(4.0), num_frames=20)
    assert len(long.windows) == 4 and (short.frames.shape[0], long.frames.shape[0]) == (9, 20)


def test_a_mix_is_taken_apart_and_said_so(call):
    out = call(audio=noise())
    demixer, name = default_demixer()
    assert out.demixed_by == name
    stems = demixer(noise().waveform, RATE)
    given = call(speech=Audio(stems.speech, RATE), effects=Audio(stems.effects, RATE), music=Audio(stems.music, RATE))
    assert given.demixed_by == "given"
    assert np.abs(given.frames.astype(int) - out.frames).max() <= 1
    np.testing.assert_allclose(out.waveform[0], noise().waveform[0, : out.waveform.shape[1]], atol=1e-6)


def test_a_track_beside_the_mix_leaves_the_rest(call):
    assert call(audio=noise(), speech=noise(seed=1)).demixed_by == "given, the rest to effects"
    assert call(audio=noise(), effects=noise(seed=1)).demixed_by == "given, the rest to music"


def test_any_demixer_is_taken(call):
    class Everything:
        def __call__(self, waveform, sample_rate):
            from asva_audio import Stems

            return Stems(torch.zeros_like(waveform), waveform, torch.zeros_like(waveform), sample_rate)

    out = call(audio=noise(), demixer=Everything())
    assert out.demixed_by == "Everything"
    assert (out.frames == call(effects=noise()).frames).all()


def test_every_track_counts_and_scale_0_leaves_it_out(call):
    base = call(speech=noise(seed=1), effects=noise(seed=2), music=noise(seed=3))
    for name in ("speech", "effects", "music"):
        tracks = {"speech": noise(seed=1), "effects": noise(seed=2), "music": noise(seed=3)}
        swapped = tracks | {name: noise(seed=9)}
        assert (call(**swapped).frames != base.frames).any()
    off = {"speech_scale": 0.0, "effects_scale": 0.0, "music_scale": 0.0}
    assert (call(speech=noise(seed=1), **off).frames == call(music=noise(seed=5), **off).frames).all()


def test_no_audio_hears_nothing(call):
    assert (call(speech=noise(seed=1), no_audio=True).frames == call(music=noise(seed=2), no_audio=True).frames).all()
    assert call().waveform is None


def test_text_and_sound_are_guided_apart(call):
    frames = {}
    for name, options in {
        "joint": {"text_guidance_scale": 3.5, "audio_guidance_scale": 3.5},
        "text": {"text_guidance_scale": 6.0, "audio_guidance_scale": 3.5},
        "sound": {"text_guidance_scale": 3.5, "audio_guidance_scale": 6.0},
        "off": {"text_guidance_scale": 3.5, "audio_guidance_scale": 3.5, "silence": "off"},
    }.items():
        frames[name] = call(speech=noise(), **options).frames
    assert all((frames[one] != frames[two]).any() for one in frames for two in frames if one < two)
    again = call(speech=noise(), batched_guidance=True, text_guidance_scale=6.0, audio_guidance_scale=3.5).frames
    assert np.abs(again.astype(int) - frames["text"]).max() <= 1


def test_a_batch_is_its_single_ones(call):
    sounds, prompts = [noise(seed=1), noise(seed=2)], ["a drum", MTVPrompt("a wall")]
    both = call(prompts, effects=sounds, generator=[seeded(0), seeded(1)])
    for place in range(2):
        one = call(prompts[place], effects=sounds[place], generator=seeded(place))
        assert np.abs(one.frames.astype(int) - both.frames[place]).max() <= 1


def test_frames_that_are_given_are_there(pipeline, call):
    out = call(music=noise(), image=WHITE, frames={1.0: BLACK}, num_frames=9, output_type="latent")
    assert out.given_frames == [0, 8]
    white = torch.ones(1, 1, 3, 16, 16)
    torch.testing.assert_close(out.frames[0], encode_video(pipeline.vae, white)[0, 0])
    torch.testing.assert_close(out.frames[2], encode_video(pipeline.vae, -white.expand(1, 5, -1, -1, -1))[0, 1])


def test_slots_of_frames(pipeline):
    assert [slot_of(frame) for frame in (0, 1, 4, 5, 8, 48)] == [0, 1, 1, 2, 2, 12]
    given = {11: torch.ones(3, 16, 16)}
    clean, mask = fill_slots(pipeline.vae, given, (4, 13), torch.zeros(5, 3, 16, 16), (3, 4, 4, 4), torch.device("cpu"))
    assert mask.tolist() == [[True, True, True]] and clean.abs().sum() > 0
    assert not fill_slots(pipeline.vae, given, (0, 9), None, (3, 4, 4, 4), torch.device("cpu"))[1].any()


@pytest.mark.parametrize("sampler", ["own", "unipc", "dpm++"])  # ddim ends at the first noise level
def test_residuals_are_added_to_the_first_frame(make_pipeline, sampler):
    made = make_pipeline("mtv", prediction_type="residual")
    made.vae.fit(torch.rand(32, 3, 9, 16, 16, generator=seeded()) * 2 - 1)
    for parameter in made.transformer.proj_out.parameters():
        parameter.data.zero_()  # nothing is added
    given = {"image": WHITE, "generator": seeded(), "output_type": "pt", "num_frames": 9, "sampler": sampler}
    out = made("a drum", music=noise(), **given)
    still = decode_video(made.vae, encode_video(made.vae, torch.ones(1, 9, 3, 16, 16)))
    torch.testing.assert_close(out.frames, (still[0].clamp(-1, 1) + 1) / 2, atol=1e-4, rtol=0)


def test_a_saved_pipeline_makes_the_same(pipeline, call, tmp_path):
    from asva_pipelines import load_pipeline

    pipeline.save_pretrained(tmp_path / "mtv")
    loaded = load_pipeline(tmp_path / "mtv", device="cpu")
    assert (loaded("a drum", speech=noise(), generator=seeded()).frames == call(speech=noise()).frames).all()


def test_wav2vec_is_an_ear_too():
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    tracks = {"speech": noise().waveform, "effects": noise(seed=1).waveform}
    heard = hear_tracks(Wav2Vec2Model(config).eval(), tracks, 16, 17, fps=8, window=5)
    assert {name: tuple(x.shape) for name, x in heard.items()} == {
        "speech_embeds": (1, 17, 5, 2, 16),
        "effects_embeds": (1, 17, 5, 2, 16),
    }


def test_the_small_ear_hears_where_the_sound_is():
    ear, sound = LogMelFrames(fps=8, num_hidden_layers=2, hidden_size=8), torch.zeros(1, 2 * RATE)
    sound[:, RATE : RATE + 800] = 0.5 * torch.randn(800, generator=seeded())
    loud = ear.frame_features(sound, 16)[0].mean(dim=(1, 2))
    assert int(loud.argmax()) == 8 and ear.frame_features(sound, 20).shape == (1, 20, 2, 8)


def test_patches_of_enough_numbers_lose_nothing():
    pixels = torch.rand(8, 3, 9, 8, 8, generator=seeded()) * 2 - 1
    vae = PatchVideoAutoencoder(patch_size=2, latent_channels=12)
    flat = pixels[:, :, :1].expand(-1, -1, 9, -1, -1)  # as many numbers as a still patch has
    vae.fit(flat)
    latents = vae.encode(flat).latent_dist.mode()
    assert latents.shape == (8, 12, 3, 4, 4)
    torch.testing.assert_close(vae.decode(latents).sample, flat, atol=1e-4, rtol=0)
    assert 0.5 < latents.square().mean() < 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"speech": noise(2.0), "music": noise(1.0)}, "`music` must be as long as `speech`"),
        ({"speech": noise(), "music": Audio(noise().waveform, 8000)}, "`music` must have the rate of `speech`"),
        ({"speech": torch.zeros(1, 0), "sample_rate": RATE}, "`speech` must be float samples"),
        ({"audio": noise(2.0), "speech": noise(1.0)}, "`speech` must be as long as the sound"),
        ({"height": 20}, "`height` must be a positive multiple of 8"),
        ({"width": 0}, "`width` must be a positive multiple of 8"),
        ({"frames": {9.0: WHITE}}, "`frames` must be at times from 0 to 1 s, got 9 s"),
        ({"frames": {-0.1: WHITE}}, "`frames` must be at times"),
        ({"frames": {0.0: WHITE}, "image": WHITE}, "`frames` must be one for each frame"),
        ({"frames": {0.25: WHITE, 0.5: BLACK}}, "`frames` must fall into slots"),
        ({"num_frames": 0}, "`num_frames` must be at least 1"),
        ({"num_inference_steps": 0}, "`num_inference_steps` must be"),
        ({"silence": "loud"}, "`silence` must be one of"),
        ({"output_type": "gif"}, "`output_type` must be"),
        ({"output_type": "latent", "num_frames": 20}, "`output_type` must not be latent"),
        ({"text_guidance_scale": float("nan")}, "must be a finite number"),
        ({"audio": [noise(), None]}, "must be given for every sample or for none"),
        ({"generator": [seeded()] * 2}, "`generator` must be one or as many as samples"),
    ],
)
def test_bad_input_is_one_clear_error(call, options, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        call(**options)
    assert "\n" not in str(caught.value)


def test_another_sampler_must_know_the_noise_levels(make_pipeline):
    made = make_pipeline("mtv")
    made.scheduler = make_scheduler(snr_shift_scale=3.0)
    with pytest.raises(ValueError, match="`sampler` must be own: dpm"):
        made("a drum", sampler="dpm++", num_frames=9)


def test_a_window_must_be_4k_plus_1(make_pipeline):
    with pytest.raises(ValueError, match=r"`num_frames` must be 4k \+ 1"):
        make_pipeline("mtv", num_frames=8)
    with pytest.raises(ValueError, match="`prediction_type` must be one of"):
        make_pipeline("mtv", prediction_type="epsilon")


def test_a_base_with_learned_positions_takes_one_size(pipeline, monkeypatch):
    monkeypatch.setattr(type(pipeline.transformer.config), "use_learned_positional_embeddings", True, raising=False)
    config = {**pipeline.transformer.config, "use_learned_positional_embeddings": True}
    monkeypatch.setattr(pipeline.transformer, "_internal_dict", type(pipeline.transformer.config)(config))
    with pytest.raises(ValueError, match="`height` and `width` must be 16 and 16, for which the base has learned"):
        pipeline("a drum", height=16, width=32)


def test_given_pictures_are_by_frame():
    read = read_given(WHITE, {0.5: BLACK}, 9, 8, (16, 16))
    assert sorted(read) == [0, 4] and read[4].max() == -1


def test_captions_of_the_world_follow_the_template():
    from asva_data import TrackWorld

    for index in range(6):
        caption = TrackWorld(0, absent=0.5).caption_of(index)
        assert MTVPrompt.parse(caption).format() == caption


def test_a_second_voice_is_heard_by_a_model_that_knows_two(make_pipeline):
    from asva_dit.training import second_speaker

    made = make_pipeline("mtv")
    first, second = noise(seed=1), noise(seed=2)
    with pytest.raises(ValueError, match="`speech2` must not be given to a model of one speaker"):
        made("a drum", speech=first, speech2=second)
    two = type(made)(**made.components | {"transformer": second_speaker(made.transformer)}, **_settings(made))

    def frames(**sounds):
        return two("a drum", **sounds, generator=seeded())

    alone, both, again = frames(speech=first), frames(speech=first, speech2=second), frames(speech=first, speech2=first)
    assert (alone.frames != both.frames).any() and (both.frames != again.frames).any()
    np.testing.assert_allclose(
        both.waveform, (first.waveform + second.waveform)[:, : both.waveform.shape[1]], atol=1e-6
    )
    mixed = Audio(first.waveform + second.waveform + noise(seed=3).waveform, RATE)
    rest = frames(audio=mixed, speech=first, speech2=second)
    given = frames(speech=first, speech2=second, effects=noise(seed=3))
    assert np.abs(rest.frames.astype(int) - given.frames).max() <= 1
    with pytest.raises(ValueError, match="`speech` must be given beside `speech2`"):
        frames(speech2=second)


def _settings(pipeline):
    return {
        name: value for name, value in pipeline.config.items() if name not in pipeline.components and name[0] != "_"
    }


def test_the_first_block_can_stand_for_the_others(call, pipeline):
    calls = []
    hook = pipeline.transformer.transformer_blocks[-1].ff.register_forward_hook(lambda *_: calls.append(1))

    def computed(threshold):
        calls.clear()
        frames = call(music=noise(), num_frames=9, num_inference_steps=4, block_cache=threshold).frames
        return frames, len(calls)

    (plain, whole), (same, none), (_, few) = (computed(threshold) for threshold in (0.0, 1e-9, 1e6))
    hook.remove()
    assert whole == none == 4 * few and (plain == same).all()
    assert not pipeline.transformer.is_cache_enabled
