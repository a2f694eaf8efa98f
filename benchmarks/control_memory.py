"""What training a control needs on a GPU at the released sizes, counted on the meta device, as a table in Markdown.

    ASVA_RECORD=1 python benchmarks/control_memory.py

Nothing is computed and no weights are needed: a forward and a backward pass run on tensors that have shapes alone, and
a ledger counts what is alive. The base is frozen in bfloat16; the control learns in float32 by AdamW (16 bytes a weight
with gradient and states, 2 more for its copy in bfloat16). One clip of the release's own size, latents and tokens of
the words made before. Attention is counted as fused kernels hold it: queries, keys, values and the answer. Not
measured on a GPU: kernels' own workspaces and the allocator come on top.
"""

import argparse

import diffusers
import torch
from results import table

from asva_dit.backbones import BACKBONES, Question
from asva_dit.controls import CONTROLS, Features
from asva_dit.flow import loss
from asva_dit.with_control import Hearing, control_arguments, control_of, with_control
from asva_pipelines.memory.ledger import Ledger

GIB, LEARNED, SPARE = 2**30, 18, 2.0
_DEPTHS = (6, 8)  # with fewer blocks the most is held elsewhere; 42 counted in full gave the same 57.4 and 6.3 GiB
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


def networks(name: str, size: str, kind: str, **changes) -> tuple:
    """The base and the control on the meta device, in bfloat16."""
    backbone = BACKBONES[name]
    with torch.device("meta"):
        base = getattr(diffusers, backbone.transformer)(**backbone.released[size] | changes)
        control = CONTROLS[kind](**control_arguments(base), sources=SOURCES[kind], interval=2)
    return base.to(torch.bfloat16).requires_grad_(False), control.to(torch.bfloat16)


def tensors(name: str, size: str, kind: str, checkpointing: bool, layers: int) -> int:
    """Most bytes of tensors in a step of a base of so many blocks, without weights and their gradients."""
    backbone, (shape, fps, width, words) = BACKBONES[name], SIZES[size]
    base, control = networks(name, size, kind, num_layers=layers)
    if checkpointing:
        base.enable_gradient_checkpointing()
    with_control(base, control)
    frames = 1 + (shape[0] - 1) * backbone.frames_per_latent
    times = (torch.arange(frames, dtype=torch.float64) + 0.5) / fps
    with torch.device("meta"):
        noisy, text, time = (torch.empty(1, *given, dtype=torch.bfloat16) for given in (shape, (words, width), ()))
        features = {
            source: Features(torch.empty(1, frames, wide, dtype=torch.bfloat16), times)
            for source, wide in SOURCES[kind].items()
        }
    control_of(base).listen(Hearing(features=features, fps=fps))
    with Ledger("cuda", {"base": base, "control": control}) as ledger:
        asked = Question(noisy=noisy, time=time, text=text, first=noisy[:, :1], fps=fps)
        loss(base, asked, noisy, noisy)["loss"].backward()
    return ledger.peak - 2 * sum(p.numel() for p in control.parameters())


def row(name: str, size: str, kind: str) -> tuple[str, ...]:
    """One base with one control, in GiB; every block holds the same, so that two depths tell all of them."""
    base, control = networks(name, size, kind)
    weights, learned = (sum(p.numel() for p in part.parameters()) for part in (base, control))
    blocks = len(BACKBONES[name].blocks_of(base))
    held = []
    for checkpointing in (False, True):
        few, more = (tensors(name, size, kind, checkpointing, layers) for layers in _DEPTHS)
        held.append(few + (more - few) // (_DEPTHS[1] - _DEPTHS[0]) * (blocks - _DEPTHS[0]))
    ways = {"bfloat16": 2 * weights, "float8": weights}
    totals = {way: (kept + learned * LEARNED + held[1]) / GIB for way, kept in ways.items()}
    fits = next((way for way, total in totals.items() if total + SPARE <= 24), "none")
    told = [f"{learned / 1e6:.0f} M", *(f"{bytes_ / GIB:.1f}" for bytes_ in held)]
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
