"""The released MM-Diffusion: a network of both streams and, beside it, one of super resolution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asva_baselines.mmdiffusion.method import METHOD, SETS
from asva_weights import ModelError, count_of, read_checkpoint, shape_of
from asva_weights.release import Files, Release, Say, State, blame

_WINDOWS = (0, 1, 4, 8)  # frames, by level; weights do not carry them


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        found = [source] if any(name.endswith(".v_qkv.weight") for name in content) else []
    else:
        found = [path for name in SETS if (path := source / f"{name}.pt").is_file()]
    if len(found) > 1:
        raise ModelError(f"Folder '{source}' holds MM-Diffusion for {' and '.join(SETS)}: pass one of the files.")
    if not found:
        return None
    larger = found[0].with_name(f"{found[0].stem}_SR.pt")
    return {found[0].name: found[0]} | ({larger.name: larger} if larger.is_file() else {})


def _read(files: Files, say: Say) -> Release:
    from asva_baselines.mmdiffusion.convert import unet_table
    from asva_baselines.mmdiffusion.super_resolution import SuperResolutionUNet, upsampler_table
    from asva_baselines.mmdiffusion.unet import MultimodalUNet

    kinds = [("unet", MultimodalUNet, unet_config, unet_table)]
    kinds.append(("upsampler", SuperResolutionUNet, upsampler_config, upsampler_table))
    networks: dict[str, Any] = {}
    for (name, kind, config, table), path in zip(kinds[: len(files)], files.values(), strict=True):
        state = read_checkpoint(path)
        with blame(path, "network of MM-Diffusion"):
            with torch.device("meta"):
                network = kind(**config(state))
            network.load_state_dict(table(network).to_ours(state, network.state_dict(), name), assign=True)
        networks[name] = network.eval()
    if len(networks) == 1:
        say("Note: without the file of super resolution beside it, frames are 64x64.")
    size = {} if "upsampler" in networks else {"height": 64, "width": 64}
    return METHOD.release(networks, f"MM-Diffusion, {Path(next(iter(files))).stem}", **size)


def unet_config(state: State) -> dict[str, Any]:
    """Arguments of :class:`MultimodalUNet` that the shapes of its weights tell."""
    widths, layers = _layout(state, "video_in_layers.2.video_conv_spatial.weight")
    first = [(len(widths) - 1 - level) * (layers + 1) for level in range(len(widths))]

    def has(part: str) -> list[bool]:
        return [f"output_blocks.{index}.{part}" in state for index in first]

    crossed = has("1.v_qkv.weight")
    return {
        "video_channels": shape_of(state, "video_out.2.video_conv.weight", "U-Net")[0],
        "audio_channels": shape_of(state, "audio_out.2.audio_conv.weight", "U-Net")[0],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "video_attention_levels": has("0.spatial_attention_block.qkv.weight"),
        "audio_attention_levels": has("0.audio_attention_block.qkv.weight"),
        "cross_attention_windows": [_WINDOWS[level] * there for level, there in enumerate(crossed)],
        "middle_cross_attention": "middle_blocks.1.v_qkv.weight" in state,
    }


def upsampler_config(state: State) -> dict[str, Any]:
    """Arguments of :class:`SuperResolutionUNet` that the shapes of its weights tell."""
    widths, layers = _layout(state, "in_layers.2.weight")
    attending = [f"output_blocks.{level * (layers + 1)}.1.qkv.weight" in state for level in range(len(widths))]
    return {"block_out_channels": widths, "layers_per_block": layers, "attention_levels": attending[::-1]}


def _layout(state: State, conv: str) -> tuple[list[int], int]:
    """Channels by level, and layers of each on the way down, after which the way up has a block that grows."""
    growing = re.compile(rf"output_blocks\.(\d+)\.[12]\.{re.escape(conv)}")
    layers = min((int(found[1]) for name in state if (found := growing.fullmatch(name))), default=0)
    if not layers:
        raise ModelError("its weights are of another network.")
    levels = count_of(state, r"input_blocks\.(\d+)\.") // (layers + 1)
    blocks = [(levels - 1 - level) * (layers + 1) for level in range(levels)]
    return [shape_of(state, f"output_blocks.{block}.0.{conv}", "U-Net")[0] for block in blocks], layers


MMDIFFUSION = METHOD.released_files(
    wants=f"`{SETS[0]}.pt` or `{SETS[1]}.pt`, with `{SETS[0]}_SR.pt` or `{SETS[1]}_SR.pt` beside",
    find=_find,
    read=_read,
)
