"""MTV's controlled transformer against its base alone, and the light audio projection against the published one.

All calls are taken in turns in one process, so the ratios mean the same on another machine; seconds are not printed.
The sizes are small, and the width of the audio is to that of the video as in the released model. The share of the
control falls with the number of video tokens: the base's attention grows with their square, the injections with their
number. So the operations of the released size are counted as well, without making them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from asva_dit import AudioTokens, MTVTransformer3DModel, mtv_config, rotary_embedding

VARIANTS = {
    "every block": {},
    "every 2nd block": {"injection_interval": 2},
    "every 2nd block, a third of the width": {"injection_interval": 2, "injection_heads": 1},
}


def processor_seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of this process for each call and round, the calls taken in turns after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if number:
                seconds[name].append(time.process_time() - start)
    return seconds


def ratios(seconds: dict[str, list[float]], base: str) -> dict[str, tuple[float, float, float]]:
    """Median ratio of each call to `base` within a round, and its smallest and largest."""
    found = {}
    for name, values in seconds.items():
        each = [value / other for value, other in zip(values, seconds[base], strict=True)]
        found[name] = (statistics.median(each), min(each), max(each))
    return found


def show(rows: dict[str, tuple[float, float, float]]) -> None:
    """Print one line a row."""
    for name, (median, low, high) in rows.items():
        print(f"  {name}: {median:.2f} ({low:.2f} to {high:.2f})")


def forward_calls(size: tuple[int, int], frames: int, heads: int, layers: int) -> dict[str, Callable[[], Tensor]]:
    """One prediction by the base, and by each variant with sound that is encoded already."""
    base = CogVideoXTransformer3DModel(
        num_attention_heads=heads,
        num_layers=layers,
        text_embed_dim=64,
        sample_height=size[0],
        sample_width=size[1],
        max_text_seq_length=32,
        use_rotary_positional_embeddings=True,
    ).eval()
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, frames, 16, *size, generator=generator)
    text, timestep = torch.randn(1, 32, 64, generator=generator), torch.tensor([500])
    tracks = torch.randn(3, 1, 4 * frames - 3, 5, 2, 16, generator=generator)
    rotary = rotary_embedding(base, frames, *size)
    calls: dict[str, Callable[[], Tensor]] = {
        "the base alone": lambda: base(latents, text, timestep, image_rotary_emb=rotary).sample
    }
    for name, changes in VARIANTS.items():
        model = MTVTransformer3DModel.from_transformer(
            base,
            audio_layers=2,
            audio_channels=16,
            audio_dim=16 * heads,
            audio_tokens=8,
            interaction_heads=heads,
            generator=generator,
            zero_init=False,
            **changes,
        )
        audio = model.encode_audio(*tracks)
        calls[name] = lambda model=model, audio=audio: (
            model(latents, text, timestep, image_rotary_emb=rotary, audio=audio).sample
        )
    return calls


def projection_calls(tokens: int) -> dict[str, Callable[[], Tensor]]:
    """The audio tokens of one track of 49 frames, by each form of the convolution."""
    features = torch.randn(1, 49, 5, 12, 768, generator=torch.Generator().manual_seed(0))
    forms = {name: AudioTokens(num_tokens=tokens, temporal=name) for name in ("tied_conv", "token_conv", "mean")}
    return {name: lambda form=form: form(features) for name, form in forms.items()}


def released_operations() -> dict[str, float]:
    """Floating point operations of one prediction at 480 x 720 x 49, over those of the base, counted on shapes."""
    counts, changed = {}, {"injection_heads": 16}
    for name, changes in {"the base alone": {}, **VARIANTS}.items():
        changes = changes | (changed if "injection_heads" in changes else {})
        with torch.device("meta"):
            model = MTVTransformer3DModel(**{**mtv_config(), "audio_temporal": "token_conv", **changes})
            tracks = torch.empty(3, 1, 49, 5, 12, 768)
            latents, text = torch.empty(1, 13, 16, 60, 90), torch.empty(1, 226, 4096)
            audio = None if name == "the base alone" else model.encode_audio(*tracks)
            with FlopCounterMode(display=False) as counter:
                model(latents, text, torch.empty(1), audio=audio)
        counts[name] = counter.get_total_flops()
    return {name: count / counts["the base alone"] for name, count in counts.items()}


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="calls of each version, taken in turns")
    parser.add_argument("--sizes", nargs="+", default=("12x18", "24x36"), help="height x width of the latents")
    parser.add_argument("--frames", type=int, default=5, help="latent frames")
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=8, help="audio tokens of a frame; 32 as published takes 8 GB")
    arguments = parser.parse_args()
    shape = f"{arguments.frames} latent frames, {arguments.layers} blocks of width {64 * arguments.heads}"
    for size in arguments.sizes:
        calls = forward_calls(tuple(map(int, size.split("x"))), arguments.frames, arguments.heads, arguments.layers)
        print(f"one prediction at {size}, {shape}: processor time over that of the base alone")
        show(ratios(processor_seconds(calls, arguments.rounds), "the base alone"))
    print("one prediction of the released size: operations over those of the base alone")
    for name, ratio in released_operations().items():
        print(f"  {name}: {ratio:.3f}")
    print(f"audio tokens of one track, {arguments.tokens} a frame: processor time over that of the published form")
    show(ratios(processor_seconds(projection_calls(arguments.tokens), arguments.rounds), "tied_conv"))


if __name__ == "__main__":
    main()
