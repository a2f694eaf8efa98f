"""The released CoDi: a file of encoders and one of the video network become a pipeline.

The original reads them with missing and unknown weights allowed. Here every part that is taken must be whole; what
other outputs need (words, sounds, the connectors between outputs) is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asva_baselines.codi.method import DIFFUSER, ENCODERS, METHOD
from asva_pipelines.loading.shared_files import TOKENIZER_FILES, openclip_files, openclip_tokenizer
from asva_weights import ModelError, read_checkpoint
from asva_weights.key_table import below
from asva_weights.release import Files, Release, Say, blame

_UNET = "model.diffusion_model.unet_image."


def _find(source: Path, content: Mapping[str, Any] | None, given: Files) -> Files | None:
    if content is not None:
        if any(name.startswith(_UNET) for name in content):
            raise ModelError(f"'{source}' is CoDi's video network: pass its folder, with `{ENCODERS}` beside it.")
        return None
    paths = {name: source / name for name in (DIFFUSER, ENCODERS)}
    if not paths[DIFFUSER].is_file():
        return None
    if not paths[ENCODERS].is_file():
        raise ModelError(f"CoDi needs its encoders: put '{ENCODERS}' (ZinengTang/CoDi) into '{source}'.")
    return paths | openclip_files(source)


def _read(files: Files, say: Say) -> Release:
    from asva_baselines.codi.contexts import read_encoder
    from asva_baselines.codi.convert import read_unet
    from asva_unet import make_scheduler
    from asva_unet.latent_video import build

    state = read_checkpoint(files[ENCODERS])
    with blame(files[ENCODERS], "file of CoDi's encoders"):
        networks: dict[str, Any] = {
            "vae": build("vae", below(state, "autokl.")),
            "clip": read_encoder("clip", below(state, "clip.model.")),
            "clap": read_encoder("clap", below(state, "clap.")),
        }
    with blame(files[DIFFUSER], "file of CoDi's video network"):
        networks["unet"] = read_unet(below(read_checkpoint(files[DIFFUSER]), _UNET))
    say("Note: the sound is heard as a whole, nothing in this model tells when something sounds.")
    tokenizer = openclip_tokenizer(files, networks["clip"].config.text_config.max_position_embeddings)
    scheduler = make_scheduler(
        prediction_type="epsilon", zero_terminal_snr=False, timestep_spacing="leading", steps_offset=1
    )
    return METHOD.release(networks, "CoDi", tokenizer=tokenizer, scheduler=scheduler)


CODI = METHOD.released_files(
    wants=f"`{DIFFUSER}`, with `{ENCODERS}` beside", find=_find, read=_read, elsewhere=TOKENIZER_FILES
)
