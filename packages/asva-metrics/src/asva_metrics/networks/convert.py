"""Checkpoints of the published networks: their names, as one table of rules per family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from asva_metrics.networks.avsync import AVSyncClassifier
from asva_metrics.networks.i3d import I3D
from asva_metrics.networks.inception import FIDInception
from asva_metrics.networks.syncnet import SyncNet
from asva_weights import KeyTable

Family = Literal["inception", "i3d", "i3d-piergiaj", "avsync", "syncnet"]
BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "inception": FIDInception,
    "i3d": I3D,
    "i3d-piergiaj": lambda: I3D(style="piergiaj"),
    "avsync": AVSyncClassifier,
    "syncnet": SyncNet,
}

# ours -> theirs, every rule in turn
RULES: dict[str, dict[str, str | Callable[[re.Match[str]], str]]] = {
    "inception": {
        r"^classes\.": "fc.",
        r"\.norm\.": ".bn.",
        r"^stages\.0\.0\.": "Conv2d_1a_3x3.",
        r"^stages\.0\.1\.": "Conv2d_2a_3x3.",
        r"^stages\.0\.2\.": "Conv2d_2b_3x3.",
        r"^stages\.1\.0\.": "Conv2d_3b_1x1.",
        r"^stages\.1\.1\.": "Conv2d_4a_3x3.",
        **{rf"^stages\.2\.{i}\.": f"Mixed_{name}." for i, name in enumerate("5b 5c 5d 6a 6b 6c 6d 6e".split())},
        **{rf"^stages\.3\.{i}\.": f"Mixed_{name}." for i, name in enumerate("7a 7b 7c".split())},
        r"\.one\.0\.": ".branch1x1.",
        r"\.pool\.1\.": ".branch_pool.",
        r"\.five\.(\d)\.": lambda m: f".branch5x5_{int(m[1]) + 1}.",
        r"^(Mixed_6a)\.three\.0\.": r"\1.branch3x3.",
        r"^(Mixed_7.)\.three\.(\d)\.(.*)": lambda m: f"{m[1]}.branch3x3_{int(m[2]) + 1}{_fork(m[3])}",
        r"^(Mixed_7a)\.seven\.(\d)\.": lambda m: f"{m[1]}.branch7x7x3_{int(m[2]) + 1}.",
        r"^(Mixed_6.)\.seven\.(\d)\.": lambda m: f"{m[1]}.branch7x7_{int(m[2]) + 1}.",
        r"^(Mixed_6[b-e])\.deep\.(\d)\.": lambda m: f"{m[1]}.branch7x7dbl_{int(m[2]) + 1}.",
        r"^(Mixed_..)\.deep\.(\d)\.(.*)": lambda m: f"{m[1]}.branch3x3dbl_{int(m[2]) + 1}{_fork(m[3])}",
    },
    "i3d": {
        r"\.norm\.": ".batch3d.",
        r"\.conv\.": ".conv3d.",
        r"^classes\.": "conv3d_0c_1x1.conv3d.",
        r"^stem\.0\.": "conv3d_1a_7x7.",
        r"^stem\.2\.": "conv3d_2b_1x1.",
        r"^stem\.3\.": "conv3d_2c_3x3.",
        r"^mixed\.(..)\.": r"mixed_\1.",
        r"\.one\.": ".branch_0.",
        r"\.three\.": ".branch_1.",
        r"\.second\.": ".branch_2.",
        r"\.pool\.": ".branch_3.",
    },
    "i3d-piergiaj": {
        r"\.norm\.": ".bn.",
        r"\.conv\.": ".conv3d.",
        r"^classes\.": "logits.conv3d.",
        r"^stem\.0\.": "Conv3d_1a_7x7.",
        r"^stem\.2\.": "Conv3d_2b_1x1.",
        r"^stem\.3\.": "Conv3d_2c_3x3.",
        r"^mixed\.(..)\.": r"Mixed_\1.",
        r"\.one\.": ".b0.",
        r"\.three\.(\d)\.": lambda m: f".b1{'ab'[int(m[1])]}.",
        r"\.second\.(\d)\.": lambda m: f".b2{'ab'[int(m[1])]}.",
        r"\.pool\.1\.": ".b3b.",
    },
    "avsync": {
        r"^(audio|video)_stem\.": r"\1_encoder.conv1.",
        r"^audio_blocks\.(\d)\.": lambda m: f"audio_encoder.block{int(m[1]) + 1}.",
        r"^(audio_encoder\.block.)\.norm": r"\1.bn",
        r"^video_blocks\.(\d)\.": lambda m: f"video_encoder.conv{int(m[1]) + 2}x.",
        r"\.space(\d)\.": r".spt_conv\1.",
        r"\.space(\d)_norm\.": r".spt_bn\1.",
        r"\.time(\d)\.": r".tmp_conv\1.",
        r"\.time1_norm\.": ".tmp_bn1.",
        r"\.out_norm\.": ".out_bn.",
        r"\.shortcut\.": ".res_conv.",
        r"^head\.0\.": "head.fc.0.",
        r"^head\.2\.": "head.fc.3.",
        r"^head\.4\.": "head.fc.6.",
    },
    "syncnet": {
        r"^audio\.": "netcnnaud.",
        r"^audio_head\.": "netfcaud.",
        r"^lips\.": "netcnnlip.",
        r"^lips_head\.": "netfclip.",
    },
}


def convert_network(state_dict: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Weights of a published checkpoint for the network of this package.

    Args:
        state_dict: Its weights by name.
        family: "inception" (pt_inception-2015-12-05 as pytorch-fid names it), "i3d" (hassony, i3d_torchscript),
            "i3d-piergiaj", "avsync" (prefixes audio_encoder., video_encoder., head.) or "syncnet" (syncnet_v2).

    Returns:
        State for ``load_state_dict``; tensors are shared.

    Raises:
        ValueError: If the family is unknown.
        ConversionError: If a key is missing or unknown, or a shape is another.
    """
    like = empty_state(family)
    return _table(family).to_ours(state_dict, like, f"`state_dict` of {family}")


def invert_network(state_dict: Mapping[str, Tensor], family: Family) -> dict[str, Tensor]:
    """Inverse of `convert_network`: the original names, for use by the original code.

    Raises:
        ValueError: If the family is unknown.
        ConversionError: If a key is missing or unknown.
    """
    like = empty_state(family)
    return _table(family).to_original(state_dict, like, f"`state_dict` of {family}")


@cache
def empty_state(family: Family) -> dict[str, Tensor]:
    """Names and shapes of our weights of a family, without memory."""
    if family not in BUILDERS:
        raise ValueError(f"`family` must be one of {', '.join(BUILDERS)}, got {family!r}.")
    with torch.device("meta"):
        return BUILDERS[family]().state_dict()


def _table(family: Family) -> KeyTable:
    return KeyTable(tuple(RULES[family].items()))


def _fork(rest: str) -> str:
    """The side of a fork is a letter at the end of the number: ``wide.conv.weight`` -> ``a.conv.weight``."""
    return re.sub(r"^tall", "b", re.sub(r"^wide", "a", rest)) if rest[:4] in ("wide", "tall") else f".{rest}"
