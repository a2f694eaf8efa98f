"""VideoCLIP: equality with CLIP where it is CLIP, the choice of frames, the released file's names."""

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

from asva_metrics import VideoCLIP, clip_video, load_video_clip
from asva_metrics.networks.video_clip import KEPT_POSITIONS, TABLE

SMALL = {
    **{"vision_width": 16, "vision_layers": 2, "vision_heads": 2, "image_size": 28, "num_frames": 3},
    **{"text_width": 8, "text_layers": 2, "text_heads": 2, "vocab_size": 50, "context_length": 24},
    "embedding_size": 6,
}


def filled(**changes):
    model = VideoCLIP(**{**SMALL, **changes}).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return model


@pytest.fixture
def network():
    return filled()


def in_parts(state, prefix):
    """The weights of one of our transformers under the names of transformers' CLIP."""
    named = {}
    for key, value in state.items():
        if not key.startswith(prefix + "resblocks."):
            continue
        _, layer, rest = key.removeprefix(prefix).split(".", 2)
        home = f"encoder.layers.{layer}."
        if rest.startswith("attn.in_proj"):
            kind = rest.rsplit("_", 1)[1]
            for name, part in zip("qkv", value.chunk(3), strict=True):
                named[f"{home}self_attn.{name}_proj.{kind}"] = part
            continue
        for ours, theirs in (
            ("attn.out_proj", "self_attn.out_proj"),
            ("ln_1", "layer_norm1"),
            ("ln_2", "layer_norm2"),
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
        ):
            rest = rest.replace(ours, theirs)
        named[home + rest] = value
    return named


def fill(model, core, extra):
    """Strict, whatever the layers of names around the core are called."""
    state = {}
    for key in model.state_dict():
        (found,) = [value for name, value in {**core, **extra}.items() if key == name or key.endswith("." + name)]
        state[key] = found
    model.load_state_dict(state)
    return model.eval()


def sizes(model, part):
    c = model.config
    return {
        "hidden_size": c[f"{part}_width"],
        "intermediate_size": 4 * c[f"{part}_width"],
        "num_hidden_layers": c[f"{part}_layers"],
        "num_attention_heads": c[f"{part}_heads"],
        "projection_dim": c.embedding_size,
        "hidden_act": "quick_gelu",
    }


@torch.no_grad()
def test_one_frame_without_a_place_in_time_is_clip():
    network = filled(num_frames=1)
    tower = network.vision_model.vision_encoder
    tower.temporal_positional_embedding.zero_()
    state = tower.state_dict()
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(image_size=28, patch_size=14, **sizes(network, "vision")))
    extra = {
        "embeddings.class_embedding": state["class_embedding"],
        "embeddings.patch_embedding.weight": state["conv1.weight"][:, :, 0],
        "embeddings.position_embedding.weight": state["positional_embedding"],
        "visual_projection.weight": state["proj"].T,
        **{f"pre_layrnorm.{kind}": state[f"ln_pre.{kind}"] for kind in ("weight", "bias")},
        **{f"post_layernorm.{kind}": state[f"ln_post.{kind}"] for kind in ("weight", "bias")},
    }
    clip = fill(clip, in_parts(state, "transformer."), extra)
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    theirs = clip(pixel_values=pixels).image_embeds
    torch.testing.assert_close(tower(pixels[:, None]), theirs, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_texts_are_clip_s_where_the_places_are_the_same(network):
    tower = network.text_model
    tower.positional_embedding[KEPT_POSITIONS:] = tower.positional_embedding_res[KEPT_POSITIONS:]
    state = tower.state_dict()
    config = CLIPTextConfig(
        vocab_size=50, max_position_embeddings=24, bos_token_id=48, eos_token_id=49, **sizes(network, "text")
    )
    extra = {
        "embeddings.token_embedding.weight": state["token_embedding.weight"],
        "embeddings.position_embedding.weight": state["positional_embedding"],
        "text_projection.weight": state["text_projection"].T,
        **{f"final_layer_norm.{kind}": state[f"ln_final.{kind}"] for kind in ("weight", "bias")},
    }
    clip = fill(CLIPTextModelWithProjection(config), in_parts(state, "transformer."), extra)
    ids = torch.tensor([[48, *range(1, 22), 49], [48, 7, 9, *[49] * 20]])
    ids = torch.nn.functional.pad(ids, (0, 1), value=49)
    theirs = torch.nn.functional.normalize(clip(input_ids=ids).text_embeds, dim=-1)
    torch.testing.assert_close(network.embed_text(ids), theirs, rtol=1e-4, atol=1e-5)


def test_which_frames_count(network):
    video = torch.randint(0, 256, (1, 8, 3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    seen = network.embed_video(video)
    assert seen.shape == (1, 6) and torch.allclose(seen.norm(dim=-1), torch.ones(1))
    torch.testing.assert_close(network.embed_video(video[:, [0, 2, 4]]), seen)
    other = video.clone()
    other[:, [1, 3, 5, 6, 7]] = 0
    torch.testing.assert_close(network.embed_video(other), seen)
    assert not torch.allclose(network.embed_video(video[:, [4, 2, 0]]), seen)  # order counts


def test_names_of_the_released_file():
    with torch.device("meta"):
        state = VideoCLIP().state_dict()
    clip = 427_616_512  # ViT-L/14, without its temperature; then 8 places in time, and two tables of 248 for one of 77
    assert len(state) == 447 and sum(x.numel() for x in state.values()) == clip + 8 * 1024 + (2 * 248 - 77) * 768
    released = {**state, "text_model.logit_scale": torch.tensor(1.0), "vision_model.temp": torch.tensor(0.01)}
    assert TABLE.to_ours(released, state, "VideoCLIP-XL").keys() == state.keys()
    assert TABLE.rest(released).keys() == released.keys() - state.keys()
    with pytest.raises(ValueError, match=r"1 unknown: vision_model\.other"):
        TABLE.to_ours({**released, "vision_model.other": torch.tensor(1.0)}, state, "VideoCLIP-XL")


def test_a_file_with_other_weights_is_refused(tmp_path):
    torch.save(
        {"text_model.logit_scale": torch.tensor(1.0), "vision_model.temp": torch.tensor(1.0)}, tmp_path / "x.bin"
    )
    with pytest.raises(ValueError, match="VideoCLIP-XL must hold every weight of the network, 447 missing"):
        load_video_clip(tmp_path / "x.bin")


def test_bad_input(network):
    with pytest.raises(ValueError, match="at least 3 frames, got 2"):
        network.embed_video(torch.zeros(1, 2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"`input_ids` must have shape \(n, 24\), got \(1, 77\)"):
        network.embed_text(torch.zeros(1, 77, dtype=torch.long))


def test_clip_crops_the_centre():
    video = torch.zeros(1, 1, 3, 20, 60, dtype=torch.uint8)
    video[..., 20:40] = 255
    cropped, squeezed = (clip_video(video, size=20, resize=name) for name in ("crop", "squeeze"))
    assert cropped[..., 2:-2].std(dim=(-2, -1)).max() < 1e-5 and squeezed.std(dim=(-2, -1)).min() > 1
    with pytest.raises(ValueError, match="`resize` must be squeeze or crop, got 'pad'"):
        clip_video(video, resize="pad")
