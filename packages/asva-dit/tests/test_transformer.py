"""The ten invariants of MTV's network (those on lengths and files stand beside their modules)."""

import pytest
import torch

from asva_dit import MTVTransformer3DModel
from asva_dit.block import modulate


@pytest.fixture
def base(make_base):
    return make_base()


@torch.no_grad()
@pytest.mark.parametrize("speakers", [1, 2])
def test_1_zero_control_is_the_base_bit_for_bit(base, control_config, make_inputs, speakers):
    model = MTVTransformer3DModel.from_transformer(base, **control_config, num_speakers=speakers)
    inputs = make_inputs(model, b=2)
    heard = model(**inputs).sample
    for name in ("speech_embeds", "effects_embeds", "music_embeds"):
        inputs.pop(name)
    assert torch.equal(heard, base(**inputs).sample)
    assert torch.equal(heard, model(**inputs).sample)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{"in_channels": 32}, {"use_rotary_positional_embeddings": False}])
def test_1_holds_for_the_family(make_base, control_config, make_inputs, changes):
    """The image-to-video shape with zeros for its picture, and the small base without rotary embedding."""
    base = make_base(**changes)
    model = MTVTransformer3DModel.from_transformer(base, **control_config)
    inputs = make_inputs(model)
    plain = {name: inputs[name] for name in ("hidden_states", "encoder_hidden_states", "timestep", "image_rotary_emb")}
    if base.config.in_channels == 32:
        plain["hidden_states"] = torch.cat([plain["hidden_states"], torch.zeros_like(plain["hidden_states"])], dim=2)
    assert torch.equal(model(**inputs).sample, base(**plain).sample)


@torch.no_grad()
def test_2_a_frame_of_sound_changes_only_its_intervals(make_model, make_inputs):
    """In the tokens and after the interaction; ``test_mtv_parity`` has the map of windows."""
    model = make_model()
    inputs = make_inputs(model, t=4)
    emb = torch.randn(1, 24)
    tracks = [inputs[name] for name in ("speech_embeds", "effects_embeds", "music_embeds")]
    before = model.control.interaction(*model.encode_audio(*tracks)[:2], emb)
    tracks[0][:, 6] += 1  # of latent frame 2
    after = model.control.interaction(*model.encode_audio(*tracks)[:2], emb)
    for one, other in zip(before, after, strict=True):  # effects too: they have looked at the speech
        moved = (one != other).flatten(0, -4).any(dim=0).flatten(1).any(dim=1)
        assert moved.tolist() == [False, False, True, False]


@torch.no_grad()
def test_3_only_video_of_the_touched_intervals_changes_in_a_block(make_model, make_inputs):
    model, seen = make_model(), []
    block = model.transformer_blocks[0]
    block.norm2.register_forward_hook(lambda _, arguments, __: seen.append(arguments[:2]))
    block.register_forward_hook(lambda _, __, output: seen.append(output))
    inputs = make_inputs(model)
    model(**inputs)
    inputs["effects_embeds"][:, 3] += 1  # of latent frame 1
    model(**inputs)
    (video, text), (_, text_after), (video_2, text_2), (_, text_after_2) = seen
    moved = (video != video_2).any(dim=2).unflatten(1, (3, -1))
    assert moved.any(dim=2).tolist() == [[False, True, False]]
    assert torch.equal(text, text_2)
    assert torch.equal(text_after, text_after_2)


@torch.no_grad()
def test_4_music_is_one_style_for_all_frames(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model)
    style = model.transformer_blocks[0].control.style
    music = torch.randn(1, 20)
    same = torch.ones(1, 3, 32)
    assert torch.equal(style(same, music)[:, 0], style(same, music)[:, 2])

    tracks = {name: inputs[name] for name in ("speech_embeds", "effects_embeds", "music_embeds")}
    other = model.encode_audio(**{**tracks, "music_embeds": torch.randn_like(inputs["music_embeds"])})
    audio = model.encode_audio(**tracks)
    assert torch.equal(audio.speech, other.speech)
    assert torch.equal(audio.effects, other.effects)
    assert not torch.equal(audio.music, other.music)

    for name in tracks:
        inputs.pop(name)
    heard = [model(**inputs, audio=one, music_scale=0.0).sample for one in (audio, other)]
    assert torch.equal(*heard)
    assert not torch.equal(model(**inputs, audio=audio).sample, model(**inputs, audio=other).sample)


