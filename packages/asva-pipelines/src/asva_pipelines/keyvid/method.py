"""The method `keyvid`: the bundled model and the weights that were released."""

from pathlib import Path

import asva_keyframe
from asva_pipelines.loading.shared_files import IMAGEBIND_FILE, TOKENIZER_FILES
from asva_pipelines.method import CURVE, OF_SECOND_STAGE, STEPS, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

REPO = "RyanWW/KeyVID"
KEYFRAME_CKPT = "keyframe_generation/epoch=859-step=10320.ckpt"
INTERP_CKPT = "asva_12_kf_interp/epoch=1479-step=17760.ckpt"
LICENCE = (
    "Apache-2.0 (KeyVID, DynamiCrafter); holds OpenCLIP weights (MIT) "
    "and ImageBind weights (CC BY-NC-SA 4.0: no commercial use)"
)
_BOTH = ("", "interp_")

METHOD = Method(
    name="keyvid",
    summary="keyframes where the sound says that something moves, then the frames between (KeyVID)",
    pipeline="asva_pipelines.keyvid.pipeline:KeyVIDPipeline",
    stages={"keyframe": "keyframes", "interp": "frames between", "decode": "decoding"},
    options=options(*STEPS)
    | {option: (name,) for option, name in OF_SECOND_STAGE.items()}
    | {
        "--guidance": tuple(f"{stage}audio_guidance_scale" for stage in _BOTH),
        "--text-guidance": tuple(f"{stage}text_guidance_scale" for stage in _BOTH),
        "--image-guidance": tuple(f"{stage}image_guidance_scale" for stage in _BOTH),
        "--keyframes": ("keyframe_indices",),
        "--uniform": ("selection",),
        "--rule": ("selection",),
        "--localizer": (),
    }
    | CURVE,
    model="tiny",
    models=(
        NamedModel(
            name="tiny",
            summary="bundled, 64x64, 48 frames at 24 fps, knows the synthetic sounds; runs on any CPU",
            licence="Apache-2.0",
            folder=Path(__file__).parents[1] / "models" / "tiny",
        ),
        NamedModel(
            name="keyvid",
            summary=f"released KeyVID weights ({REPO}), 320x512, 48 frames at 24 fps, AVSync15",
            licence=LICENCE,
            files=(
                RemoteFile(repo=REPO, path=KEYFRAME_CKPT, gigabytes=15.55, licence=LICENCE),
                RemoteFile(repo=REPO, path=INTERP_CKPT, gigabytes=15.54, licence=LICENCE),
                *TOKENIZER_FILES,
            ),
            converted=17.0,
            remark="The motion localizer of KeyVID was not released: the onsets of the sound place the keyframes, or, "
            "with `--localizer model`, the bundled one, which knows drawn sounds alone.",
        ),
    ),
    family="asva_pipelines.keyvid.released:KEYVID",
    credit=Credit(
        "KeyVID",
        LICENCE,
        (
            "KeyVID: Keyframe-Aware Video Diffusion for Audio-Synchronized Visual Animation",
            "DynamiCrafter: Animating Open-Domain Images with Video Diffusion Priors (ECCV 2024)",
            "ImageBind: One Embedding Space to Bind Them All (CVPR 2023)",
        ),
    ),
    licences={file.path: file.licence for file in (*TOKENIZER_FILES, IMAGEBIND_FILE)},
    shared={"localizer": Path(asva_keyframe.__file__).parent / "models" / "tiny-localizer"},
)
