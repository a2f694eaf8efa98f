"""Controls on every backbone: at first nothing but the base, then sound where it belongs."""

import math

import diffusers
import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from asva_dit import MTVTransformer3DModel
from asva_dit.backbones import BACKBONES, COGVIDEOX, Question, backbone_of
from asva_dit.controls import CONTROLS, Features, make_control, read_control
from asva_dit.flow import clean_and_noise, levels, loss, sample
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control, without_control

FPS, T = 8.0, 3
SOURCES = {"AudioWindows": {"mel": 8, "beats.3": 6}, "MultiStream": {"effects": 8, "music": 6}}
SMALL = {
    "AudioWindows": {"audio_dim": 16, "num_heads": 2, "head_dim": 4},
    "MultiStream": {
        **{"audio_dim": 16, "num_heads": 2, "head_dim": 4, "hidden_dim": 16, "num_tokens": 2},
        **{"interaction_layers": 1, "interaction_heads": 2},
    },
}
PAIRS = [(backbone, kind) for backbone in BACKBONES for kind in CONTROLS]


def transformer_of(name, **changes):
    """A small random transformer of a backbone's class."""
    small = {"out_channels": 4, "num_attention_heads": 2, "num_layers": 2}
    own = {
        "cogvideox": {
            **{"in_channels": 8, "attention_head_dim": 16, "time_embed_dim": 8, "text_embed_dim": 16, "patch_size": 1},
            **{"sample_width": 4, "sample_height": 4, "max_text_seq_length": 6},
            "use_rotary_positional_embeddings": True,
        },
        "wan": {
            **{"in_channels": 4, "attention_head_dim": 12, "patch_size": (1, 1, 1), "text_dim": 16, "freq_dim": 16},
            "ffn_dim": 32,
        },
        "ltx2": {
            **{"in_channels": 4, "attention_head_dim": 8, "cross_attention_dim": 16, "audio_in_channels": 4},
            **{"audio_out_channels": 4, "audio_num_attention_heads": 2, "audio_attention_head_dim": 4},
            **{"audio_cross_attention_dim": 8, "rope_type": "split", "use_prompt_embeddings": False},
            **dict.fromkeys(("gated_attn", "cross_attn_mod", "audio_gated_attn", "audio_cross_attn_mod"), True),
        },
    }[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(diffusers, BACKBONES[name].transformer)(**small | own | changes).eval()


def question(b=2, t=T, channels=4):
    g = torch.Generator().manual_seed(1)
    noisy, first = (torch.randn(b, n, channels, 4, 4, generator=g) for n in (t, 1))
    text, time = torch.randn(b, 6, 16, generator=g), torch.linspace(0.3, 0.9, b)
    return Question(noisy=noisy, time=time, text=text, first=first, fps=FPS)


def features_of(kind, backbone, frames=None, seed=2):
    """Two features a frame."""
    count = 2 * (frames or 1 + (T - 1) * backbone.frames_per_latent)
    g, times = torch.Generator().manual_seed(seed), (torch.arange(count, dtype=torch.float64) + 0.5) / 2 / FPS
    return {name: Features(torch.randn(1, count, width, generator=g), times) for name, width in SOURCES[kind].items()}


def controlled(name, kind, learned=True, **changes):
    """A transformer with a control whose weights are random, or still silent."""
    transformer = transformer_of(name)
    arguments = {**control_arguments(transformer), "sources": SOURCES[kind], **SMALL[kind], **changes}
    control = make_control(kind, arguments, torch.Generator().manual_seed(3))
    if learned:
        g = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for parameter in control.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=g)
    return with_control(transformer, control)


def listen(transformer, kind, **options):
    features = options.pop("features", None) or features_of(kind, backbone_of(transformer))
    control_of(transformer).listen(Hearing(features=features, fps=FPS, **options))


def answer(transformer):
    return backbone_of(transformer).ask(transformer, question())


@torch.no_grad()
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_a_control_just_added_is_the_base_bit_for_bit(name, kind):
    base = transformer_of(name)
    keys, plain = list(base.state_dict()), answer(base)
    transformer = controlled(name, kind, learned=False)
    listen(transformer, kind)
    assert list(transformer.state_dict()) == keys
    assert torch.equal(answer(transformer), plain)
    learned = controlled(name, kind)
    assert torch.equal(answer(learned), plain)  # hears nothing
    listen(learned, kind)
    assert (answer(learned) - plain).abs().max() > 0.01
    assert torch.equal(answer(without_control(learned)), plain)


@torch.no_grad()
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_picture_is_steered_where_and_when_the_sound_is(name, kind):
    """What is added to the last latent frame knows nothing of the first half second, but for the music's style."""
    transformer = controlled(name, kind)
    control, times = control_of(transformer).control, BACKBONES[name].frame_times(T + 2, FPS)
    one = features_of(kind, BACKBONES[name], frames=1 + 4 * BACKBONES[name].frames_per_latent)
    one.pop("music", None)
    other = {
        k: Features(torch.where(f.times[:, None] < times[1], f.tokens + 1, f.tokens), f.times) for k, f in one.items()
    }
    tokens = torch.randn(1, (T + 2) * 4, control.config.dim, generator=torch.Generator().manual_seed(5))
    added = [
        control.add(1, tokens, control.enter(control.encode(f, times), torch.tensor([500.0]))) for f in (one, other)
    ]
    changed = (added[0] != added[1]).any(dim=2).view(T + 2, 4).all(dim=1)
    assert changed.tolist()[:2] == [True, True]
    assert changed.tolist()[3:] == [False, False]


