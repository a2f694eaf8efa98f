"""The original network, its schedule and its planner, on stored results."""

import pytest
import torch

from asva_dit import MTVTransformer3DModel, convert_mtv, make_scheduler, plan_windows, restore_mtv, rotary_embedding
from asva_dit.windows import PLANNERS


@pytest.mark.parity("mtv/mtvnet_*.npz")
@torch.no_grad()
def test_the_network_is_the_original_one(parity):
    for name, entry in parity.parameters.items():  # the rule that makes the weights
        assert parity.state[name].double().sum().item() == pytest.approx(entry["sum"], abs=1e-6 * max(1, entry["abs"]))
    model = MTVTransformer3DModel(**parity.config()).eval()
    converted, unused = convert_mtv(parity.state, model.state_dict())
    model.load_state_dict(converted)
    assert list(unused) == ["transformer.position_embeddings.weight"]

    latents, text, tracks = parity.inputs()
    stored, hidden = parity.outputs, []
    for block in model.transformer_blocks:
        block.register_forward_hook(lambda _, __, output: hidden.append(torch.cat(output[::-1], dim=1)))
    audio = model.encode_audio(**tracks)
    near = {"rtol": 0, "atol": 5e-6}
    torch.testing.assert_close(audio.speech[:, 0], stored["proj_vocal"], **near)
    if parity.speakers == 2:
        torch.testing.assert_close(audio.speech[:, 1], stored["proj_vocal_1"], **near)
    torch.testing.assert_close(audio.effects, stored["proj_effect"], **near)
    torch.testing.assert_close(audio.music, stored["proj_music"].mean(dim=(1, 2)), **near)
    torch.testing.assert_close(model.control.music_tokens(tracks["music_embeds"]), stored["proj_music"], **near)

    mask = ~stored["latent_frame_mask"] if stored["has_mask"] else None  # the original's is True where it generates
    sample = model(
        latents,
        text,
        stored["timestep"],
        image_rotary_emb=rotary_embedding(model, 13, 6, 8),
        audio=audio,
        clean_frame_mask=mask,
    ).sample
    emb, _ = model._embed_time(stored["timestep"], None, latents.shape[:2], torch.float32, None)
    torch.testing.assert_close(emb, stored["emb"], **near)
    speech, effects = model.control.interaction(audio.speech, audio.effects, emb)
    combined = torch.cat([*speech.unbind(1), effects], dim=2).flatten(0, 1)
    torch.testing.assert_close(combined, stored["combine"], **near)
    for index, after in enumerate(hidden):
        torch.testing.assert_close(after, stored[f"hidden_after_block_{index}"], **near)
    torch.testing.assert_close(sample, stored["output"], rtol=0, atol=2e-5)  # the last norm's eps is 1e-6 there


@pytest.mark.parity("mtv/mtvnet_*_params.json")
def test_every_name_is_converted_both_ways(parity):
    names = parity["parameters"]
    multi = "transformer.audio_vocal_embedding_1" in names
    original = {
        name: torch.randn(entry["shape"], generator=torch.Generator().manual_seed(number))
        for number, (name, entry) in enumerate(names.items())
    }
    sizes = {name: entry["shape"] for name, entry in names.items()}
    config = {
        "num_attention_heads": sizes["time_embed.0.weight"][1] // 64,
        "num_layers": sum(name.endswith("post_attention_layernorm.bias") and ".layers." in name for name in sizes),
        "in_channels": sizes["mixins.patch_embed.proj.weight"][1],
        "text_embed_dim": sizes["mixins.patch_embed.text_proj.weight"][1],
        "audio_hidden_dim": sizes["transformer.audio_proj.proj1.weight"][0],
        "audio_tokens": sizes["transformer.audio_proj.proj3.weight"][0] // 768,
        "interaction_layers": sum("dual_blocks" in name and name.endswith("vocal_layernorm.bias") for name in sizes),
    }
    fixed = {"sample_height": 6, "sample_width": 8, "max_text_seq_length": 8, "audio_layers": 3, "audio_channels": 16}
    flags = {"use_rotary_positional_embeddings": True, "use_learned_positional_embeddings": True}
    with torch.device("meta"):
        model = MTVTransformer3DModel(
            **config, **fixed, **flags, audio_temporal="tied_conv", num_speakers=2 if multi else 1
        )
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in original.items()}
    ours, unused = convert_mtv(prefixed, model.state_dict())
    assert set(ours) == set(model.state_dict())
    back = restore_mtv(ours, unused)
    assert set(back) == set(original)
    assert all(torch.equal(back[name], original[name]) for name in original)


@pytest.mark.parity("mtv/mtv_schedule*.npz")
def test_the_schedule_is_the_original_one(parity):
    scheduler, near = make_scheduler(name="official"), {"rtol": 0, "atol": 1e-7}
    trained = torch.from_numpy(parity["alphas_cumprod_sqrt_idx"])
    torch.testing.assert_close(scheduler.alphas_cumprod.sqrt().float(), trained, **near)
    for steps in (20, 50):
        scheduler.set_timesteps(steps)
        assert torch.equal(scheduler.timesteps, torch.from_numpy(parity[f"t_{steps}"]).flip(0))
        torch.testing.assert_close(scheduler.levels.sqrt().float(), torch.from_numpy(parity[f"sqrt_{steps}"]), **near)


@pytest.mark.parity("mtv/mtv_schedule*.npz")
def test_the_mended_schedule_is_the_trained_one(parity):
    """The original samples at 20 steps with up to 0.0017 more signal than it was trained with at that timestep."""
    scheduler = make_scheduler()
    trained = torch.from_numpy(parity["alphas_cumprod_sqrt_idx"])
    for steps in (20, 50):
        scheduler.set_timesteps(steps)
        levels = scheduler.levels.sqrt().float()
        torch.testing.assert_close(levels, trained[scheduler.timesteps], rtol=0, atol=1e-7)
    scheduler.set_timesteps(20)
    difference = torch.from_numpy(parity["sqrt_20"]) - trained[scheduler.timesteps]
    assert 0.0015 < difference.max() < 0.002


@pytest.mark.parity("mtv/mtv_plan*.json")
def test_the_official_planner_is_the_published_one(parity):
    for row in parity["plan"]:
        plan = plan_windows(row["audio_frames"], planner=PLANNERS[1])
        assert plan.windows == tuple(map(tuple, row["windows"]))
        assert (plan.kept_frames, plan.lost_frames) == (row["kept_frames"], row["frames_lost"])


@pytest.mark.parity("mtv/mtv_plan*.json")
def test_a_video_frame_reaches_the_intervals_of_the_map(parity, make_model, generator):
    """MTV's windows reach two frames to each side: which latent frames hear a frame of features (A10.2)."""
    model = make_model()
    features = torch.randn(49, 2, 6, generator=generator)
    index = (torch.arange(49)[:, None] + torch.arange(-2, 3)).clamp(0, 48)

    def tokens(x):
        return model.control.speech_tokens(x[index][None])

    with torch.no_grad():
        before = tokens(features)
        for frame, intervals in parity["wav2vec_frame_to_latent_intervals"].items():
            changed = features.clone()
            changed[int(frame)] += 1
            moved = (tokens(changed) != before).flatten(2).any(dim=2)[0]
            assert moved.nonzero().flatten().tolist() == intervals
