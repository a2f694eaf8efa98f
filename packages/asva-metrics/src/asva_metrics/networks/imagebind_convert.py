"""``imagebind_huge.pth`` <-> the towers of images, texts and sounds: strict in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from asva_audio import (
    ImageBindAudioEncoder,
    ImageBindAudioHead,
    convert_imagebind_audio,
    convert_imagebind_head,
    invert_imagebind_audio,
    split_imagebind,
)
from asva_audio.embedding import NAMES as AUDIO_HEAD
from asva_metrics.networks.imagebind import ImageBind, ImageBindTextTower, ImageBindVisionTower
from asva_metrics.networks.key_table import KeyTable

MASK = "modality_preprocessors.text.mask"
MODALITIES = ("vision", "text", "audio")
# ours -> theirs, every rule in turn; M is the modality
RULES = {
    r"^class_embedding$": "modality_preprocessors.M.cls_token",
    r"^patch\.": "modality_preprocessors.M.rgbt_stem.proj.1.",
    r"^embedding\.": "modality_preprocessors.M.token_embedding.",
    r"^norm\.": "modality_trunks.M.pre_transformer_layer.0.",
    r"^blocks\.": "modality_trunks.M.blocks.",
    r"\.attention\.to_qkv\.(\w+)$": r".attn.in_proj_\1",
    r"\.attention\.to_out\.": ".attn.out_proj.",
    r"\.norm(\d)\.": r".norm_\1.",
    r"\.mlp\.0\.": ".mlp.fc1.",
    r"\.mlp\.2\.": ".mlp.fc2.",
    r"^log_scale$": "modality_postprocessors.M.1.log_logit_scale",
}
OWN_RULES = {
    "vision": {
        r"^positions$": "modality_preprocessors.M.pos_embedding_helper.pos_embed",
        r"^head_norm\.": "modality_heads.M.0.",
        r"^projection\.": "modality_heads.M.2.",
    },
    "text": {
        r"^positions$": "modality_preprocessors.M.pos_embed",
        r"^head_norm\.": "modality_heads.M.proj.0.",
        r"^projection\.": "modality_heads.M.proj.1.",
    },
}


def convert_imagebind(
    state_dict: Mapping[str, Tensor], *, prefix: str = "", num_attention_heads: Mapping[str, int] | None = None
) -> ImageBind:
    """ImageBind from its checkpoint, of the sizes that the file has.

    Args:
        state_dict: ``imagebind_huge.pth``; the towers of depth, heat and motion sensors are dropped if there.
        prefix: Where ImageBind stands, for example ``"net."``.
        num_attention_heads: Heads by modality, for files of other sizes; huge has 16, 16 and 12.

    Returns:
        The towers in evaluation mode.

    Raises:
        ValueError: If a key is missing or unknown, a shape is another, or the mask of the texts is not causal.
    """
    audio, rest = split_imagebind(state_dict, prefix=prefix)
    state = {key: value for key, value in {**audio, **rest}.items() if key.split(".")[1] in MODALITIES}
    heads = {"vision": 16, "text": 16, "audio": 12, **(num_attention_heads or {})}
    _check_mask(state)
    vision = _tower("vision", state, heads["vision"])
    text = _tower("text", state, heads["text"])
    trunk, head = _audio(state, heads["audio"])
    known = {MASK, *AUDIO_HEAD.values(), *audio}
    known |= {name for modality in ("vision", "text") for name in _theirs(modality, state)}
    if unknown := sorted(state.keys() - known):
        raise ValueError(
            f"`state_dict` must hold exactly the keys of ImageBind, got {len(unknown)} unknown {unknown[:3]}."
        )
    return ImageBind(vision, text, trunk, head).eval()


def invert_imagebind(model: ImageBind) -> dict[str, Tensor]:
    """Inverse of `convert_imagebind`: the original names of all towers and heads."""
    state = invert_imagebind_audio(model.audio.state_dict())
    state |= {AUDIO_HEAD[key]: value for key, value in model.audio_head.state_dict().items()}
    for modality, tower in (("vision", model.vision), ("text", model.text)):
        state |= {_rename(key, modality): value for key, value in tower.state_dict().items()}
    length = model.text.config.context_length
    state[MASK] = torch.full((length, length), float("-inf"), device=model.text.device).triu(1)
    return state


def _tower(modality: str, state: Mapping[str, Tensor], num_heads: int) -> nn.Module:
    theirs = _theirs(modality, state)
    layers = {match[1] for key in theirs if (match := re.search(r"\.blocks\.(\d+)\.", key))}
    sizes = {"num_hidden_layers": len(layers), "num_attention_heads": num_heads}
    projection = _shape(state, _rename("projection.weight", modality), 2)
    sizes |= {"embedding_size": projection[0], "hidden_size": projection[1]}
    if modality == "vision":
        patch = _shape(state, _rename("patch.weight", modality), 5)[-1]
        tokens = _shape(state, _rename("positions", modality), 3)[1] - 1
        sizes |= {"patch_size": patch, "image_size": round(tokens**0.5) * patch}
        build = lambda: ImageBindVisionTower(**sizes)  # noqa: E731
    else:
        vocabulary = _shape(state, _rename("embedding.weight", modality), 2)[0]
        sizes |= {"vocab_size": vocabulary, "context_length": _shape(state, _rename("positions", modality), 3)[1]}
        build = lambda: ImageBindTextTower(**sizes)  # noqa: E731
    table = KeyTable.of(f"ImageBind's {modality} tower", build, lambda key: _rename(key, modality))
    return _filled(build, table.to_ours(theirs))


def _audio(state: Mapping[str, Tensor], num_heads: int) -> tuple[ImageBindAudioEncoder, ImageBindAudioHead]:
    head = convert_imagebind_head(state)
    trunk = convert_imagebind_audio(state, grid=(12, 19))
    size, width = head["projection.weight"].shape
    layers = len({key.split(".")[1] for key in trunk if key.startswith("blocks.")})
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": num_heads}
    encoder = _filled(lambda: ImageBindAudioEncoder(stride=(10, 10), **sizes), trunk)
    return encoder, _filled(lambda: ImageBindAudioHead(width, size), head)


def _filled(build: object, state: Mapping[str, Tensor]) -> nn.Module:
    """The network around the tensors given, without memory for others."""
    with torch.device("meta"):
        network = build()
    network.load_state_dict(state, assign=True)
    return network


def _theirs(modality: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key.split(".")[1] == modality and key != MASK}


def _shape(state: Mapping[str, Tensor], key: str, ndim: int) -> torch.Size:
    if key not in state or state[key].ndim != ndim:
        found = tuple(state[key].shape) if key in state else "none"
        raise ValueError(f"`state_dict` must hold {key} of ImageBind with {ndim} axes, got {found}.")
    return state[key].shape


def _check_mask(state: Mapping[str, Tensor]) -> None:
    mask = state.get(MASK)
    if mask is None or (not mask.is_meta and not torch.equal(mask < 0, torch.ones_like(mask).triu(1) > 0)):
        raise ValueError(f"`state_dict` must hold the causal mask {MASK}, got {'none' if mask is None else 'another'}.")


def _rename(key: str, modality: str) -> str:
    for pattern, replacement in {**OWN_RULES[modality], **RULES}.items():
        key = re.sub(pattern, replacement, key)
    return key.replace(".M.", f".{modality}.")
