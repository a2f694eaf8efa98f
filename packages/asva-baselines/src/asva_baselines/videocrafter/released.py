"""The released VideoCrafter1 and 2: one checkpoint becomes a pipeline; which model it is, its keys tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_baselines.videocrafter.method import CHECKPOINT, METHOD
from asva_pipelines.loading.shared_files import TOKENIZER_FILES, openclip_files, openclip_tokenizer
from asva_unet.latent_video import build, check_schedule, input_channels, read_stage
from asva_weights.release import Files, Release, Say, blame

# Of the original's scripts: the picture's model is told 8 frames a second, VideoCrafter2 28, whatever is then written.
SETTINGS: dict[str, dict[str, Any]] = {
    "Image2Video-512": {},
    "Text2Video-512": {},
    "Text2Video-1024": {"told_fps": 16, "height": 576, "width": 1024},
    "VideoCrafter2": {"told_fps": 28},
}
_WHAT = "VideoCrafter checkpoint"
_PARTS = ("unet", "vae", "text_encoder", "image_encoder", "image_projector")


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    path = source / CHECKPOINT if content is None else source
    return {CHECKPOINT: path} | openclip_files(path.parent) if input_channels(content or path) == 4 else None


def _read(files: Files, say: Say) -> Release:
    from asva_unet import make_scheduler

    path = files[CHECKPOINT]
    _, parts = read_stage(path, _WHAT, needed=("unet", "vae", "text_encoder"))
    facts = {"unet": {"prediction_type": "epsilon"}, "image_projector": {"num_frames": 1}}
    with blame(path, _WHAT):
        check_schedule(parts["schedule"], zero_terminal_snr=False)
        networks = {name: build(name, parts[name], **facts.get(name, {})) for name in _PARTS if parts[name]}
        unet = networks["unet"].config
        if unet.in_channels != 4 or unet.image_cross_attention != ("image_projector" in networks):
            raise ValueError("its U-Net and its image projector are not of one model.")
    model = _which(unet)
    say(f"Note: taken for {model}, by the names of its weights.")
    scale = parts["schedule"].get("scale_arr")
    base = None if scale is None else round(float(scale[-1]), 6)
    rescaled: dict[str, Any] = {} if base is None else {"dynamic_rescale": True, "base_scale": base}
    scheduler = make_scheduler(
        prediction_type="epsilon",
        zero_terminal_snr=False,
        timestep_spacing="leading",
        steps_offset=1,
        end_at_scale_one=True,
        **rescaled,
    )
    tokenizer = openclip_tokenizer(files, networks["text_encoder"].config.max_position_embeddings)
    settings = {"dynamic_rescale": base is not None} | SETTINGS[model]
    return METHOD.release(networks, model, tokenizer=tokenizer, scheduler=scheduler, **settings)


def _which(unet: Any) -> str:
    if unet.image_cross_attention:
        return "Image2Video-512"
    if unet.temporal_reach is None:
        return "VideoCrafter2"
    return "Text2Video-1024" if unet.frame_rate_embedding else "Text2Video-512"


VIDEOCRAFTER = METHOD.released_files(
    wants=f"`{CHECKPOINT}` of Image2Video-512, Text2Video-512, Text2Video-1024 or VideoCrafter2",
    find=_find,
    read=_read,
    elsewhere=TOKENIZER_FILES,
)
