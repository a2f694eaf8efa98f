"""The method `mtv`, and the files that its released weights stand on."""

from asva_pipelines.method import ONE_STAGE, PROMPTS, STEPS, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

REPO = "BAAI/MTVCraft"

CHECKPOINT = "mp_rank_00_model_states.pt"
COGVIDEOX = "CogVideoX-5b"
T5 = "t5-v1_1-xxl"
WAV2VEC = "wav2vec2-base-960h"
SPIECE = ("special_tokens_map.json", "spiece.model", "tokenizer_config.json")
LICENCE = "Apache-2.0 (MTVCraft), on CogVideoX 5B (CogVideoX licence), with T5 and wav2vec 2.0 (Apache-2.0)"
REMARK = (
    "Files are named as MTVCraft's page lists them, their sizes reckoned from numbers of parameters: we have not "
    "fetched them. A folder laid out like that works too, passed as the folder below `mtv/`; so do "
    f"`{CHECKPOINT}`, `{COGVIDEOX}/` with vae, text_encoder and tokenizer, and `{WAV2VEC}/` in one folder."
)


def files_of(variant: str) -> tuple[RemoteFile, ...]:
    """A checkpoint and the base that all three share, in the layout of MTVCraft's page."""
    sizes = {
        f"mtv/{variant}/1/{CHECKPOINT}": 23.1,
        f"{T5}/model-00001-of-00002.safetensors": 5.0,
        f"{T5}/model-00002-of-00002.safetensors": 4.5,
        **{f"{T5}/{name}": 0.001 for name in ("config.json", "model.safetensors.index.json", *SPIECE)},
        "vae/3d-vae.pt": 0.9,
        f"{WAV2VEC}/config.json": 0.001,
        f"{WAV2VEC}/model.safetensors": 0.4,
    }
    return tuple(RemoteFile(repo=REPO, path=path, gigabytes=size, licence=LICENCE) for path, size in sizes.items())


METHOD = Method(
    name="mtv",
    summary="speech, effects and music each steer what they should, at any length (MTV)",
    pipeline="asva_pipelines.mtv.pipeline:MTVPipeline",
    stages=ONE_STAGE,
    options=options(*STEPS, "--guidance", "--text-guidance")
    | {name: () for name in ("--speech", "--speech2", "--effects", "--music", "--demix", "--frame")}
    | PROMPTS,
    models=(
        *(
            NamedModel(
                name=name,
                summary=f"released MTV weights ({REPO}), {what}, 480x720, 49 frames at 24 fps",
                licence=LICENCE,
                files=files_of(variant),
                converted=34.0,
                place=f"mtv/{variant}/1",
                remark=REMARK,
            )
            for name, variant, what in (
                ("mtv", "single", "one voice"),
                ("mtv-multi", "multi", "two voices"),
                ("mtv-accm", "accm", "effects and music without a voice"),
            )
        ),
    ),
    family="asva_pipelines.mtv.released:MTV",
    credit=Credit(
        "MTV",
        LICENCE,
        (
            "Audio-Sync Video Generation with Multi-Stream Temporal Control",
            "CogVideoX: Text-to-Video Diffusion Models with an Expert Transformer (ICLR 2025)",
            "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations (NeurIPS 2020)",
        ),
    ),
    needs_picture=False,
    without=("loop", "control_audio", "stereo", "image_model"),
    make="asva_pipelines.mtv.frames_of_request",
)
