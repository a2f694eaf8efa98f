"""One step of the U-Net against a naive version with the same weights, measured in turns in one process.

Naive: text repeated for every frame, keys and values of text, image and sound projected anew at every call, and the
softmax of every attention written out. Ours: ``encode_conditions`` once, fused attention.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn

from asva_unet import KeyVIDUNet
from asva_unet.attention import ConditionedAttention, SelfAttention, join_heads, split_heads


def written_out(query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Tensor:
    """Attention of (rows, n, c) tokens with every weight in memory."""
    query, key, value = (split_heads(x, num_heads) for x in (query, key, value))
    weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
    return join_heads(weights @ value)


class NaiveSelf(nn.Module):
    """Self attention with the softmax written out."""

    def __init__(self, layer: SelfAttention) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        return layer.to_out(written_out(layer.to_q(x), layer.to_k(x), layer.to_v(x), layer.num_heads))


class NaiveCross(nn.Module):
    """Three-way attention that projects the tokens of every frame at every call."""

    def __init__(self, layer: ConditionedAttention, tokens: dict[str, Tensor]) -> None:
        super().__init__()
        self.layer, self.tokens = layer, tokens

    def forward(self, x: Tensor, conditions: object) -> Tensor:
        del conditions
        layer, query = self.layer, self.layer.to_q(x)
        out = written_out(query, layer.to_k(self.tokens["text"]), layer.to_v(self.tokens["text"]), layer.num_heads)
        for name, gate in (("image", 1.0), ("audio", 1 + torch.tanh(layer.audio_gate))):
            key, value = (getattr(layer, f"to_{x}_{name}")(self.tokens[name]) for x in "kv")
            out = out + gate * written_out(query, key, value, layer.num_heads)
        return layer.to_out(out)


def naive(model: KeyVIDUNet, text: Tensor, image: Tensor, audio: Tensor) -> KeyVIDUNet:
    """The same network with both attentions replaced."""
    frames = audio.shape[1]
    projected = nn.functional.normalize(model.audio_projection(audio), dim=-1)
    tokens = {
        "text": text.repeat_interleave(frames, dim=0),
        "image": image.flatten(0, 1),
        "audio": projected.flatten(0, 1),
    }
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, SelfAttention):
                setattr(parent, name, NaiveSelf(layer))
            elif isinstance(layer, ConditionedAttention):
                setattr(parent, name, NaiveCross(layer, tokens))
    return model


def versions(widths: tuple[int, ...], frames: int, size: tuple[int, int]) -> dict[str, Callable[[], Tensor]]:
    """Both versions of one step, with the same random weights and inputs."""
    model = KeyVIDUNet(block_out_channels=widths, attention_levels=(True,) * len(widths), layers_per_block=1).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    shapes = (1, 77, 1024), (1, frames, 16, 1024), (1, frames, 12, 768), (1, frames, 8, *size)
    text, image, audio, sample = (torch.randn(shape, generator=generator) for shape in shapes)
    rest = {"fps": 6, "frame_indices": torch.arange(frames)[None]}
    conditions, slow = model.encode_conditions(text, image, audio), naive(model, text, image, audio)
    return {
        "naive": lambda: slow(sample, 500, conditions=conditions, **rest).sample,
        "ours": lambda: model(sample, 500, conditions=conditions, **rest).sample,
    }


def processor_seconds(calls: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """Median time of each call in seconds of this process, the calls taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


@torch.no_grad()
def main() -> None:
    """Measure and print one row per size of the latents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="calls of each version, taken in turns")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--sizes", nargs="+", default=("8x8", "16x24", "40x64"), help="height x width of the latents")
    parser.add_argument("--widths", type=int, nargs="+", default=(64, 128), help="channels of each level")
    arguments = parser.parse_args()
    widths, threads = tuple(arguments.widths), torch.get_num_threads()
    print(
        f"U-Net of {widths} channels, {arguments.frames} frames, float32, {threads} thread(s); processor time per step"
    )
    for size in arguments.sizes:
        calls = versions(widths, arguments.frames, tuple(map(int, size.split("x"))))
        difference = (calls["naive"]() - calls["ours"]()).abs().max().item()
        naive_time, our_time = processor_seconds(calls, arguments.rounds).values()
        print(
            f"{size:>6}: naive {naive_time:.3f} s, ours {our_time:.3f} s, ratio {naive_time / our_time:.2f}; "
            f"largest difference {difference:.1e}"
        )


if __name__ == "__main__":
    main()
