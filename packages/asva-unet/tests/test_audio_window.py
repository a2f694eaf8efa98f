"""Audio window attention: what a frame hears and does not hear, the frozen network, what learns."""

import pytest
import torch

from asva_unet import (
    AudioWindowAttention,
    Guidance,
    KeyVIDUNet,
    LayerConditions,
    UNetConditions,
    audio_window_parameters,
    freeze_all_but_audio_windows,
    guided_prediction,
    with_audio_window,
)
from asva_unet.audio_window import window_index
from asva_unet.guidance import BRANCHES

BASE = {"audio_cross_attention": False, "frame_index_embedding": False}
WINDOWS = {**BASE, "audio_window_attention": True, "audio_window_dim": 12}
TOKENS = 12


def window_mask(num_frames, radius, tokens=TOKENS):
    """Half-open windows around frame centres; radius 0.5 covers every token exactly once."""
    centres = (torch.arange(tokens) + 0.5) / tokens * num_frames
    frames = torch.arange(num_frames)[:, None] + 0.5
    return (centres >= frames - radius) & (centres < frames + radius)


def uneven_mask():
    """Two clips, three frames: windows of other places and sizes in each."""
    mask = torch.zeros(2, 3, TOKENS, dtype=torch.bool)
    for clip, frame, heard in ((0, 0, [0]), (0, 1, [3, 4, 9]), (0, 2, [10, 11]), (1, 0, [5]), (1, 1, [6]), (1, 2, [1])):
        mask[clip, frame, heard] = True
    return mask


MASKS = {
    "split": window_mask(3, 0.5),
    "overlapping": window_mask(3, 1.5),
    "uneven": uneven_mask(),
    "keyframes": window_mask(12, 1.5)[torch.tensor([[0, 3, 9], [0, 1, 11]])],
    "all": None,
}


@pytest.fixture
def layer(randomised):
    return randomised(AudioWindowAttention(8, 2, 12))


@pytest.fixture
def make_given(make_inputs, generator):
    """Arguments of an audio-window U-Net's forward."""

    def draw(model, mask=MASKS["overlapping"], **sizes):
        given = make_inputs(model, **sizes)
        del given["audio_embeds"], given["frame_indices"]
        tokens = torch.randn(len(given["sample"]), TOKENS, 12, generator=generator)
        return {**given, "audio_window_embeds": tokens, "audio_window_mask": mask}

    return draw


def run(layer, x, tokens, mask):
    index, bias = (None, None) if mask is None else window_index(mask.expand(len(tokens), *mask.shape[-2:]))
    pair = layer.encode_conditions(tokens, index)
    return layer(x, UNetConditions((LayerConditions(None, audio_window=pair),), audio_window_bias=bias))


def naive(layer, x, tokens, mask):
    """One frame, one pixel, one head at a time, float64; unheard tokens are simply not there."""
    layer, m = layer.double(), layer.num_heads
    t = len(x) // len(tokens)
    out = x.double().clone()
    for row in range(len(x)):
        clip, frame = divmod(row, t)
        heard = mask[..., frame, :] if mask.ndim == 2 else mask[clip, frame]
        sound = tokens[clip, heard].double()
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                query = layer.to_q(layer.norm(x[row, :, i, j].double())).chunk(m)
                key, value = layer.to_k(sound).chunk(m, -1), layer.to_v(sound).chunk(m, -1)
                heads = [(k @ q / len(q) ** 0.5).softmax(0) @ v for q, k, v in zip(query, key, value, strict=True)]
                out[row, :, i, j] += layer.to_out(torch.cat(heads))
    return out


@torch.no_grad()
@pytest.mark.parametrize("name", ["split", "overlapping", "uneven", "keyframes"])
def test_equals_the_formula(layer, generator, name):
    x, tokens = torch.randn(6, 8, 2, 2, generator=generator), torch.randn(2, TOKENS, 12, generator=generator)
    found = run(layer, x, tokens, MASKS[name])
    torch.testing.assert_close(found.double(), naive(layer, x, tokens, MASKS[name]), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["split", "overlapping", "uneven", "keyframes"])
def test_sound_outside_the_window_does_not_exist(layer, generator, name, dtype):
    """Bit for bit, even if what lies outside is not a number."""
    layer.to(dtype)
    x = torch.randn(6, 8, 2, 2, generator=generator).to(dtype)
    tokens = torch.randn(2, TOKENS, 12, generator=generator).to(dtype)
    mask = MASKS[name].expand(2, 3, TOKENS)
    whole = run(layer, x, tokens, MASKS[name]).unflatten(0, (2, 3))
    for frame in range(3):
        for other in (torch.randn(tokens.shape, generator=generator).to(dtype), torch.full_like(tokens, torch.nan)):
            changed = torch.where(mask[:, frame, :, None], tokens, other)
            found = run(layer, x, changed, MASKS[name]).unflatten(0, (2, 3))
            assert torch.equal(found[:, frame], whole[:, frame])
    heard = run(layer, x, tokens + 1 + tokens.abs(), MASKS[name]).unflatten(0, (2, 3))
    assert (heard != whole).flatten(2).any(-1).all()


