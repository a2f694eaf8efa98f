"""What each weight of CoDi's networks is called in the released files, and the networks that shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asva_baselines.codi.temporal import TEMPORAL_ROWS
from asva_baselines.codi.unet import CoDiUNet
from asva_baselines.guided_diffusion import LAYERS, block_rows
from asva_weights import count_of, shape_of
from asva_weights.key_table import KeyTable

_CHILDREN = ((r"\.temporal\.", ".1."), (r"\.resnet\.", ".0."))
_NDIM = ((r".*\.ff\.proj_(in\.0|out\.1)\.weight", 5), (r".*\.ff\.proj_out\.0\.g", 4))
CONNECTORS = r"connecters_out\..+|(in|out)put_block_connecters_in\..+"


def unet_table(network: CoDiUNet) -> KeyTable:
    """What its weights are called in the released files; without connectors those of the files are left."""
    each, levels = network.config.layers_per_block, network.config.attention_levels
    rows = []
    for pattern, name in block_rows(each, levels):
        if "attentions" in pattern or "upsamplers" in pattern:
            number = name.split(".")[1]
            side = "input" if name.startswith("input") else "output"
            rows.append((rf"{pattern}connector\.", f"{side}_block_connecters_in.{number}.0."))
            rows.append((rf"{pattern}layer\.", name))
        rows.append((pattern, name))
    down = 0 if network.connector is None else len(network.connector.resnets)
    connector = [
        (r"^connector\.conv_in\.", "connecters_out.0.0."),
        (r"^connector\.norm\.", f"connecters_out.{2 * down}.0."),
        (r"^connector\.conv_out\.", f"connecters_out.{2 * down}.2."),
        *((rf"^connector\.resnets\.{index}\.", f"connecters_out.{2 * index + 1}.0.") for index in range(down)),
        *(
            (rf"^connector\.downsamplers\.{index}\.conv\.", f"connecters_out.{2 * index + 2}.0.op.")
            for index in range(down)
        ),
    ]
    sampler = (r"^(input_blocks\.\d+\.0)\.conv\.", r"\1.op.")
    unused = "(?!)" if down else CONNECTORS
    named = [
        (r"\.transformer_blocks\.0\.norm(\d)\.", r".transformer_blocks.0.NORM\1."),
        *LAYERS,
        (r"\.NORM(\d)\.", r".norm\1."),
    ]
    return KeyTable((*connector, *rows, sampler, *TEMPORAL_ROWS, *_CHILDREN, *named), _NDIM, unused)


def unet_config(state: Mapping[str, Tensor], *, connected: bool = False) -> dict[str, Any]:
    """Arguments of :class:`CoDiUNet` that the shapes of its weights tell; the connectors are left out unless wanted."""
    what = "U-Net"
    video = "input_blocks.1.0.0.in_layers.2.weight" in state
    res = "0.0.in_layers.2.weight" if video else "0.in_layers.2.weight"
    each = min(int(name.split(".")[1]) for name in state if re.fullmatch(r"input_blocks\.\d+\.0\.op\.weight", name)) - 1
    blocks = range(1, count_of(state, r"input_blocks\.(\d+)\."), each + 1)
    config = {
        "in_channels": shape_of(state, "input_blocks.0.0.weight", what)[1],
        "block_out_channels": [shape_of(state, f"input_blocks.{block}.{res}", what)[0] for block in blocks],
        "layers_per_block": each,
        "attention_levels": [f"input_blocks.{block}.1.proj_in.weight" in state for block in blocks],
        "cross_attention_dim": shape_of(state, "middle_block.1.transformer_blocks.0.attn2.to_k.weight", what)[1],
        "video": video,
    }
    if video:
        inner, width = shape_of(state, "input_blocks.1.0.1.temporal_attn.to_q.weight", what)
        config["temporal_factor"] = 8 * width // inner
    if connected:
        last = count_of(state, r"connecters_out\.(\d+)\.") - 1
        widths = [shape_of(state, f"connecters_out.{place}.{res}", what)[0] for place in range(1, last, 2)]
        config |= {"connector_channels": widths}
        config |= {"connector_dim": shape_of(state, f"connecters_out.{last}.2.weight", what)[0]}
    return config


def read_unet(state: Mapping[str, Tensor], *, connected: bool = False) -> CoDiUNet:
    """A network from its released weights, which stay where they are."""
    with torch.device("meta"):
        network = CoDiUNet(**unet_config(state, connected=connected))
    network.load_state_dict(unet_table(network).to_ours(state, network.state_dict(), "U-Net"), assign=True)
    return network.eval()
