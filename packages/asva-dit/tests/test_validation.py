"""Bad input: one clear error each."""

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from asva_dit import MTVTransformer3DModel, latent_frames


def changed(inputs, **changes):
    return {**inputs, **{name: change(inputs.get(name)) for name, change in changes.items()}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speech_embeds": lambda x: x[:, :8]}, r"`speech_embeds` must hold 4k \+ 1 video frames, got 8: pad it to 9"),
        ({"music_embeds": lambda x: x[:, :0]}, r"`music_embeds` must hold 4k \+ 1 video frames, got 0: it is empty"),
        ({"effects_embeds": lambda x: x[:, :5]}, r"`effects_embeds` must hold as many clips and frames as `speech"),
        ({"effects_embeds": lambda x: x[..., 0]}, r"`effects_embeds` must have shape \(b, 4k \+ 1, 5, 2, 6\)"),
        ({"hidden_states": lambda x: x[:, :2]}, r"must cover the 2 latent frames \(5 video frames\) of 1 clip"),
        ({"hidden_states": lambda x: x[:, :, :7]}, r"`hidden_states` must have shape \(b, t, 16, h, w\)"),
        ({"hidden_states": lambda x: x[..., :7]}, r"height and width divisible by 2"),
        ({"hidden_states": lambda x: x[:, :0]}, r"`hidden_states` must have frames"),
        ({"encoder_hidden_states": lambda x: x[..., :3]}, r"`encoder_hidden_states` must have shape \(1, l, 12\)"),
        ({"timestep": lambda x: torch.zeros(3)}, r"`timestep` must have shape"),
        ({"clean_frame_mask": lambda x: torch.ones(1, 3)}, r"`clean_frame_mask` must be boolean"),
        (
            {"clean_frame_mask": lambda x: torch.ones(1, 4).bool()},
            r"`clean_frame_mask` must be boolean of shape \(1, 3",
        ),
        ({"ofs": lambda x: torch.ones(1)}, r"`ofs` must be None"),
    ],
)
def test_a_bad_argument_is_named(make_model, make_inputs, changes, message):
    model = make_model()
    with pytest.raises(ValueError, match=message):
        model(**changed(make_inputs(model), **changes))


def test_audio_is_given_once(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model)
    audio = model.encode_audio(inputs["speech_embeds"])
    with pytest.raises(ValueError, match="`audio` must be None where"):
        model(**inputs, audio=audio)
    with pytest.raises(ValueError, match="must be given, got None for each"):
        model.encode_audio()


def test_two_speakers_have_an_axis(make_model, make_inputs):
    model = make_model(num_speakers=2)
    inputs = make_inputs(model)
    with pytest.raises(ValueError, match=r"`speech_embeds` must have shape \(b, 2, 4k \+ 1, 5, 2, 6\)"):
        model(**changed(inputs, speech_embeds=lambda x: x[:, 0]))


def test_learned_positions_fix_the_size(make_model, make_inputs):
    model = make_model(use_learned_positional_embeddings=True, in_channels=32)
    inputs = make_inputs(model, t=3)
    with pytest.raises(ValueError, match=r"the frames, height and width \(13, 6, 8\) that the base has learned"):
        model(**inputs)
    sound = make_inputs(model, t=13)
    with pytest.raises(ValueError, match="must hold 5 tokens, got 3: pad the prompt"):
        model(**changed(sound, encoder_hidden_states=lambda x: x[:, :3]))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"patch_size_t": 2}, "CogVideoX 1.0 family"),
        ({"num_speakers": 3}, "`num_speakers` must be 1 or 2"),
        ({"injection_interval": 0}, "`injection_interval` must be at least 1"),
        ({"interaction_heads": 7}, "`audio_dim` must be a multiple"),
        ({"audio_temporal": "conv"}, "`temporal` must be one of"),
        ({"temporal_compression_ratio": 8}, "`temporal_compression_ratio` must be 4"),
    ],
)
def test_a_bad_config_is_named(make_model, config, message):
    with pytest.raises(ValueError, match=message):
        make_model(**config)


def test_a_base_is_a_base(make_base, control_config):
    with pytest.raises(ValueError, match="must be a CogVideoXTransformer3DModel, got Linear"):
        MTVTransformer3DModel.from_transformer(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"arguments among .* got \['num_layers'\]"):
        MTVTransformer3DModel.from_transformer(make_base(), num_layers=3)
    with torch.device("meta"):
        newer = CogVideoXTransformer3DModel(num_layers=1, patch_size_t=2)
    with pytest.raises(ValueError, match=r"CogVideoX 1\.0 family"):
        MTVTransformer3DModel.from_transformer(newer, **control_config)


@pytest.mark.parametrize("frames", [0, 4, 48, -3])
def test_latent_frames_need_4k_plus_1(frames):
    with pytest.raises(ValueError, match=r"`num_frames` must be 4k \+ 1"):
        latent_frames(frames)