def test_only_as_many_tokens_as_the_largest_window_are_scored():
    index, bias = window_index(MASKS["split"][None])
    assert index.tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]] and bias is None
    assert sorted(index.flatten().tolist()) == list(range(TOKENS))  # without overlap each token is heard once
    index, bias = window_index(MASKS["uneven"])
    assert index.tolist() == [[[0, 0, 0], [3, 4, 9], [10, 11, 10]], [[5, 5, 5], [6, 6, 6], [1, 1, 1]]]
    assert bias.isinf().sum(-1).tolist() == [[2, 0, 1], [2, 2, 2]]


@torch.no_grad()
def test_a_window_of_everything_equals_no_mask(make_unet, make_given):
    model = make_unet(**WINDOWS)
    given = make_given(model, None)
    everything = {**given, "audio_window_mask": torch.ones(3, TOKENS, dtype=torch.bool)}
    torch.testing.assert_close(model(**everything).sample, model(**given).sample, rtol=0, atol=1e-5)


def test_a_frame_without_a_token_is_an_error(make_unet, make_given):
    model = make_unet(**WINDOWS)
    mask = uneven_mask()
    mask[1, 2] = False
    message = "`audio_window_mask` must leave every frame at least one token, got none for frame 2 of clip 1: widen"
    with pytest.raises(ValueError, match=message):
        model(**make_given(model, mask))


@torch.no_grad()
@pytest.mark.parametrize("name", MASKS)
def test_new_layers_leave_the_frozen_network_unchanged(make_unet, make_given, generator, name):
    base = make_unet(**BASE)
    model = with_audio_window(base, audio_window_dim=12, generator=generator)
    assert model.config["audio_window_attention"] and not model.training
    assert model.conv_in.weight.data_ptr() == base.conv_in.weight.data_ptr()
    given = make_given(model, MASKS[name])
    answer = model(**given).sample
    del given["audio_window_embeds"], given["audio_window_mask"]
    assert torch.equal(answer, base(**given).sample)


@torch.no_grad()
def test_first_weights_follow_the_generator(make_unet):
    base, drawn = make_unet(**BASE), []
    before = torch.random.get_rng_state()
    for seed in (0, 0, 1):
        model = with_audio_window(base, audio_window_dim=12, generator=torch.Generator().manual_seed(seed))
        drawn.append(model.mid_block.layers[0].audio_window.to_k.weight)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert 0.9 * 12**-0.5 < drawn[0].abs().max() <= 12**-0.5
    with pytest.raises(ValueError, match="`unet` must have `audio_window_attention=False`"):
        with_audio_window(model)


@torch.no_grad()
def test_without_sound_the_trained_network_is_still_the_frozen_one(make_unet, make_given, randomised):
    base = make_unet(**BASE)
    model = with_audio_window(base, audio_window_dim=12)
    for parameter in audio_window_parameters(model).values():
        parameter.add_(0.1)
    given = make_given(model)
    tokens = given.pop("audio_window_embeds")
    with_sound = model(**given, audio_window_embeds=tokens).sample
    with_zeros = model(**given, audio_window_embeds=torch.zeros_like(tokens)).sample
    del given["audio_window_mask"]
    expected = base(**given).sample
    assert torch.equal(with_zeros, expected) and torch.equal(model(**given).sample, expected)
    assert (with_sound - expected).abs().max() > 1e-3


def test_only_the_new_layers_learn(make_unet, make_given, generator):
    base = make_unet(**BASE)
    model = with_audio_window(base, audio_window_dim=12, generator=generator).train()
    learning = freeze_all_but_audio_windows(model)
    model.enable_gradient_checkpointing()
    assert {name for name, p in model.named_parameters() if p.requires_grad} == set(learning)
    assert all(".audio_window." in name for name in learning) and len(learning) == 6 * 4
    optimizer = torch.optim.SGD(learning.values(), lr=0.1)
    given = make_given(model)
    for _ in range(2):  # the first step moves the zeros away, the second reaches everything behind them
        optimizer.zero_grad()
        model(**given).sample.square().mean().backward()
        optimizer.step()
    assert all(parameter.grad.abs().sum() > 0 for parameter in learning.values())
    frozen = {name: p for name, p in model.named_parameters() if name not in learning}
    assert all(p.grad is None for p in frozen.values())
    assert all(torch.equal(p, base.state_dict()[name]) for name, p in frozen.items())
    with pytest.raises(ValueError, match="`unet` must have `audio_window_attention=True`"):
        audio_window_parameters(base)


