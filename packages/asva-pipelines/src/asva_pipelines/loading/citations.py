"""Licence and papers of each family of weights: said once when they are loaded. The only place that says so."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asva_pipelines.loading.catalog import AVSYNCD_LICENCE, DYNAMICRAFTER_LICENCE, KEYVID_LICENCE, MTV_LICENCE
from asva_weights.storage import SOURCE

__all__ = ["CREDITS", "Credit", "credit_of", "say_credit"]

_log = logging.getLogger("asva_pipelines.loading")
_said: set[str] = set()


@dataclass(frozen=True)
class Credit:
    """Whom weights are owed to.

    Attributes:
        title: Of the weights.
        licence: Of the weights.
        papers: To cite where they are used.
    """

    title: str
    licence: str
    papers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.title}: licence {self.licence}. Please cite {'; '.join(self.papers)}."


# Titles and venues as the papers of KeyVID, AVSyncD and MTV list them; KeyVID and MTV themselves name no venue.
_IMAGEBIND = "ImageBind: One Embedding Space to Bind Them All (CVPR 2023)"
_LATENT_DIFFUSION = "High-Resolution Image Synthesis with Latent Diffusion Models (CVPR 2022)"
_DYNAMICRAFTER = "DynamiCrafter: Animating Open-Domain Images with Video Diffusion Priors (ECCV 2024)"

# By the family that stands in a converted folder's source.json.
CREDITS = {
    "keyvid": Credit(
        "KeyVID",
        KEYVID_LICENCE,
        (
            "KeyVID: Keyframe-Aware Video Diffusion for Audio-Synchronized Visual Animation",
            _DYNAMICRAFTER,
            _IMAGEBIND,
        ),
    ),
    "dynamicrafter": Credit("DynamiCrafter 512", DYNAMICRAFTER_LICENCE, (_DYNAMICRAFTER,)),
    "avsyncd": Credit(
        "AVSyncD",
        AVSYNCD_LICENCE,
        ("Audio-Synchronized Visual Animation (ECCV 2024)", _LATENT_DIFFUSION, _IMAGEBIND),
    ),
    "mtv": Credit(
        "MTV",
        MTV_LICENCE,
        (
            "Audio-Sync Video Generation with Multi-Stream Temporal Control",
            "CogVideoX: Text-to-Video Diffusion Models with an Expert Transformer (ICLR 2025)",
            "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations (NeurIPS 2020)",
        ),
    ),
    "imagebind": Credit("ImageBind", "CC BY-NC-SA 4.0 (no commercial use)", (_IMAGEBIND,)),
    "beats": Credit("BEATs", "MIT", ("BEATs: Audio Pre-Training with Acoustic Tokenizers (ICML 2023)",)),
    "stable-diffusion": Credit("Stable Diffusion", "CreativeML OpenRAIL-M", (_LATENT_DIFFUSION,)),
}


def credit_of(folder: Path) -> Credit | None:
    """Whom the weights of a model folder are owed to; None where they were trained here."""
    source = folder / SOURCE
    if source.is_file():
        return CREDITS.get(json.loads(source.read_text(encoding="utf-8")).get("family", ""))
    index = folder / "model_index.json"
    kind = json.loads(index.read_text(encoding="utf-8")).get("_class_name") if index.is_file() else None
    return CREDITS["stable-diffusion"] if kind == "StableDiffusionPipeline" else None


def say_credit(folder: Path, say: Callable[[str], None] = _log.info) -> None:
    """Tell whom the weights are owed to, once a process for each family."""
    credit = credit_of(folder)
    if credit is not None and credit.title not in _said:
        _said.add(credit.title)
        say(str(credit))
