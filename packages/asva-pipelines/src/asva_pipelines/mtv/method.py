"""The method `mtv`, and the files that its released weights stand on."""

from asva_pipelines.method import ONE_STAGE, PROMPTS, Credit, Method, NamedModel, options

CHECKPOINT = "mp_rank_00_model_states.pt"
COGVIDEOX = "CogVideoX-5b"
T5 = "t5-v1_1-xxl"
WAV2VEC = "wav2vec2-base-960h"
LICENCE = "Apache-2.0 (MTVCraft), on CogVideoX 5B (CogVideoX licence), with T5 and wav2vec 2.0 (Apache-2.0)"

METHOD = Method(
    name="mtv",
    summary="speech, effects and music each steer what they should, at any length (MTV)",
    pipeline="asva_pipelines.mtv.pipeline:MTVPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance")
    | {name: () for name in ("--speech", "--speech2", "--effects", "--music", "--demix", "--frame")}
    | PROMPTS,
    models=(
        NamedModel(
            name="mtv",
            summary="released MTV weights, 480x720, 49 frames at 24 fps; to be put into a folder by hand",
            licence=LICENCE,
            by_hand=f"its weights are linked from the README of baaivision/MTVCraft. Put into one folder "
            f"`{CHECKPOINT}`, `{COGVIDEOX}/` with vae, text_encoder and tokenizer, and `{WAV2VEC}/`; or lay its own "
            f"files out as that page has it, and pass one of the folders below `mtv/`",
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
    without=("loop", "control_audio", "image_model"),
    make="asva_pipelines.mtv.frames_of_request",
)
