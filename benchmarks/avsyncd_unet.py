"""AVSyncD's U-Net against a naive version with the same weights, measured in turns in one process.

Naive: text and sound repeated for every frame and projected anew at every call, all tokens scored and those outside a
frame's window masked, keys and values of the first frame repeated for every frame, the three frames of a temporal
convolution laid side by side. Ours: ``encode_conditions`` once, only the tokens of the window, the first frame once.
Both use PyTorch's fused attention.
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
from diffusers import PNDMScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from asva_unet import AVSyncDUNet
from asva_unet.attention import join_heads, split_heads
from asva_unet.avsyncd.first_frame import FirstFrameConv
from asva_unet.avsyncd.transformer import Attention, TransformerBlock

TEXT_TOKENS, ROWS, COLUMNS, WIDTH = 77, 12, 19, 768


def windows(num_frames: int) -> Tensor:
    """AVSyncD's mask: two columns of the grid for each frame, and the class token (num_frames, 229)."""
    mask = torch.zeros(num_frames, ROWS, COLUMNS, dtype=torch.bool)
    width = -(-COLUMNS // num_frames)
    for frame, start in enumerate(torch.linspace(0, COLUMNS - width, num_frames).round().int().tolist()):
        mask[frame, :, start : start + width] = True
    return torch.cat([torch.ones(num_frames, 1, dtype=torch.bool), mask.flatten(1)], dim=1)


class NaiveAttention(nn.Module):
    """Attention of every frame to all of its tokens, projected at every call."""

    def __init__(self, layer: Attention, tokens: Callable[[Tensor], Tensor], mask: Tensor | None = None) -> None:
        super().__init__()
        self.layer, self.tokens, self.mask = layer, tokens, mask

    def keys_values(self, tokens: Tensor) -> Tensor:
        """Nothing is prepared."""
        return tokens

    def forward(self, x: Tensor, pair: object, mask: object = None) -> Tensor:
        del pair, mask
        layer, tokens = self.layer, self.tokens(x)
        query, key, value = (
            split_heads(y, layer.num_heads) for y in (layer.to_q(x), layer.to_k(tokens), layer.to_v(tokens))
        )
        mask = None if self.mask is None else self.mask.repeat(len(x) // len(self.mask), 1, 1, 1)
        return layer.to_out[0](join_heads(F.scaled_dot_product_attention(query, key, value, attn_mask=mask)))


class NaiveConv(nn.Module):
    """The first frame, the frame before and the frame itself side by side, then one linear layer."""

    def __init__(self, layer: FirstFrameConv) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        layer = self.layer
        x = F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding).unflatten(0, (-1, num_frames))
        first = x[:, :1].expand_as(x)
        before = torch.cat([x[:, :1], x[:, :-1]], dim=1)
        seen = torch.cat([first, before, x], dim=2).movedim(2, -1)
        return (x + layer.conv_temp(seen).movedim(-1, 2)).flatten(0, 1)


def naive(model: AVSyncDUNet, text: Tensor, audio: Tensor, mask: Tensor) -> AVSyncDUNet:
    """The same network with its attentions and convolutions replaced."""
    model, frames = copy.deepcopy(model), len(mask)

    def repeated(tokens: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda x: tokens[: len(x) // frames].repeat_interleave(frames, dim=0)

    def first(x: Tensor) -> Tensor:
        return x[::frames].repeat_interleave(frames, dim=0)

    for parent in list(model.modules()):
        if isinstance(parent, TransformerBlock):
            parent.attn1 = NaiveAttention(parent.attn1, first)
            parent.attn2 = NaiveAttention(parent.attn2, repeated(text))
            parent.attn_audio = NaiveAttention(parent.attn_audio, repeated(audio), mask[:, None, None])
        for name, layer in list(parent.named_children()):
            if isinstance(layer, FirstFrameConv):
                setattr(parent, name, NaiveConv(layer))
    return model


def loop(predict: Callable[[Tensor, int], Tensor], latents: Tensor, steps: int) -> Tensor:
    """AVSyncD's sampling: PNDM, audio guidance 4 with both branches in one call, frame 0 kept clean."""
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        null, full = predict(latents.repeat(2, 1, 1, 1, 1), int(timestep)).chunk(2)
        later = scheduler.step((null + 4 * (full - null))[:, 1:], timestep, latents[:, 1:]).prev_sample
        latents = torch.cat([latents[:, :1], later], dim=1)
    return latents


Calls = dict[str, Callable[[], Tensor]]


def versions(widths: tuple[int, ...], frames: int, size: tuple[int, int], steps: int) -> tuple[Calls, Calls]:
    """Both versions of one call and of the loop, with the same random weights and inputs."""
    levels = len(widths) - 1
    model = AVSyncDUNet(
        block_out_channels=widths,
        down_block_types=("CrossAttnDownBlock2D",) * levels + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * levels,
        layers_per_block=1,
    ).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    shapes = (2, TEXT_TOKENS, WIDTH), (2, 1 + ROWS * COLUMNS, WIDTH), (1, frames, 4, *size)
    text, audio, latents = (torch.randn(shape, generator=generator) for shape in shapes)
    mask, pair = windows(frames), latents.repeat(2, 1, 1, 1, 1)
    slow, ready = naive(model, text, audio, mask), model.encode_conditions(text, audio, mask)

    def ours_in_a_loop() -> Tensor:
        conditions = model.encode_conditions(text, audio, mask)
        return loop(lambda x, timestep: model(x, timestep, conditions=conditions).sample, latents, steps)

    # The naive layers hold their own tokens: what is ready is only passed through.
    once = {
        "naive": lambda: slow(pair, 500, conditions=ready).sample,
        "ours": lambda: model(pair, 500, text, audio, mask).sample,
    }
    whole = {
        "naive": lambda: loop(lambda x, timestep: slow(x, timestep, conditions=ready).sample, latents, steps),
        "ours": ours_in_a_loop,
    }
    return once, whole


def processor_seconds(calls: Calls, rounds: int) -> dict[str, float]:
    """Median time of each call in seconds of this process, the calls taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(what: str, calls: Calls, rounds: int) -> None:
    """Measure and print one row."""
    results = [call() for call in calls.values()]
    difference = ((results[0] - results[1]).abs().max() / results[1].abs().max()).item()
    naive_time, our_time = processor_seconds(calls, rounds).values()
    print(
        f"{what}: naive {naive_time:.3f} s, ours {our_time:.3f} s, ratio {naive_time / our_time:.2f}; "
        f"largest difference {difference:.1e} of the largest value"
    )


@torch.no_grad()
def main() -> None:
    """Measure and print two rows per size of the latents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="calls of each version, taken in turns")
    parser.add_argument("--loop-rounds", type=int, default=1, help="loops of each version, taken in turns")
    parser.add_argument("--steps", type=int, default=50, help="steps of the loop")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--sizes", nargs="+", default=("8x8", "16x32", "32x32"), help="height x width of the latents")
    parser.add_argument("--loop-sizes", nargs="*", default=("8x8", "16x16"), help="the same for the loop")
    parser.add_argument("--widths", type=int, nargs="+", default=(64, 128), help="channels of each level")
    arguments = parser.parse_args()
    widths, threads = tuple(arguments.widths), torch.get_num_threads()
    print(
        f"AVSyncD's U-Net of {widths} channels, {arguments.frames} frames, two branches of guidance, float32, "
        f"{threads} thread(s); processor time"
    )
    for sizes, which in ((arguments.sizes, 0), (arguments.loop_sizes, 1)):
        for size in sizes:
            calls = versions(widths, arguments.frames, tuple(map(int, size.split("x"))), arguments.steps)[which]
            what = f"one call, {size}" if which == 0 else f"{arguments.steps} steps, {size}"
            report(what, calls, arguments.loop_rounds if which else arguments.rounds)


if __name__ == "__main__":
    main()
