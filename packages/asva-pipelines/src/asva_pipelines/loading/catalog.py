"""What the released models are made of: files, sizes, homes and licences."""

from __future__ import annotations

from dataclasses import dataclass

from asva_audio.released import IMAGEBIND
from asva_weights import RemoteFile

__all__ = [
    "AVSYNCD_FILES",
    "AVSYNCD_LICENCE",
    "COGVIDEOX",
    "DYNAMICRAFTER_CKPT",
    "DYNAMICRAFTER_LICENCE",
    "HUB_MODELS",
    "INTERP_CKPT",
    "KEYFRAME_CKPT",
    "KEYVID_LICENCE",
    "KEYVID_REPO",
    "MODELS",
    "MTV_CKPT",
    "MTV_LICENCE",
    "STABLE_DIFFUSION",
    "STABLE_DIFFUSION_REPO",
    "TOKENIZER_FILES",
    "WAV2VEC",
    "ModelEntry",
    "licence_of",
]

KEYVID_REPO = "RyanWW/KeyVID"
KEYFRAME_CKPT = "keyframe_generation/epoch=859-step=10320.ckpt"
INTERP_CKPT = "asva_12_kf_interp/epoch=1479-step=17760.ckpt"
DYNAMICRAFTER_CKPT = "model.ckpt"
MTV_CKPT = "mp_rank_00_model_states.pt"
COGVIDEOX = "CogVideoX-5b"
WAV2VEC = "wav2vec2-base-960h"
STABLE_DIFFUSION = "stable-diffusion-v1-5"
STABLE_DIFFUSION_REPO = "stable-diffusion-v1-5/stable-diffusion-v1-5"

_TOKENIZER_REPO = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
_IMAGEBIND_LICENCE = "CC BY-NC-SA 4.0 (no commercial use)"
_STABLE_DIFFUSION_LICENCE = "CreativeML OpenRAIL-M"
KEYVID_LICENCE = (
    "Apache-2.0 (KeyVID, DynamiCrafter); holds OpenCLIP weights (MIT) "
    "and ImageBind weights (CC BY-NC-SA 4.0: no commercial use)"
)
DYNAMICRAFTER_LICENCE = "Apache-2.0 (DynamiCrafter); holds OpenCLIP weights (MIT)"
AVSYNCD_LICENCE = (
    "MIT (AVSyncD), on Stable Diffusion 1.5 (CreativeML OpenRAIL-M), "
    "with ImageBind weights (CC BY-NC-SA 4.0: no commercial use)"
)

MTV_LICENCE = "Apache-2.0 (MTVCraft), on CogVideoX 5B (CogVideoX licence), with T5 and wav2vec 2.0 (Apache-2.0)"


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that has a name here."""

    name: str
    summary: str
    licence: str


TOKENIZER_FILES = (
    RemoteFile(repo=_TOKENIZER_REPO, path="vocab.json", gigabytes=0.0009, licence="MIT (OpenCLIP)"),
    RemoteFile(repo=_TOKENIZER_REPO, path="merges.txt", gigabytes=0.0005, licence="MIT (OpenCLIP)"),
)


def _dynamicrafter(repo: str) -> tuple[RemoteFile, ...]:
    checkpoint = RemoteFile(repo=repo, path=DYNAMICRAFTER_CKPT, gigabytes=10.44, licence=DYNAMICRAFTER_LICENCE)
    return (checkpoint, *TOKENIZER_FILES)


# Names of models that a hub holds in their released form.
HUB_MODELS = {
    "keyvid": (
        RemoteFile(repo=KEYVID_REPO, path=KEYFRAME_CKPT, gigabytes=15.55, licence=KEYVID_LICENCE),
        RemoteFile(repo=KEYVID_REPO, path=INTERP_CKPT, gigabytes=15.54, licence=KEYVID_LICENCE),
        *TOKENIZER_FILES,
    ),
    "dynamicrafter": _dynamicrafter("Doubiiu/DynamiCrafter_512"),
    "dynamicrafter-interp": _dynamicrafter("Doubiiu/DynamiCrafter_512_Interp"),
}
# No hub holds AVSyncD: what goes into one folder by hand.
AVSYNCD_FILES = (
    RemoteFile(
        repo="Google Drive, linked from the README of lzhangbj/ASVA",
        path="ckpts/checkpoint-37000/modules/unet (AVSync15; 24000 Landscapes, 16000 TheGreatestHits)",
        gigabytes=4.68,
        licence=AVSYNCD_LICENCE,
    ),
    RemoteFile(
        repo=STABLE_DIFFUSION_REPO,
        path=f"vae, text_encoder, tokenizer and scheduler, as {STABLE_DIFFUSION}/",
        gigabytes=0.83,
        licence=_STABLE_DIFFUSION_LICENCE,
    ),
    RemoteFile(
        repo="link in the README of facebookresearch/ImageBind",
        path=IMAGEBIND,
        gigabytes=4.8,
        licence=_IMAGEBIND_LICENCE,
    ),
)
MODELS = (
    ModelEntry(
        name="tiny",
        summary="bundled, 64x64, 48 frames at 24 fps, knows the synthetic sounds; runs on any CPU",
        licence="Apache-2.0",
    ),
    ModelEntry(
        name="keyvid",
        summary=f"released KeyVID weights ({KEYVID_REPO}), 320x512, 48 frames at 24 fps, AVSync15; 31 GB to download",
        licence=KEYVID_LICENCE,
    ),
    ModelEntry(
        name="dynamicrafter",
        summary="released DynamiCrafter_512, without sound, 320x512, 16 frames told to be at 24 fps; 10 GB to download",
        licence=DYNAMICRAFTER_LICENCE,
    ),
    ModelEntry(
        name="avsyncd",
        summary="released AVSyncD weights, 256x256, 12 frames at 6 fps; on no hub, to be put into a folder by hand",
        licence=AVSYNCD_LICENCE,
    ),
)


def licence_of(name: str) -> str | None:
    """Licence of one file of a model, where it is not the model's own."""
    if name == IMAGEBIND:
        return _IMAGEBIND_LICENCE
    if name.startswith(f"{STABLE_DIFFUSION}/"):
        return _STABLE_DIFFUSION_LICENCE
    return next((file.licence for file in TOKENIZER_FILES if file.path == name), None)