@torch.no_grad()
def test_windows_against_a_plain_loop():
    """Sums and softmax in float64, one token at a time."""
    transformer = controlled("wan", "AudioWindows")
    control, backbone = control_of(transformer).control.double(), BACKBONES["wan"]
    features = {k: Features(f.tokens.double(), f.times) for k, f in features_of("AudioWindows", backbone).items()}
    times, layer = backbone.frame_times(T, FPS), control.layers[0]
    x = torch.randn(1, T * 2, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    got = control.add(0, x, control.encode(features, times)).view(T, 2, -1)
    step = backbone.frames_per_latent / FPS
    for frame in range(T):
        tokens = []
        for name, part in features.items():
            for token, time in zip(part.tokens[0], part.times, strict=True):
                away = (time - times[frame]) / step
                if abs(away) <= 1.5 + 1e-6:
                    told = control.distance(get_timestep_embedding(away[None].float(), 64, scale=100.0).double())[0]
                    tokens.append(control.norm(control.projections[name.replace(".", "-")](token) + told))
        for place in range(2):
            query = layer.to_q(layer.norm(x.view(T, 2, -1)[frame, place])).view(2, 4)
            heads = []
            for head in range(2):
                keys, values = (torch.stack([p(t).view(2, 4)[head] for t in tokens]) for p in (layer.to_k, layer.to_v))
                weights = torch.softmax(keys @ query[head] / math.sqrt(4), dim=0)
                heads.append(weights @ values)
            assert torch.allclose(got[frame, place], layer.to_out(torch.cat(heads)), atol=1e-10)


@torch.no_grad()
def test_sound_enters_where_mtv_has_it():
    """Ahead of the feed-forward layer, in the residual too: the block of MTV with the same layers gives the same."""
    transformer = controlled("cogvideox", "MultiStream")
    control = control_of(transformer).control
    listen(transformer, "MultiStream")
    heard = answer(transformer)

    class Same(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, hidden_states, audio, *_):
            return self.layer(hidden_states, audio)

    base = transformer_of("cogvideox")
    mtv = MTVTransformer3DModel.from_transformer(base, audio_dim=16, interaction_heads=2)
    features = {
        k: Features(f.tokens.expand(2, -1, -1), f.times) for k, f in features_of("MultiStream", COGVIDEOX).items()
    }
    entered = control.enter(control.encode(features, COGVIDEOX.frame_times(T, FPS)), (999 * question().time).round())
    mtv._hear = lambda *_: entered
    for block, layer in zip(mtv.transformer_blocks, control.layers, strict=True):
        block.control = Same(layer)
    assert torch.allclose(COGVIDEOX.ask(mtv, question()), heard, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_guidance_goes_away_from_no_sound_or_from_the_same_sound_shifted(name):
    transformer, kind = controlled(name, "AudioWindows"), "AudioWindows"
    off, features = answer(transformer), features_of(kind, BACKBONES[name])
    listen(transformer, kind)
    on = answer(transformer)
    listen(transformer, kind, guidance_scale=3.0)
    assert torch.allclose(answer(transformer), off + 3 * (on - off), atol=1e-4)
    frames = 1 + (T - 1) * BACKBONES[name].frames_per_latent
    rolled = {k: Features(f.tokens.roll(4, 1), f.times) for k, f in features.items()}  # by two frames
    listen(transformer, kind, features=rolled)
    late = answer(transformer)
    listen(transformer, kind, guidance_scale=3.0, against="shifted", shift=2 / FPS)
    assert torch.allclose(answer(transformer), late + 3 * (on - late), atol=1e-4)
    assert frames * 2 == features["mel"].tokens.shape[1]
    listen(transformer, kind, scale=0.0)
    assert torch.allclose(answer(transformer), off, atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_all_layers_learn_and_checkpointing_changes_nothing(name, kind):
    transformer = controlled(name, kind, learned=True)
    control, gradients = control_of(transformer).control, []
    transformer.requires_grad_(False).train()
    for checkpointing in (False, True):
        (transformer.enable_gradient_checkpointing if checkpointing else transformer.disable_gradient_checkpointing)()
        listen(transformer, kind)
        control.zero_grad()
        asked = question()
        loss(transformer, asked, asked.noisy, asked.noisy.flip(1))["loss"].backward()
        gradients.append([parameter.grad.clone() for parameter in control.parameters() if parameter.grad is not None])
        blocks = backbone_of(transformer).blocks_of(transformer)
        closures = [hook.__closure__ for block in blocks for hook in block._forward_hooks.values()]
        kept = [cell.cell_contents for closure in closures for cell in closure]
        assert kept and not any(kept)  # nothing of a block that was computed again stays
    assert len(gradients[0]) == len(list(control.parameters()))
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    assert all(parameter.grad is None for parameter in transformer.parameters())


@torch.no_grad()
def test_folders_keep_a_control_apart_from_the_base(tmp_path):
    transformer = controlled("wan", "AudioWindows", fps=FPS)
    control_of(transformer).control.save_pretrained(tmp_path)
    listen(transformer, "AudioWindows")
    again = with_control(transformer_of("wan"), read_control(tmp_path))
    listen(again, "AudioWindows")
    assert torch.equal(answer(again), answer(transformer))
    with pytest.raises(ValueError, match=r"`control` must be made for .*'cogvideox'.* got .*'wan'"):
        with_control(transformer_of("cogvideox"), read_control(tmp_path))
    with pytest.raises(ValueError, match="num_blocks"):
        with_control(transformer_of("wan", num_layers=3), read_control(tmp_path))
    with pytest.raises(ValueError, match="`fps` must be 8, at which the control has learned, got 24"):
        control_of(again).listen(Hearing(features=features_of("AudioWindows", BACKBONES["wan"]), fps=24.0))
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises((ValueError, OSError)):
        read_control(tmp_path)
    with pytest.raises(ValueError, match="`control` must be the folder of a control"):
        read_control(tmp_path / "none")


@torch.no_grad()
def test_features_that_do_not_fit_are_refused():
    transformer, backbone = controlled("wan", "AudioWindows"), BACKBONES["wan"]
    for frames, said in (
        (4, "must last the clip, 1.125 s, got 0.46"),
        (17, "must last the clip"),
        (1, "one latent frame"),
    ):
        listen(transformer, "AudioWindows", features=features_of("AudioWindows", backbone, frames))
        with pytest.raises(ValueError, match=said):
            answer(transformer)
    with pytest.raises(ValueError, match="`features` must have the widths"):
        listen(transformer, "AudioWindows", features={"mel": features_of("AudioWindows", backbone)["mel"]})
    with pytest.raises(ValueError, match="`against` must be off or shifted"):
        listen(transformer, "AudioWindows", against="nothing")
    with pytest.raises(ValueError, match=r"must be one of CogVideoXTransformer3DModel, .* got Linear"):
        backbone_of(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="patches of 2 frames"):
        backbone_of(transformer_of("wan", patch_size=(2, 1, 1)))


def test_lora_on_the_base_leaves_the_control_alone():
    from peft import LoraConfig

    transformer = controlled("wan", "AudioWindows")
    before = list(control_of(transformer).control.state_dict())
    transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"]))
    assert list(control_of(transformer).control.state_dict()) == before
    listen(transformer, "AudioWindows")
    assert torch.isfinite(answer(transformer)).all()


@torch.no_grad()
@pytest.mark.parametrize("predicts", ["velocity", "v"])
def test_a_right_answer_gives_the_clean_latents_back(predicts):
    g, time = torch.Generator().manual_seed(7), torch.tensor([0.2, 0.7])
    clean, noise = torch.randn(2, 2, 3, 4, 4, 4, generator=g)
    signal, share = levels(predicts, time)
    true = noise - clean if predicts == "velocity" else signal * noise - share * clean
    for got, wanted in zip(
        clean_and_noise(predicts, signal * clean + share * noise, true, time), (clean, noise), strict=True
    ):
        assert torch.allclose(got, wanted, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", BACKBONES)
def test_sampling_keeps_the_first_frame(name):
    asked = question()
    made = sample(transformer_of(name), asked, steps=2)
    assert made.shape == asked.noisy.shape
    assert torch.equal(made[:, :1], asked.first)


@pytest.mark.parametrize(
    ("name", "size", "base", "windows", "streams"),
    [
        ("cogvideox", "CogVideoX 5B I2V", 5.570, 0.309, 1.015),
        ("wan", "Wan 2.1 1.3B", 1.419, 0.127, 0.565),
        ("wan", "Wan 2.1 14B I2V", 16.395, 0.463, 1.400),
        ("wan", "Wan 2.2 5B", 5.000, 0.221, 0.801),
        ("wan", "Wan 2.2 A14B, one of two experts", 14.289, 0.463, 1.400),
        ("ltx2", "LTX-2 19B", 18.876, 0.454, 1.375),
    ],
)
def test_parameters_at_released_size(name, size, base, windows, streams):
    """In thousand millions, counted without memory for them."""
    with torch.device("meta"):
        transformer = getattr(diffusers, BACKBONES[name].transformer)(**BACKBONES[name].released[size])
        arguments = control_arguments(transformer)
        controls = [
            CONTROLS["AudioWindows"](**arguments, sources={"imagebind.7": 768}),
            CONTROLS["MultiStream"](**arguments, sources={"speech": 9216, "effects": 9216, "music": 9216}),
        ]
    counts = [sum(p.numel() for p in part.parameters()) / 1e9 for part in (transformer, *controls)]
    assert counts == pytest.approx([base, windows, streams], abs=0.0006)
