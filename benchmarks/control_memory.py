"""What training a control needs on a GPU at the released sizes, counted on the meta device, as a table in Markdown.

    ASVA_RECORD=1 python benchmarks/control_memory.py

Nothing is computed and no weights are needed: a forward and a backward pass run on tensors that have shapes alone, and
a ledger counts what is alive. The base is frozen in bfloat16; the control learns in float32 by AdamW (16 bytes a weight
with gradient and states, 2 more for its copy in bfloat16). One clip of the release's own size, latents and tokens of
the words made before. Attention is counted as fused kernels hold it: queries, keys, values and the answer. Not
measured on a GPU: kernels' own workspaces and the allocator come on top.
"""

import argparse
import gc

import diffusers
import torch
from results import table

from asva_dit.backbones import BACKBONES, Question
from asva_dit.controls import CONTROLS, Features
from asva_dit.flow import loss
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control
from asva_pipelines.memory.ledger import Ledger

GIB, LEARNED, SPARE = 2**30, 18, 2.0
# Latents (t, c, h, w) and frames per second of the releases, and width of the words.
SIZES = {
    "CogVideoX 5B I2V": ((13, 16, 60, 90), 8.0, 4096, 226),
    "Wan 2.1 1.3B": ((21, 16, 60, 104), 16.0, 4096, 512),
    "Wan 2.1 14B I2V": ((21, 16, 60, 104), 16.0, 4096, 512),
    "Wan 2.2 5B": ((31, 48, 44, 80), 24.0, 4096, 512),
    "Wan 2.2 A14B, one of two experts": ((21, 16, 60, 104), 16.0, 4096, 512),
    "LTX-2 19B": ((16, 128, 16, 24), 24.0, 3840, 1024),
}
SOURCES = {
    "AudioWindows": {"imagebind.7": 768, "beats.7": 768},
    "MultiStream": dict.fromkeys(("speech", "effects", "music"), 9216),
}
HEAD = (
    "base",
    "control, every second block",
    "learn",
    "tensors",
    "with checkpointing",
    "all, checkpointed",
    "and base in float8",
    "and base offloaded by blocks",
    "least that fits 24 GB",
)


class Fused(torch.autograd.Function):
    """Attention as a fused kernel keeps it for the backward pass."""

    @staticmethod
    def forward(ctx, query, key, value):
        answer = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, answer)
        return answer

    @staticmethod
    def backward(ctx, gradient):
        return tuple(torch.empty_like(saved) for saved in ctx.saved_tensors[:3])


def fused(query, key, value, *_, **__):
    """In the place of the scores that the meta device would write down; also while a block is computed again."""
    return Fused.apply(query, key, value)


def count(name: str, size: str, kind: str, checkpointing: bool) -> tuple[int, int, int, int]:
    """Weights of base and control, of the base's largest block, and most bytes of tensors in a step."""
    backbone, (shape, fps, width, words) = BACKBONES[name], SIZES[size]
    with torch.device("meta"):
        network = getattr(diffusers, backbone.transformer)(**backbone.released[size])
        control = CONTROLS[kind](**control_arguments(network), sources=SOURCES[kind], interval=2)
        noisy = torch.empty(1, *shape, dtype=torch.bfloat16)
        text = torch.empty(1, words, width, dtype=torch.bfloat16)
    network.to(torch.bfloat16).requires_grad_(False)
    control.to(torch.bfloat16)
    if checkpointing:
        network.enable_gradient_checkpointing()
    with_control(network, control)
    frames = 1 + (shape[0] - 1) * backbone.frames_per_latent
    times = (torch.arange(frames, dtype=torch.float64) + 0.5) / fps
    features = {
        source: Features(torch.empty(1, frames, wide, dtype=torch.bfloat16, device="meta"), times)
        for source, wide in SOURCES[kind].items()
    }
    question = Question(
        noisy=noisy, time=torch.empty(1, dtype=torch.bfloat16, device="meta"), text=text, first=noisy[:, :1], fps=fps
    )
    control_of(network).listen(Hearing(features=features, fps=fps))
    with Ledger("cuda", {"base": network, "control": control}) as ledger:
        loss(network, question, noisy, noisy)["loss"].backward()
    gradients = sum(p.numel() * p.element_size() for p in control.parameters())  # counted with the states
    base, learned = (sum(p.numel() for p in part.parameters()) for part in (network, control))
    block = max(sum(p.numel() for p in part.parameters()) for part in backbone.blocks_of(network))
    return base, learned, block, ledger.peak - gradients


def row(name: str, size: str, kind: str) -> tuple[str, ...]:
    """One base with one control, in GiB."""
    base, learned, block, plain = count(name, size, kind, False)
    gc.collect()
    saved = count(name, size, kind, True)[3]
    states = learned * LEARNED
    ways = {"bfloat16": 2 * base, "float8": base, "offloaded": 2 * 2 * block}
    totals = {way: (weights + states + saved) / GIB for way, weights in ways.items()}
    fits = next((way for way, total in totals.items() if total + SPARE <= 24), "none")
    told = [f"{learned / 1e6:.0f} M", *(f"{bytes_ / GIB:.1f}" for bytes_ in (plain, saved))]
    return (size, kind, *told, *(f"{total:.1f}" for total in totals.values()), fits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    torch.nn.functional.scaled_dot_product_attention = fused
    rows = []
    for name, backbone in BACKBONES.items():
        for size in backbone.released:
            for kind in CONTROLS:
                rows.append(row(name, size, kind))
                print(" | ".join(rows[-1]), flush=True)
    print(table("control_memory/training", [HEAD, *rows]))


if __name__ == "__main__":
    main()
