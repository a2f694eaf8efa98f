"""The method `seeing-hearing`, our reading of a code that was not released; its parts are public."""

from asva_pipelines.avsyncd.method import STABLE_DIFFUSION, STABLE_DIFFUSION_REPO
from asva_pipelines.loading.shared_files import IMAGEBIND_FILE
from asva_pipelines.method import ONE_STAGE, Credit, Method, NamedModel, options
from asva_weights import RemoteFile

ADAPTER = "animatediff-motion-adapter-v1-5-2"
ADAPTER_REPO = f"guoyww/{ADAPTER}"
LICENCE = (
    "CC BY-NC 4.0 (Seeing and Hearing: no commercial use), on Stable Diffusion 1.5 (CreativeML OpenRAIL-M) with "
    "AnimateDiff (Apache-2.0), by ImageBind (CC BY-NC-SA 4.0: no commercial use)"
)
_FILES = (
    RemoteFile(
        repo=STABLE_DIFFUSION_REPO,
        path=f"unet, vae, text_encoder, tokenizer and scheduler, as {STABLE_DIFFUSION}/",
        gigabytes=4.27,
        licence="CreativeML OpenRAIL-M",
    ),
    RemoteFile(
        repo=ADAPTER_REPO,
        path=f"config.json and diffusion_pytorch_model.safetensors, as {ADAPTER}/",
        gigabytes=1.82,
        licence="Apache-2.0",
    ),
    IMAGEBIND_FILE,
)

METHOD = Method(
    name="seeing-hearing",
    summary="AnimateDiff, held to a sound by ImageBind at each step; our reading of Xing et al., whose code is missing",
    pipeline="asva_baselines.seeing_hearing.pipeline:SeeingHearingPipeline",
    stages=ONE_STAGE,
    options=options("--steps", "--guidance", "--text-guidance"),
    model="seeing-hearing",
    models=(
        NamedModel(
            name="seeing-hearing",
            summary="public parts, 512x512, 16 frames at 8 fps; to be put into a folder by hand",
            licence=LICENCE,
            files=_FILES,
            by_hand=f"one of its parts has no hub id. Put into one folder `{STABLE_DIFFUSION}/` (hub id "
            f"{STABLE_DIFFUSION_REPO}), `{ADAPTER}/` (hub id {ADAPTER_REPO}) and `{IMAGEBIND_FILE.path}` "
            f"({IMAGEBIND_FILE.repo})",
            remark="Approximate: the authors' code for this direction is missing, so that none of their figures can be "
            "made again with it.",
        ),
    ),
    family="asva_baselines.seeing_hearing.released:SEEING_HEARING",
    credit=Credit(
        "Seeing and Hearing",
        LICENCE,
        (
            "Seeing and Hearing: Open-domain Visual-Audio Generation with Diffusion Latent Aligners (CVPR 2024)",
            "AnimateDiff: Animate Your Personalized Text-to-Image Diffusion Models without Specific Tuning (ICLR 2024)",
            "ImageBind: One Embedding Space to Bind Them All (CVPR 2023)",
        ),
    ),
    licences={
        f"{STABLE_DIFFUSION}/": "CreativeML OpenRAIL-M",
        f"{ADAPTER}/": "Apache-2.0",
        IMAGEBIND_FILE.path: IMAGEBIND_FILE.licence,
    },
    needs_picture=False,
    needs_prompt=True,
    without=("image", "image_model"),
)