@torch.no_grad()
def test_5_tracks_and_speakers_are_no_symmetry(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model)
    swapped = {**inputs, "speech_embeds": inputs["effects_embeds"], "effects_embeds": inputs["speech_embeds"]}
    assert not torch.allclose(model(**inputs).sample, model(**swapped).sample)

    two = make_model(num_speakers=2)
    silent = {**make_inputs(two)}
    silent["speech_embeds"][:, 1] = 0
    state = {name: tensor for name, tensor in two.state_dict().items() if name in model.state_dict()}
    model.load_state_dict(state)
    alone = {**silent, "speech_embeds": silent["speech_embeds"][:, 0]}
    assert not torch.allclose(two(**silent).sample, model(**alone).sample)


@torch.no_grad()
def test_6_a_mask_without_clean_frames_is_no_mask(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model, b=2)
    without = model(**inputs).sample
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    torch.testing.assert_close(model(**inputs, clean_frame_mask=nothing).sample, without, rtol=0, atol=1e-5)
    first = nothing.clone()
    first[0, 0] = True
    clean = model(**inputs, clean_frame_mask=first).sample
    assert not torch.allclose(clean[0], without[0])
    torch.testing.assert_close(clean[1], without[1], rtol=0, atol=1e-5)
    each = inputs["timestep"][:, None].expand(2, 3).masked_fill(first, 0)
    assert torch.equal(model(**{**inputs, "timestep": each}).sample, clean)


@torch.no_grad()
def test_6_the_mask_changes_only_the_modulation_of_its_video(make_model):
    norm = make_model().transformer_blocks[0].norm1
    video, text, whole, clean = torch.randn(1, 6, 32), torch.randn(1, 5, 32), torch.randn(1, 24), torch.randn(1, 24)
    plain = modulate(norm, video, text, whole)
    mixed = modulate(norm, video, text, torch.stack([whole, clean, whole, whole], dim=1))
    torch.testing.assert_close(mixed[1], plain[1])
    torch.testing.assert_close(mixed[3], plain[3])
    torch.testing.assert_close(mixed[0][:, 2:], plain[0][:, 2:])
    torch.testing.assert_close(mixed[0][:, :2], modulate(norm, video, text, clean)[0][:, :2])


@torch.no_grad()
def test_7_a_batch_is_its_clips_one_by_one(make_model, make_inputs):
    """Also at different timesteps: the original takes that of clip 0 for the sound of all."""
    model = make_model()
    inputs = make_inputs(model, b=2)
    assert inputs["timestep"][0] != inputs["timestep"][1]
    rotary = inputs.pop("image_rotary_emb")
    together = model(**inputs, image_rotary_emb=rotary).sample
    for clip in range(2):
        alone = {name: tensor[clip : clip + 1] for name, tensor in inputs.items()}
        torch.testing.assert_close(model(**alone, image_rotary_emb=rotary).sample[0], together[clip], rtol=0, atol=1e-5)


def test_10_gradients_reach_every_control_weight_by_the_second_step(make_base, control_config, make_inputs):
    model = MTVTransformer3DModel.from_transformer(make_base(), **control_config).train()
    control = {name: p for name, p in model.named_parameters() if ".control." in f".{name}"}
    inputs = make_inputs(model)
    written = {name for name in control if (".to_out." in name and "interaction" not in name) or ".style." in name}

    def step():
        model.zero_grad()
        model(**inputs).sample.square().mean().backward()
        reached = {name for name, p in control.items() if p.grad is not None and p.grad.any()}
        with torch.no_grad():
            for p in control.values():
                p -= 0.1 * p.grad
        return reached

    assert step() == written
    # A bias of the keys adds the same to every score of a query: only the norm behind it lets a gradient through.
    assert step() == set(control)


