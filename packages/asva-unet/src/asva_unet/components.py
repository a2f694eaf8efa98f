"""A whole KeyVID or DynamiCrafter checkpoint as its parts, strict both ways: a key of no part is an error."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from asva_unet.convert import RESAMPLER_TABLE, VISION_TABLE, text_table, unet_table, vae_table
from asva_weights import ConversionError
from asva_weights.key_table import KeyTable, first_names

PREFIXES: dict[str, str] = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.model.",
    "image_encoder": "embedder.model.",
    "image_projector": "image_proj_model.",
    "audio_encoder": "imagebind_model.",  # all of ImageBind's modalities; asva_audio knows which are its tower's
    "audio_projector": "audio_proj_model.",  # dead: the original never calls it
}
# (audio attention, frame index embedding) in the U-Net -> family; the two DynamiCrafter 512 models have the same keys
FAMILIES = {
    (True, True): "keyvid-keyframe",
    (True, False): "keyvid-interp",
    (False, False): "dynamicrafter",
}
NEEDED = ("unet", "vae", "text_encoder", "image_encoder")
SCHEDULE = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "scale_arr",
)

State = dict[str, Tensor]


def checkpoint_family(keys: Iterable[str]) -> str:
    """Which released model a checkpoint holds, by the names of its weights alone.

    Args:
        keys: Names as in the file, for example the result of ``read_checkpoint``.

    Returns:
        "keyvid-keyframe", "keyvid-interp" or "dynamicrafter" (the 512 model or its interpolator).

    Raises:
        ConversionError: If it is none of them.

    >>> checkpoint_family(["model.diffusion_model.out.2.weight", "model.diffusion_model.fps_embedding.0.weight"])
    'dynamicrafter'
    """
    prefix = PREFIXES["unet"]
    unet = {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}
    if any(key.startswith("framestride_embed.") for key in unet):
        raise ConversionError(
            "The checkpoint must be of DynamiCrafter's 512 models, got the 256 model (framestride_embed.*), which has "
            "gates on its image attention, takes a stride for the frame rate and predicts noise."
        )
    audio = any(key.startswith("audio_proj_2.") or ".to_k_ap." in key for key in unet)
    family = FAMILIES.get((audio, any(key.startswith("frame_idx_embedding.") for key in unet)))
    if family is None or not any(key.startswith("fps_embedding.") for key in unet):
        raise ConversionError(
            f"The checkpoint must be one of {', '.join(FAMILIES.values())}, got none of them: its U-Net "
            f"({prefix}*) " + (f"has {first_names(unet)}." if unet else "is missing.")
        )
    return family


def split_checkpoint(state: Mapping[str, Tensor], needed: Sequence[str] = NEEDED) -> dict[str, State]:
    """Part the state dict of a KeyVID, DynamiCrafter or VideoCrafter checkpoint by component; nothing is copied.

    Args:
        state: The ``state_dict`` of the Lightning checkpoint, best memory-mapped (``read_checkpoint``).
        needed: Components that must be there.

    Returns:
        Component name -> its original keys without prefix: the names of ``PREFIXES``, and "schedule". DynamiCrafter's
        have nothing under "audio_encoder" and "audio_projector".

    Raises:
        ConversionError: If a key belongs to no component, or a component has no key.
    """
    parts: dict[str, State] = {name: {} for name in (*PREFIXES, "schedule")}
    unknown = set()
    for key, tensor in state.items():
        name = next((name for name, prefix in PREFIXES.items() if key.startswith(prefix)), None)
        if name is not None:
            parts[name][key.removeprefix(PREFIXES[name])] = tensor
        elif key in SCHEDULE:
            parts["schedule"][key] = tensor
        else:
            unknown.add(key)
    if unknown:
        raise ConversionError(
            f"The checkpoint must hold KeyVID's or DynamiCrafter's weights only, {len(unknown)} unknown: "
            f"{first_names(unknown)}."
        )
    if absent := [PREFIXES[name] + "*" for name in needed if not parts[name]]:
        raise ConversionError(f"The checkpoint must hold every part of KeyVID, missing: {first_names(absent)}.")
    return parts


def join_checkpoint(parts: Mapping[str, Mapping[str, Tensor]]) -> State:
    """The inverse of ``split_checkpoint``."""
    state = dict(parts.get("schedule", {}))
    for name, prefix in PREFIXES.items():
        state.update({prefix + key: tensor for key, tensor in parts.get(name, {}).items()})
    return state


def convert_component(name: str, original: Mapping[str, Tensor], model: nn.Module) -> tuple[State, State]:
    """Weights of one of our networks from the original's, every key and shape checked.

    Args:
        name: "unet", "vae", "text_encoder", "image_encoder" or "image_projector".
        original: The component's keys, from ``split_checkpoint``.
        model: The network that the weights are for; may live on the meta device.

    Returns:
        The state dict for ``model`` (views, nothing is copied; load it with ``assign=True`` to keep it so), and the
        original's unused weights, which ``restore_component`` needs to give the whole list back.

    Raises:
        ConversionError: If keys are missing or unknown, or shapes differ.
    """
    table = _table(name, model)
    return table.to_ours(original, model.state_dict(), name), table.rest(original)


def restore_component(name: str, model: nn.Module, unused: Mapping[str, Tensor] | None = None) -> State:
    """The inverse of ``convert_component``: the original's keys from our network and the unused weights."""
    return {**_table(name, model).to_original(model.state_dict()), **(unused or {})}


def load_component(name: str, original: Mapping[str, Tensor], model: nn.Module) -> State:
    """Put the original's weights into ``model`` (which may live on the meta device); returns the unused ones."""
    state, unused = convert_component(name, original, model)
    model.load_state_dict(state, assign=any(parameter.is_meta for parameter in model.parameters()))
    return unused


def _table(name: str, model: Any) -> KeyTable:
    config = model.config
    if name == "unet":
        if config["audio_window_attention"]:
            raise ConversionError(
                "unet must be a network that was released, got one with audio windows, which no original has a name "
                "for: convert the pretrained network and extend it (`with_audio_window`)."
            )
        return unet_table(config["layers_per_block"], config["attention_levels"])
    if name == "vae":
        return vae_table(len(config["block_out_channels"]))
    if name == "text_encoder":
        return text_table(config.num_hidden_layers)
    if name not in ("image_encoder", "image_projector"):
        names = "unet, vae, text_encoder, image_encoder, image_projector"
        raise ValueError(f"`name` must be one of {names}, got {name!r}.")
    return VISION_TABLE if name == "image_encoder" else RESAMPLER_TABLE