@torch.no_grad()
@pytest.mark.parametrize("name", MASKS)
def test_encoded_conditions_give_the_same_result(make_unet, make_given, name):
    model = make_unet(**WINDOWS)
    given = make_given(model, MASKS[name])
    expected = model(**given).sample
    names = ("encoder_hidden_states", "image_embeds", "audio_window_embeds", "audio_window_mask")
    tokens = {name: given.pop(name) for name in names}
    conditions = model.encode_conditions(**tokens)
    assert torch.equal(model(**given, conditions=conditions).sample, expected)
    again = UNetConditions.cat([conditions[0], conditions[1:]])
    assert torch.equal(model(**given, conditions=again).sample, expected)
    bias = conditions.to(torch.bfloat16).audio_window_bias
    assert (bias is not None) == (name not in ("split", "all")) and (bias is None or bias.isinf().any())


@torch.no_grad()
def test_guidance_over_image_text_and_sound(make_unet, make_given):
    """Scales 2, 2, 4 of the paper: the image branch cancels, three calls or one."""
    model = make_unet(**WINDOWS)
    given = make_given(model, b=1)
    text, image, sound = (given.pop(n) for n in ("encoder_hidden_states", "image_embeds", "audio_window_embeds"))
    mask, fps = given.pop("audio_window_mask"), given.pop("fps")
    encoded = {
        name: model.encode_conditions(
            text * has_text, image * has_image, audio_window_embeds=sound * has_sound, audio_window_mask=mask
        )
        for name, (has_text, has_image, has_sound) in BRANCHES.items()
    }

    def predict(sample, timestep, names):
        conditions = UNetConditions.cat([encoded[name] for name in names])
        return model(sample, timestep, fps=fps.repeat(len(names)), conditions=conditions).sample

    guidance = Guidance(text=2.0, image=2.0, audio=4.0, rescale=0.0)
    assert guidance.branches == ("none", "image_text", "full")
    answers = {name: predict(given["sample"], given["timestep"], (name,)) for name in BRANCHES}
    none, picture, words, full = answers.values()
    expected = none + 2 * (picture - none) + 2 * (words - picture) + 4 * (full - words)
    for batched in (False, True):
        found = guided_prediction(predict, given["sample"], given["timestep"], guidance, batched=batched)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_saving_and_loading_keeps_everything(make_unet, make_given, tmp_path):
    model = make_unet(**WINDOWS)
    model.save_pretrained(tmp_path)
    again = KeyVIDUNet.from_pretrained(tmp_path).eval()
    given = make_given(model)
    assert torch.equal(again(**given).sample, model(**given).sample)


@torch.no_grad()
def test_bfloat16_is_close(make_unet, make_given):
    model = make_unet(**WINDOWS)
    given = make_given(model, MASKS["uneven"])
    expected = model(**given).sample
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(**given).sample.float()
    floats = {name: x.bfloat16() if x.is_floating_point() else x for name, x in given.items()}
    for found in (mixed, model.bfloat16()(**floats).sample.float()):
        assert (found - expected).abs().max() <= 0.05 * expected.abs().max()


def test_fifty_five_million_learn_at_full_size(record_property):
    """The paper counts 55 M with the six Linear layers (768 -> 1024) of the taps: no window before `init_attention`."""
    with torch.device("meta"):
        unet = KeyVIDUNet(**BASE, audio_window_attention=True)
    windows = sum(parameter.numel() for parameter in audio_window_parameters(unet).values())
    total = sum(parameter.numel() for parameter in unet.parameters())
    taps = 6 * (768 * 1024 + 1024)
    record_property("audio window parameters", windows)
    record_property("with the taps", windows + taps)
    assert len([name for name in audio_window_parameters(unet) if name.endswith("to_out.weight")]) == 16
    assert (windows, windows + taps, total - windows) == (50_364_800, 55_089_536, 1_438_854_980)
    assert 0.038 < (windows + taps) / (total - windows) < 0.039  # "3.8 % of the denoising U-Net"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"audio_window_embeds": torch.zeros(2, 12, 5)}, r"`audio_window_embeds` must have shape \(2, n, 12\)"),
        ({"audio_window_embeds": None}, "`audio_window_embeds` must be given with `audio_window_mask`"),
        ({"audio_window_mask": torch.ones(3, 12)}, "`audio_window_mask` must be bool"),
        ({"audio_window_mask": torch.ones(3, 7).bool()}, r"must have shape \(2, t, 12\) or \(t, 12\), got \(3, 7\)"),
        ({"audio_window_mask": torch.ones(5, 3, 12).bool()}, r"must have shape \(2, t, 12\) or"),
        ({"audio_window_mask": torch.ones(2, 12).bool()}, "`conditions` must be encoded for 3 frames, got 2"),
    ],
)
def test_wrong_inputs_are_named(make_unet, make_given, change, message):
    model = make_unet(**WINDOWS)
    with pytest.raises(ValueError, match=message):
        model(**{**make_given(model), **change})


def test_sound_for_a_network_without_windows_is_an_error(make_unet, make_given):
    model = make_unet(**BASE)
    with pytest.raises(ValueError, match="`audio_window_embeds` must be None unless `audio_window_attention` is True"):
        model(**make_given(model))