@torch.no_grad()
def test_scales_are_a_number_or_one_a_clip(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model, b=2)
    off = {"speech_scale": 0.0, "effects_scale": 0.0, "music_scale": 0.0}
    per_clip = {name: torch.tensor([0.0, 1.0]) for name in off}
    mixed = model(**inputs, **per_clip).sample
    torch.testing.assert_close(mixed[0], model(**inputs, **off).sample[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(mixed[1], model(**inputs).sample[1], rtol=0, atol=1e-5)
    assert not torch.allclose(model(**inputs, speech_scale=0.5).sample, model(**inputs).sample)


@torch.no_grad()
def test_audio_of_one_clip_serves_all(make_model, make_inputs):
    model = make_model()
    inputs = make_inputs(model, b=2)
    tracks = {name: inputs.pop(name)[:1] for name in ("speech_embeds", "effects_embeds", "music_embeds")}
    audio = model.encode_audio(**tracks)
    doubled = {name: track.expand(2, *track.shape[1:]) for name, track in tracks.items()}
    torch.testing.assert_close(model(**inputs, audio=audio).sample, model(**inputs, **doubled).sample)


@torch.no_grad()
def test_a_track_that_is_missing_is_one_of_zeros(make_model, make_inputs):
    model = make_model(num_speakers=2)
    inputs = make_inputs(model)
    speech = inputs["speech_embeds"]
    for name in ("effects_embeds", "music_embeds"):
        zeros = {**inputs, name: torch.zeros_like(inputs[name])}
        assert torch.equal(model(**{**inputs, name: None}).sample, model(**zeros).sample)
    zeros = {**inputs, "speech_embeds": torch.zeros_like(speech)}
    assert torch.equal(model(**{**inputs, "speech_embeds": None}).sample, model(**zeros).sample)


@torch.no_grad()
@pytest.mark.parametrize("light", [{"injection_interval": 2}, {"injection_heads": 1}, {"audio_temporal": "mean"}])
def test_lighter_variants_hear(make_model, make_inputs, light):
    model = make_model(**light)
    inputs = make_inputs(model)
    heard = model(**inputs).sample
    inputs["speech_embeds"] = inputs["speech_embeds"] + 1
    assert not torch.equal(model(**inputs).sample, heard)
    assert [block.control is not None for block in model.transformer_blocks] == [
        True,
        "injection_interval" not in light,
    ]


def test_published_start_hears_speech_at_once(make_base, control_config, make_inputs):
    base = make_base()
    model = MTVTransformer3DModel.from_transformer(base, **control_config, zero_init=False)
    inputs = make_inputs(model)
    with torch.no_grad():
        heard = model(**inputs).sample
        louder = model(**{**inputs, "music_embeds": inputs["music_embeds"] + 1}).sample
        plain = model(**{**inputs, "speech_embeds": None, "effects_embeds": None, "music_embeds": None}).sample
    assert torch.equal(heard, louder)
    assert not torch.allclose(heard, plain)


def test_from_transformer_shares_the_base_and_draws_from_the_generator(make_base, control_config):
    base = make_base()
    models = [
        MTVTransformer3DModel.from_transformer(base, **control_config, generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    ]
    assert models[0].proj_out is base.proj_out
    assert models[0].transformer_blocks[1].attn1 is base.transformer_blocks[1].attn1
    weights = [model.control.effects_tokens.proj_in.weight for model in models]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_saved_model_answers_the_same(make_model, make_inputs, tmp_path):
    model = make_model(num_speakers=2, injection_interval=2)
    model.save_pretrained(tmp_path)
    again = MTVTransformer3DModel.from_pretrained(tmp_path).eval()
    inputs = make_inputs(model)
    with torch.no_grad():
        assert torch.equal(model(**inputs).sample, again(**inputs).sample)
    assert again.config.num_layers == 2
